/* SPARQL servers over HTTP: Fuseki, Oxigraph, Virtuoso and others that follow the protocols. What
 * the backend's own files share; one thread at a time. */
#ifndef IR_STORE_GRAPH_SPARQL_H
#define IR_STORE_GRAPH_SPARQL_H

#include "store/graph_backend.h"
#include "store/http.h"
#include "store/sparql_uri.h"

#define IR_SPARQL_OBSERVATION "<http://www.w3.org/ns/sosa/Observation>"
#define IR_SPARQL_ACCEPT_JSON "application/sparql-results+json"

/* One INSERT DATA: Virtuoso makes a program of it, which may have 10,000 lines. */
#define IR_SPARQL_UPDATE_LINES_MAX 2000
#define IR_SPARQL_UPDATE_BYTES_MAX ((size_t)512 * 1024)

/* How a server answers a write that it has done. */
typedef struct ir_sparql_shape {
    int code;
    char media_type[64];
    char beginning[48]; /* of the body, without digits: they count what was written */
} ir_sparql_shape_t;

#define IR_SPARQL_SHAPES_MAX 4

typedef struct ir_sparql {
    ir_sparql_uri_t uri;
    ir_http_t *http;
    ir_format_options_t format;
    char *registry_graph;
    ir_buffer_t body, url;
    ir_buffer_t names;  /* graph names of the picks, one after the other */
    size_t *name_ends;  /* of each pick, in `names` */
    size_t n_name_ends; /* capacity */
    size_t most;        /* observations in one request */
    ir_sparql_shape_t shapes[IR_SPARQL_SHAPES_MAX]; /* of answers whose writes were read back */
    size_t n_shapes;
    bool learning;     /* the shapes that come now are noted */
    bool odd;          /* a write was answered 2xx in another shape: perhaps by somebody else */
    int code;          /* of the last answer */
    bool had_registry; /* when it was asked last */
    bool doubtful;     /* it was away since then, or was never asked */
    bool lost;         /* it came back without, and that was said */
    uint64_t stored;   /* observations and revisions, since it was set up */
} ir_sparql_t;

/* ---- requests (graph_sparql_request.c) ---- */

/* All of these return IR_ERR_REFUSED when the server refuses the statements, as far as its answer
 * says; else IR_ERR_CONNECT, IR_ERR_TIMEOUT, IR_ERR_AUTH, IR_ERR_NOT_FOUND or IR_ERR_PROTOCOL. */

ir_status_t ir_sparql_no_memory(ir_error_t *error);

ir_status_t ir_sparql_call(ir_sparql_t *graph, const ir_http_request_t *request, ir_error_t *error);

/* Sends a query; the answer is taken by `take`, or kept. */
ir_status_t ir_sparql_ask(ir_sparql_t *graph, const ir_buffer_t *query, const char *accept,
                          ir_http_take_fn take, void *context, ir_error_t *error);

/* Says that what came as the answer to a query is none. */
ir_status_t ir_sparql_no_answer(const ir_sparql_t *graph, ir_error_t *error);

ir_status_t ir_sparql_update(ir_sparql_t *graph, ir_view_t text, ir_error_t *error);

/* The Graph Store Protocol: N-Triples to a graph; an empty name: the default graph. */
ir_status_t ir_sparql_send_graph(ir_sparql_t *graph, const char *method, ir_view_t name,
                                 ir_view_t body, ir_error_t *error);

/* N-Quads to the dataset. */
ir_status_t ir_sparql_send_quads(ir_sparql_t *graph, ir_view_t body, ir_error_t *error);

/* The beginning of a graph's part of an INSERT DATA; an empty name: nothing. */
void ir_sparql_open_graph(ir_buffer_t *out, ir_view_t name);

/* Closes and sends the INSERT DATA in graph->body, whose last graph is `name`. */
ir_status_t ir_sparql_send_insert(ir_sparql_t *graph, ir_view_t name, ir_error_t *error);

/* ---- answers (graph_sparql_read.c) ---- */

/* `pattern` where our statements are: in the default graph, in the one that stands for it, or in
 * the named ones below base_iri that are not the registry's. */
void ir_sparql_append_where(const ir_sparql_t *graph, ir_buffer_t *out, ir_view_t pattern);

/* The number that the query in graph->body binds to ?n. */
ir_status_t ir_sparql_ask_number(ir_sparql_t *graph, uint64_t *number, ir_error_t *error);

/* Every line of the answer to the query in graph->body, a head line of CSV, too. */
ir_status_t ir_sparql_select_lines(ir_sparql_t *graph, const char *accept, ir_each_line_fn each,
                                   void *context, ir_error_t *error);

/* Looks at one observation, if there is any: IR_ERR_PROTOCOL when an earlier release wrote it. */
ir_status_t ir_sparql_check_ids(ir_sparql_t *graph, ir_error_t *error);

/* ---- the backend's functions: init (graph_sparql_registry.c), put (graph_sparql_put.c),
 * control (graph_sparql_control.c), the rest (graph_sparql_read.c) ---- */

/* After a time away, and when there is nothing to put: IR_ERR_VANISHED, the first time, and then
 * IR_ERR_NOT_FOUND when the registry that was there is not (graph_sparql_presence.c). */
ir_status_t ir_sparql_present(void *store, ir_error_t *error);

/* Repeatable after any error. IR_ERR_PROTOCOL: what the server holds then is not what was sent. */
ir_status_t ir_sparql_init(void *store, ir_view_t registry, const char *name, ir_error_t *error);

ir_outcome_t ir_sparql_put(void *store, const ir_graph_pick_t *picks, size_t count,
                           ir_answer_t *answer);
ir_status_t ir_sparql_control(void *store, ir_error_t *error);
ir_status_t ir_sparql_probe(void *store, ir_error_t *error);
ir_status_t ir_sparql_count(void *store, uint64_t *observations, uint64_t *triples,
                            ir_error_t *error);
ir_status_t ir_sparql_each_id(void *store, ir_each_id_fn each, void *context, ir_error_t *error);
ir_status_t ir_sparql_export(void *store, ir_each_line_fn each, void *context, ir_error_t *error);

#endif
