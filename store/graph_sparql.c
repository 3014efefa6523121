#include "store/graph_sparql.h"

#include "store/sparql_results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static void sparql_close(void *store) {
    ir_sparql_t *graph = store;
    if (graph == NULL) {
        return;
    }
    ir_http_free(graph->http);
    ir_sparql_uri_free(&graph->uri);
    ir_buffer_free(&graph->body);
    ir_buffer_free(&graph->url);
    ir_buffer_free(&graph->names);
    free(graph->name_ends);
    free(graph->registry_graph);
    free(graph);
}

static ir_status_t sparql_open(const ir_graph_options_t *options, void **store, ir_error_t *error) {
    ir_sparql_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_sparql_no_memory(error);
    }
    made->format = options->format;
    made->most = SIZE_MAX;
    ir_status_t status =
        ir_sparql_uri_parse(options->uris, options->format.base_iri, &made->uri, error);
    if (status == IR_OK) {
        made->http = ir_http_new(options->user, options->password, options->timeout_ns);
        if (made->http == NULL ||
            asprintf(&made->registry_graph, "%sgraph/registry", options->format.base_iri) < 0) {
            made->registry_graph = NULL;
            status = ir_sparql_no_memory(error);
        }
    }
    if (status != IR_OK) {
        sparql_close(made);
        return status;
    }
    *store = made;
    return IR_OK;
}

/* ---- init and ready ---- */

/* Inserts N-Triples lines by updates of bounded size. */
static ir_status_t insert_lines(ir_sparql_t *graph, ir_view_t lines, ir_view_t name,
                                ir_error_t *error) {
    ir_status_t status = IR_OK;
    while (lines.size > 0 && status == IR_OK) {
        ir_buffer_clear(&graph->body);
        ir_buffer_append_text(&graph->body, "INSERT DATA {\n");
        ir_sparql_open_graph(&graph->body, name);
        for (size_t n = 0; lines.size > 0 && n < IR_SPARQL_UPDATE_LINES_MAX &&
                           graph->body.size < IR_SPARQL_UPDATE_BYTES_MAX;
             n++) {
            const char *stop = memchr(lines.data, '\n', lines.size);
            const size_t size = stop != NULL ? (size_t)(stop - lines.data) + 1 : lines.size;
            ir_buffer_append(&graph->body, lines.data, size);
            lines = ir_view(lines.data + size, lines.size - size);
        }
        status = ir_sparql_send_insert(graph, name, error);
    }
    return status;
}

static ir_status_t sparql_init(void *store, ir_view_t registry, const char *name,
                               ir_error_t *error) {
    ir_sparql_t *graph = store;
    ir_status_t status = ir_sparql_send_graph(graph, "PUT", ir_view_text(name), registry, error);
    if (status == IR_OK || graph->uri.strategy != IR_SPARQL_UPDATE) {
        return status;
    }
    /* A server that only takes updates. Virtuoso has both, and fails at some literals in updates.
     */
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body, "CLEAR SILENT GRAPH <%s>", name);
    status = ir_sparql_update(graph, ir_buffer_view(&graph->body), error);
    return status == IR_OK ? insert_lines(graph, registry, ir_view_text(name), error) : status;
}

static ir_status_t sparql_ready(void *store, ir_error_t *error) {
    ir_sparql_t *graph = store;
    ir_buffer_clear(&graph->body);
    ir_buffer_append_text(&graph->body, "ASK { ?s ?p ?o }");
    const ir_status_t status =
        ir_sparql_ask(graph, &graph->body, IR_SPARQL_ACCEPT_JSON, NULL, NULL, error);
    if (status != IR_OK) {
        return status;
    }
    return ir_sparql_is_answer(ir_http_answer(graph->http)) ? IR_OK
                                                            : ir_sparql_no_answer(graph, error);
}

static const char *const schemes[] = {"sparql+http://", "sparql+https://", NULL};

const ir_graph_backend_t ir_graph_sparql = {.schemes = schemes,
                                            .open = sparql_open,
                                            .close = sparql_close,
                                            .init = sparql_init,
                                            .ready = sparql_ready,
                                            .put = ir_sparql_put,
                                            .count = ir_sparql_count,
                                            .each_id = ir_sparql_each_id,
                                            .export = ir_sparql_export};
