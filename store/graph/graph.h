/* The graph store: processed observations as RDF. A client is used by one thread. Calls block, each
 * at most for the time-out.
 *
 * URIs:
 * sparql+http(s)://HOST[:PORT]/PATH?strategy=quads|graph-store|update[&query=/PATH][&update=/PATH]
 * [&store=/PATH], nquads:DIR (blanks, commas and % in it as %XX), null:.
 * Several are separated by spaces or commas. Rendezvous hashing assigns each mote to one of them,
 * so a server can be added. */
#ifndef IR_STORE_GRAPH_GRAPH_H
#define IR_STORE_GRAPH_GRAPH_H

#include "annotation/formats/format.h"
#include "common/status.h"
#include "observation/batch.h"
#include "store/visit.h"

typedef struct ir_graph ir_graph_t;

typedef struct ir_graph_options {
    const char *uris;
    const char *user, *password; /* for sparql, or NULL */
    const char *token;           /* a bearer token instead, or NULL */
    const char *ca_file;         /* for https; NULL: the system's authorities */
    int64_t timeout_ns;
    int64_t segment_bytes; /* nquads: size at which a segment is sealed */
    bool set_up; /* set up before: `present` (nquads: `ready`) refuses a store without a registry */
    const char *writer; /* nquads: name for this writer's segments; unique among running writers */
    ir_format_options_t format;
} ir_graph_options_t;

/* Like ir_documents_open. The texts of `options` are copied. */
ir_status_t ir_graph_open(const ir_graph_options_t *options, ir_graph_t **graph, ir_error_t *error);
void ir_graph_close(ir_graph_t *graph);

/* Makes the directory, and replaces the graph of each file of the registry (base_iri
 * "graph/registry/NAME"; for N-Quads the file registry.NAME.ttl.nq) on every server. The graphs of
 * other files stay. Can be repeated. */
ir_status_t ir_graph_init(ir_graph_t *graph, const ir_registry_t *registry, ir_error_t *error);

ir_status_t ir_graph_ready(ir_graph_t *graph, ir_error_t *error);

/* Checks the same, and also writes a statement where no reader looks, reads it back and removes it.
 * This detects a server that accepts everything. IR_ERR_PROTOCOL when the statement is not
 * found. */
ir_status_t ir_graph_probe(ir_graph_t *graph, ir_error_t *error);

/* Like ir_documents_present, for every server. */
ir_status_t ir_graph_present(ir_graph_t *graph, ir_error_t *error);

/* Durably writes the accepted observations and the revisions. Repeating it changes nothing: there
 * are no blank nodes, and duplicates according to the documents are looked up. A statement that the
 * server refuses is found by splitting and becomes a store refusal. Results as for
 * ir_documents_put. */
ir_outcome_t ir_graph_put(ir_graph_t *graph, ir_batch_t *batch, ir_error_t *error);

/* Counts distinct observations. */
ir_status_t ir_graph_count(ir_graph_t *graph, uint64_t *observations, uint64_t *triples,
                           ir_error_t *error);

typedef ir_status_t (*ir_each_id_fn)(void *context, const ir_id_t *id);

/* Calls `each` for the id of every observation, or of every revision, once per occurrence (N-Quads:
 * once per type statement). */
ir_status_t ir_graph_each_id(ir_graph_t *graph, ir_document_kind_t kind, ir_each_id_fn each,
                             void *context, ir_error_t *error);

/* Removes all statements about these observations and revisions, whose ids are sorted, from every
 * server. Instants, which observations of the same time share, stay. Writers of an N-Quads
 * directory are asked to seal their segments; IR_ERR_STATE when one does not within the time-out.
 */
ir_status_t ir_graph_purge(ir_graph_t *graph, const ir_id_t *ids, size_t count, ir_error_t *error);

/* Which parts are removed from the graph, by the time of their observations, and how much was
 * removed. */
typedef struct ir_graph_retirement {
    int64_t before_ns;          /* a part is removed if all of it is older than this */
    const char *archive;        /* N-Quads: a folder for the removed segments, which is created */
    bool dry_run;               /* only count */
    uint64_t parts;             /* result: number of named graphs or segments */
    uint64_t statements;        /* out: in named graphs */
    uint64_t bytes, compressed; /* result: size of the segments, before and after */
} ir_graph_retirement_t;

/* Drops the named graphs of days (SPARQL; IR_ERR_USAGE without graph-name = day), or archives
 * segments (N-Quads). Workers may write meanwhile. Adds to the counts. Call again to continue after
 * an error. */
ir_status_t ir_graph_retire(ir_graph_t *graph, ir_graph_retirement_t *retirement,
                            ir_error_t *error);

/* Shrinks the files of TDB2, which otherwise only grow, to the size of their content (Fuseki,
 * started with --compact). Waits until it is done. IR_ERR_NOT_FOUND: the server cannot.
 * IR_ERR_USAGE: no server is a SPARQL server. */
ir_status_t ir_graph_compact(ir_graph_t *graph, ir_error_t *error);

/* Whether stored statements can be found again; false when all of them go to null. */
bool ir_graph_keeps(const ir_graph_t *graph);

/* Calls `each` for all statements as N-Quads lines, for export. */
typedef ir_status_t (*ir_each_line_fn)(void *context, ir_view_t line);
ir_status_t ir_graph_export(ir_graph_t *graph, ir_each_line_fn each, void *context,
                            ir_error_t *error);

/* ---- backups ---- */

size_t ir_graph_servers(const ir_graph_t *graph);

/* Like ir_graph_export, for one server, without the registry's graphs, which ir_graph_init makes.
 */
ir_status_t ir_graph_save(ir_graph_t *graph, size_t server, ir_each_line_fn each, void *context,
                          ir_error_t *error);

/* Durably writes statements from ir_graph_save, in whole lines, to one server. After the last of
 * them call ir_graph_loaded, then ir_graph_init: until then workers that lost the graph wait.
 * Repeating it changes nothing. IR_ERR_STATE: an N-Quads directory already has segments. */
ir_status_t ir_graph_load(ir_graph_t *graph, size_t server, ir_view_t lines, ir_error_t *error);
ir_status_t ir_graph_loaded(ir_graph_t *graph, size_t server, ir_error_t *error);

#endif
