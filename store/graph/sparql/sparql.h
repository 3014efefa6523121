/* SPARQL servers over HTTP: Fuseki, Oxigraph, Virtuoso and others that follow the protocols. Shared
 * by the backend's own files; one thread at a time. */
#ifndef IR_STORE_GRAPH_SPARQL_SPARQL_H
#define IR_STORE_GRAPH_SPARQL_SPARQL_H

#include "http/client.h"
#include "store/graph/backend.h"
#include "store/graph/sparql/uri.h"

#define IR_SPARQL_OBSERVATION "<http://www.w3.org/ns/sosa/Observation>"
#define IR_SPARQL_REVISION "<https://intelligent-river.example/ns#Revision>"
#define IR_SPARQL_ACCEPT_JSON "application/sparql-results+json"

/* The limit for one INSERT DATA: Virtuoso compiles it to a program, which may have 10,000 lines. */
#define IR_SPARQL_UPDATE_LINES_MAX 2000
#define IR_SPARQL_UPDATE_BYTES_MAX ((size_t)512 * 1024)

/* The form of a server's answer to a successful write. */
typedef struct ir_sparql_shape {
    int code;
    char media_type[64];
    char beginning[48]; /* start of the body without digits, because these count what was written */
} ir_sparql_shape_t;

#define IR_SPARQL_SHAPES_MAX 4

typedef struct ir_sparql {
    ir_sparql_uri_t uri;
    ir_http_client_t *http;
    ir_format_options_t format;
    char *registry_graph; /* the index; the graphs of the registry's files are below it */
    ir_buffer_t body, url;
    ir_buffer_t names;     /* graph names of the picks, concatenated */
    size_t *name_ends;     /* end of each pick's name in `names` */
    size_t n_name_ends;    /* capacity */
    size_t most;           /* maximum number of observations in one request */
    ir_graph_pick_t *left; /* the array that ir_sparql_leave_out returns */
    size_t n_left;
    ir_sparql_shape_t shapes[IR_SPARQL_SHAPES_MAX]; /* answers to writes that were read back */
    size_t n_shapes;
    bool learning;     /* new shapes are recorded */
    bool odd;          /* a 2xx answer had an unknown form: it may come from another server */
    int code;          /* status code of the last answer */
    bool had_registry; /* whether it had the registry at the last check */
    bool doubtful;     /* the server was unavailable since the last check, or was never checked */
    bool lost;         /* the server came back without the registry, and this was reported or is
                        * expected */
    uint64_t stored;   /* observations and revisions since it was set up */
} ir_sparql_t;

/* ---- requests (request.c) ---- */

/* All of these return IR_ERR_REFUSED when, according to its answer, the server refuses the
 * statements; otherwise IR_ERR_CONNECT, IR_ERR_TIMEOUT, IR_ERR_AUTH, IR_ERR_NOT_FOUND or
 * IR_ERR_PROTOCOL. */

ir_status_t ir_sparql_no_memory(ir_error_t *error);

ir_status_t ir_sparql_call(ir_sparql_t *graph, const ir_http_request_t *request, ir_error_t *error);

/* Sends a query. `take` receives the answer; without it the answer is kept. */
ir_status_t ir_sparql_ask(ir_sparql_t *graph, const ir_buffer_t *query, const char *accept,
                          ir_http_take_fn take, void *context, ir_error_t *error);

/* Reports that the response is not an answer to a query. */
ir_status_t ir_sparql_no_answer(const ir_sparql_t *graph, ir_error_t *error);

ir_status_t ir_sparql_update(ir_sparql_t *graph, ir_view_t text, ir_error_t *error);

/* Graph Store Protocol: sends N-Triples to a graph; an empty name means the default graph. */
ir_status_t ir_sparql_send_graph(ir_sparql_t *graph, const char *method, ir_view_t name,
                                 ir_view_t body, ir_error_t *error);

/* Sends N-Quads to the dataset. */
ir_status_t ir_sparql_send_quads(ir_sparql_t *graph, ir_view_t body, ir_error_t *error);

/* Appends the start of a graph's part of an INSERT DATA; nothing for an empty name. */
void ir_sparql_open_graph(ir_buffer_t *out, ir_view_t name);

/* Completes and sends the INSERT DATA in graph->body, whose last graph is `name`. */
ir_status_t ir_sparql_send_insert(ir_sparql_t *graph, ir_view_t name, ir_error_t *error);

/* ---- answers (read.c) ---- */

/* Appends `pattern`, restricted to where our statements are: the default graph, the graph that
 * replaces it, or the named graphs below base_iri other than the registry's. */
void ir_sparql_append_where(const ir_sparql_t *graph, ir_buffer_t *out, ir_view_t pattern);

/* Returns the number that the query in graph->body binds to ?n. */
ir_status_t ir_sparql_ask_number(ir_sparql_t *graph, uint64_t *number, ir_error_t *error);

/* Calls `each` for every line of the answer to the query in graph->body, including CSV's header
 * line. */
ir_status_t ir_sparql_select_lines(ir_sparql_t *graph, const char *accept, ir_each_line_fn each,
                                   void *context, ir_error_t *error);

/* Calls `each` for the id in every line of the answer to the query in graph->body, which selects
 * one column; lines without one of our ids are skipped. */
ir_status_t ir_sparql_select_ids(ir_sparql_t *graph, ir_each_id_fn each, void *context,
                                 ir_error_t *error);

/* Checks one stored observation, if there is any. IR_ERR_PROTOCOL when an earlier release wrote
 * it. */
ir_status_t ir_sparql_check_ids(ir_sparql_t *graph, ir_error_t *error);

/* ---- which items the server already has (known.c) ---- */

/* Ids of picks, sorted, each once, and whether the server has each. Starts zeroed. */
typedef struct ir_sparql_subjects {
    ir_id_t *ids;
    bool *there;
    size_t count;
} ir_sparql_subjects_t;

/* Collects the ids of the picks, or of those that are known. False when memory is exhausted. */
bool ir_sparql_subjects_take(ir_sparql_subjects_t *subjects, const ir_graph_pick_t *picks,
                             size_t count, bool known_only);
void ir_sparql_subjects_free(ir_sparql_subjects_t *subjects);

/* Marks those that the server has. */
ir_status_t ir_sparql_subjects_ask(ir_sparql_t *graph, ir_sparql_subjects_t *subjects,
                                   ir_error_t *error);

/* Removes known picks that the server has, and all but the first pick of an id. *picks is
 * unchanged, or points to the graph's own array, which is valid until the next call. */
ir_status_t ir_sparql_leave_out(ir_sparql_t *graph, const ir_graph_pick_t **picks, size_t *count,
                                ir_error_t *error);

/* ---- the backend's functions: init (registry.c), put (put.c),
 * control (control.c), the rest (read.c) ---- */

/* Call after the server was unavailable, and while there is nothing to put. When a registry that
 * existed is gone: IR_ERR_VANISHED the first time, then IR_ERR_NOT_FOUND
 * (presence.c). */
ir_status_t ir_sparql_present(void *store, ir_error_t *error);

/* Can be repeated after any error. IR_ERR_PROTOCOL: the server afterwards does not hold what was
 * sent. */
ir_status_t ir_sparql_init(void *store, ir_view_t registry, const ir_registry_graph_t *graph,
                           ir_error_t *error);

ir_outcome_t ir_sparql_put(void *store, const ir_graph_pick_t *picks, size_t count,
                           ir_answer_t *answer);
ir_status_t ir_sparql_control(void *store, ir_error_t *error);
ir_status_t ir_sparql_probe(void *store, ir_error_t *error);
ir_status_t ir_sparql_count(void *store, uint64_t *observations, uint64_t *triples,
                            ir_error_t *error);
ir_status_t ir_sparql_each_id(void *store, ir_document_kind_t kind, ir_each_id_fn each,
                              void *context, ir_error_t *error);
ir_status_t ir_sparql_purge(void *store, const ir_id_t *ids, size_t count,
                            ir_error_t *error); /* purge.c */
ir_status_t ir_sparql_retire(void *store, ir_graph_retirement_t *retirement,
                             ir_error_t *error);               /* retire.c */
ir_status_t ir_sparql_compact(void *store, ir_error_t *error); /* compact.c */
ir_status_t ir_sparql_export(void *store, ir_each_line_fn each, void *context, ir_error_t *error);
ir_status_t ir_sparql_load(void *store, ir_view_t lines, ir_error_t *error); /* load.c */

#endif
