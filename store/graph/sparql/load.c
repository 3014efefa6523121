#include "store/graph/quad.h"
#include "store/graph/sparql/sparql.h"

/* Consecutive statements of one graph, as many as fit into one request. */
typedef struct run {
    ir_sparql_t *graph;
    ir_view_t name;
    size_t lines;
} run_t;

static ir_status_t send_run(run_t *run, ir_error_t *error) {
    ir_sparql_t *graph = run->graph;
    if (run->lines == 0) {
        return IR_OK;
    }
    run->lines = 0;
    if (!ir_buffer_ok(&graph->body)) {
        return ir_sparql_no_memory(error);
    }
    return graph->uri.strategy == IR_SPARQL_UPDATE
               ? ir_sparql_send_insert(graph, run->name, error)
               : ir_sparql_send_graph(graph, "POST", run->name, ir_buffer_view(&graph->body),
                                      error);
}

static void begin_run(run_t *run, ir_view_t name) {
    ir_buffer_t *body = &run->graph->body;
    run->name = name;
    ir_buffer_clear(body);
    if (run->graph->uri.strategy == IR_SPARQL_UPDATE) {
        ir_buffer_append_text(body, "INSERT DATA {\n");
        ir_sparql_open_graph(body, name);
    }
}

static ir_status_t add_quad(run_t *run, const ir_quad_t *quad, ir_error_t *error) {
    ir_buffer_t *body = &run->graph->body;
    const bool ends = !ir_view_equal(quad->graph, run->name) ||
                      run->lines == IR_SPARQL_UPDATE_LINES_MAX ||
                      body->size >= IR_SPARQL_UPDATE_BYTES_MAX;
    const ir_status_t status = ends ? send_run(run, error) : IR_OK;
    if (status != IR_OK) {
        return status;
    }
    if (run->lines == 0) {
        begin_run(run, quad->graph);
    }
    ir_buffer_append_view(body, quad->triple);
    ir_buffer_append_text(body, " .\n");
    run->lines++;
    return IR_OK;
}

static ir_status_t load_runs(ir_sparql_t *graph, ir_view_t lines, ir_error_t *error) {
    run_t run = {.graph = graph};
    ir_status_t status = IR_OK;
    while (lines.size > 0 && status == IR_OK) {
        const char *stop = memchr(lines.data, '\n', lines.size);
        const size_t size = stop != NULL ? (size_t)(stop - lines.data) : lines.size;
        ir_quad_t quad;
        status = ir_quad_split(ir_view(lines.data, size), &quad)
                     ? add_quad(&run, &quad, error)
                     : ir_error_set(error, IR_ERR_SYNTAX,
                                    "the backup has a line that is not a statement: %.*s",
                                    size < 100 ? (int)size : 100, lines.data);
        lines = ir_view(lines.data + size + (stop != NULL), lines.size - size - (stop != NULL));
    }
    return status == IR_OK ? send_run(&run, error) : status;
}

ir_status_t ir_sparql_load(void *store, ir_view_t lines, ir_error_t *error) {
    ir_sparql_t *graph = store;
    return graph->uri.strategy == IR_SPARQL_QUADS ? ir_sparql_send_quads(graph, lines, error)
                                                  : load_runs(graph, lines, error);
}
