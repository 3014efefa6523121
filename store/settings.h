/* The settings of every program that opens the stores. */
#ifndef IR_STORE_SETTINGS_H
#define IR_STORE_SETTINGS_H

#include "annotation/settings.h"
#include "common/settings.h"
#include "store/documents/documents.h"
#include "store/graph/graph.h"

#include <stddef.h>
#include <stdint.h>

/* Filled by common/settings.h. The program's struct owns the texts. */
typedef struct ir_store_settings {
    char *documents, *documents_password;
    char *graph, *graph_user, *graph_password, *graph_token, *graph_ca;
    int64_t segment_bytes;
} ir_store_settings_t;

/* Rows for a program's settings table. `type` is its struct, `member` the ir_store_settings_t in
 * it. */
/* clang-format off */
#define IR_STORE_SETTINGS(type, member) \
    {"documents", 'd', IR_SETTING_URI, "URI", NULL, 0, 0, "sqlite:documents.sqlite", offsetof(type, member.documents), \
     "Document store: mongodb://HOST/DATABASE, sqlite:PATH, or null:, which keeps nothing."}, \
    {"documents-password", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL, offsetof(type, member.documents_password), \
     "Password of the document store."}, \
    {"graph", 'g', IR_SETTING_URI, "URIS", NULL, 0, 0, "nquads:graph", offsetof(type, member.graph), \
     "Graph store: sparql+http(s)://HOST/PATH?strategy=quads|graph-store|update, nquads:DIR, " \
     "or null:, which keeps nothing; several share the motes."}, \
    {"graph-user", 0, IR_SETTING_TEXT, "NAME", NULL, 0, 0, NULL, offsetof(type, member.graph_user), \
     "User name at the graph store."}, \
    {"graph-password", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL, offsetof(type, member.graph_password), \
     "Password at the graph store."}, \
    {"graph-token", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL, offsetof(type, member.graph_token), \
     "Bearer token for the graph store, in place of user and password."}, \
    {"graph-ca", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, offsetof(type, member.graph_ca), \
     "Certificate authorities for the graph store's https (PEM); default: the system's."}, \
    {"segment-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, 64.0 * 1024, 64.0 * (1 << 30), "64Mi", \
     offsetof(type, member.segment_bytes), \
     "Size at which an N-Quads segment is sealed."}
/* clang-format on */

/* Warns in the log of settings that contradict each other. */
void ir_store_settings_warn(const ir_store_settings_t *settings);

/* Derive options from the settings, which still own the texts. */
void ir_store_settings_documents(const ir_store_settings_t *settings, int64_t timeout_ns,
                                 ir_documents_options_t *documents);
void ir_store_settings_graph(const ir_store_settings_t *settings,
                             const ir_format_settings_t *format, const char *writer,
                             int64_t timeout_ns, ir_graph_options_t *graph);

#endif
