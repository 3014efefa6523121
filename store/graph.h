/* The graph store: the processed observations as RDF. One client is used by one thread; calls
 * block, each within the time-out.
 *
 * URIs:
 * sparql+http(s)://HOST[:PORT]/PATH?strategy=quads|graph-store|update[&query=/PATH][&update=/PATH]
 * [&store=/PATH], nquads:DIR, null:. Several, separated by spaces or commas: each mote lives on one
 * of them by rendezvous hashing, so a server can be added. */
#ifndef IR_STORE_GRAPH_H
#define IR_STORE_GRAPH_H

#include "annotation/format.h"
#include "common/status.h"
#include "observation/batch.h"
#include "store/documents.h"

typedef struct ir_graph ir_graph_t;

typedef struct ir_graph_options {
    const char *uris;
    const char *user, *password; /* for sparql, or NULL */
    const char *token;           /* a bearer token in their place, or NULL */
    const char *ca_file;         /* for https; NULL: the system's authorities */
    int64_t timeout_ns;
    int64_t segment_bytes; /* nquads: a segment is sealed when it has grown to this */
    const char *writer;    /* nquads: name of this writer's segments; unique among those running */
    ir_format_options_t format;
} ir_graph_options_t;

/* As ir_documents_open. `options` texts are copied. */
ir_status_t ir_graph_open(const ir_graph_options_t *options, ir_graph_t **graph, ir_error_t *error);
void ir_graph_close(ir_graph_t *graph);

/* Makes the place (directory) and replaces the registry graph (base_iri "graph/registry"; for
 * N-Quads the file registry.nq) on every server. Repeatable. */
ir_status_t ir_graph_init(ir_graph_t *graph, const ir_registry_t *registry, ir_error_t *error);

ir_status_t ir_graph_ready(ir_graph_t *graph, ir_error_t *error);

/* The same, and writes a statement where no reader looks, reads it back and removes it: a server
 * that says yes to everything is found. IR_ERR_PROTOCOL when it is not there. */
ir_status_t ir_graph_probe(ir_graph_t *graph, ir_error_t *error);

/* As ir_documents_present, of every server. */
ir_status_t ir_graph_present(ir_graph_t *graph, ir_error_t *error);

/* Writes the accepted observations and the revisions durably. Repeating it changes nothing (no
 * blank nodes; N-Quads looks up what the documents called duplicates). A statement that the server
 * refuses is found by splitting and becomes a store refusal. As ir_documents_put. */
ir_outcome_t ir_graph_put(ir_graph_t *graph, ir_batch_t *batch, ir_error_t *error);

/* Distinct observations. */
ir_status_t ir_graph_count(ir_graph_t *graph, uint64_t *observations, uint64_t *triples,
                           ir_error_t *error);

/* Every observation id, once for every time it stands there (N-Quads: once for every type
 * statement). */
ir_status_t ir_graph_each_id(ir_graph_t *graph, ir_each_id_fn each, void *context,
                             ir_error_t *error);

/* Whether what is put can be found again: not when all of it goes to null. */
bool ir_graph_keeps(const ir_graph_t *graph);

/* All statements as N-Quads lines, for export. */
ir_status_t ir_graph_export(ir_graph_t *graph, ir_each_line_fn each, void *context,
                            ir_error_t *error);

#endif
