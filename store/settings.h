/* The settings of every program that opens the stores. */
#ifndef IR_STORE_SETTINGS_H
#define IR_STORE_SETTINGS_H

#include "annotation/settings.h"
#include "common/settings.h"
#include "store/documents/documents.h"
#include "store/graph/graph.h"

#include <stddef.h>
#include <stdint.h>

/* `in` is the path to these settings in a program's struct, for example `stores.`. */
/* clang-format off */
#define IR_STORE_SETTINGS(SETTING, in) \
    SETTING(URI, in documents, "documents", 'd', "URI", NULL, 0, 0, "sqlite:documents.sqlite", \
        "Document store: mongodb://HOST/DATABASE (without one: intelligent_river), sqlite:PATH, or " \
        "null:, which keeps nothing.") \
    SETTING(SECRET, in documents_password, "documents-password", 0, "TEXT", NULL, 0, 0, NULL, \
        "Password of the document store.") \
    SETTING(URI, in graph, "graph", 'g', "URIS", NULL, 0, 0, "nquads:graph", \
        "Graph store: sparql+http(s)://HOST/PATH?strategy=quads|graph-store|update, " \
        "nquads:DIR, or null:, which keeps nothing; several share the motes.") \
    SETTING(TEXT, in graph_user, "graph-user", 0, "NAME", NULL, 0, 0, NULL, \
        "User name at the graph store.") \
    SETTING(SECRET, in graph_password, "graph-password", 0, "TEXT", NULL, 0, 0, NULL, \
        "Password at the graph store.") \
    SETTING(SECRET, in graph_token, "graph-token", 0, "TEXT", NULL, 0, 0, NULL, \
        "Bearer token for the graph store, in place of user and password.") \
    SETTING(TEXT, in graph_ca, "graph-ca", 0, "FILE", NULL, 0, 0, NULL, \
        "Certificate authorities for the graph store's https (PEM); default: the system's.") \
    SETTING(SIZE, in segment_bytes, "segment-bytes", 0, "BYTES", NULL, 64.0 * 1024, \
        64.0 * (1 << 30), "64Mi", \
        "Size at which an N-Quads segment is sealed.")
/* clang-format on */

/* Filled by common/settings.h. The program's struct owns the texts. */
typedef struct ir_store_settings {
    IR_STORE_SETTINGS(IR_SETTING_MEMBER, )
} ir_store_settings_t;

/* Warns in the log of settings that contradict each other. */
void ir_store_settings_warn(const ir_store_settings_t *settings);

/* Derive options from the settings, which still own the texts. */
void ir_store_settings_documents(const ir_store_settings_t *settings, int64_t timeout_ns,
                                 ir_documents_options_t *documents);
void ir_store_settings_graph(const ir_store_settings_t *settings,
                             const ir_format_settings_t *format, const char *writer,
                             int64_t timeout_ns, ir_graph_options_t *graph);

#endif
