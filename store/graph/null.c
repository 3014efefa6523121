#include "store/graph/backend.h"

#include <stdlib.h>

/* Formats the statements but stores nothing. A run with this store shows the cost of everything
 * except the store. */
typedef struct null_graph {
    ir_format_options_t format;
    ir_buffer_t body;
} null_graph_t;

static ir_status_t null_open(const ir_graph_options_t *options, void **store, ir_error_t *error) {
    null_graph_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    made->format = options->format;
    *store = made;
    return IR_OK;
}

static void null_close(void *store) {
    null_graph_t *graph = store;
    if (graph != NULL) {
        ir_buffer_free(&graph->body);
        free(graph);
    }
}

static ir_status_t null_init(void *store, ir_view_t registry, const ir_registry_graph_t *graph,
                             ir_error_t *error) {
    (void)store;
    (void)registry;
    (void)graph;
    (void)error;
    return IR_OK;
}

static ir_status_t null_ready(void *store, ir_error_t *error) {
    (void)store;
    (void)error;
    return IR_OK;
}

static ir_outcome_t null_put(void *store, const ir_graph_pick_t *picks, size_t count,
                             ir_answer_t *answer) {
    null_graph_t *graph = store;
    ir_buffer_clear(&graph->body);
    for (size_t i = 0; i < count; i++) {
        ir_graph_pick_append(&graph->body, &picks[i], i > 0 ? &picks[i - 1] : NULL, &graph->format,
                             true);
    }
    if (!ir_buffer_ok(&graph->body)) {
        ir_error_set(&answer->why, IR_ERR_MEMORY, "graph null: out of memory");
        return IR_OUTCOME_RETRY;
    }
    return IR_OUTCOME_OK;
}

static ir_status_t null_count(void *store, uint64_t *observations, uint64_t *triples,
                              ir_error_t *error) {
    (void)store;
    (void)error;
    *observations = 0;
    *triples = 0;
    return IR_OK;
}

static ir_status_t null_each_id(void *store, ir_document_kind_t kind, ir_each_id_fn each,
                                void *context, ir_error_t *error) {
    (void)store;
    (void)kind;
    (void)each;
    (void)context;
    (void)error;
    return IR_OK;
}

static ir_status_t null_export(void *store, ir_each_line_fn each, void *context,
                               ir_error_t *error) {
    (void)store;
    (void)each;
    (void)context;
    (void)error;
    return IR_OK;
}

static const char *const prefixes[] = {"null:", NULL};

const ir_graph_backend_t ir_graph_null = {.scheme = {"null:", prefixes},
                                          .open = null_open,
                                          .close = null_close,
                                          .init = null_init,
                                          .ready = null_ready,
                                          .put = null_put,
                                          .count = null_count,
                                          .each_id = null_each_id,
                                          .export = null_export};
