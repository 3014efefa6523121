#include "store/graph_sparql.h"

#include <stdlib.h>
#include <string.h>

#define LINE_TRIPLES_MAX 16 /* about what one observation has */
#define REQUEST_LEAST 64    /* observations; a request of so few is not made smaller */

static ir_status_t put_quads(ir_sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                             ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    for (size_t i = 0; i < count; i++) {
        ir_graph_pick_append(&graph->body, &picks[i], i > 0 ? &picks[i - 1] : NULL, &graph->format,
                             true);
    }
    return ir_buffer_ok(&graph->body)
               ? ir_sparql_send_quads(graph, ir_buffer_view(&graph->body), error)
               : ir_sparql_no_memory(error);
}

/* Writes down the graph of every pick. */
static bool name_graphs(ir_sparql_t *graph, const ir_graph_pick_t *picks, size_t count) {
    if (count > graph->n_name_ends) {
        size_t *grown = realloc(graph->name_ends, count * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        graph->name_ends = grown;
        graph->n_name_ends = count;
    }
    ir_buffer_clear(&graph->names);
    for (size_t i = 0; i < count; i++) {
        ir_graph_name(&graph->names, picks[i].observation, &graph->format);
        graph->name_ends[i] = graph->names.size;
    }
    return ir_buffer_ok(&graph->names);
}

static ir_view_t graph_of(const ir_sparql_t *graph, size_t pick) {
    if (graph->format.naming == IR_GRAPH_DEFAULT) {
        return ir_view_text(graph->uri.graph);
    }
    const size_t begin = pick > 0 ? graph->name_ends[pick - 1] : 0;
    return ir_view(graph->names.data + begin, graph->name_ends[pick] - begin);
}

/* One request for each graph: the picks of the first one's graph, then of the first one that is of
 * another, and so on. Few graphs take part in one batch. */
static ir_status_t put_graphs(ir_sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                              ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t first = 0; first < count && status == IR_OK; first++) {
        const ir_view_t name = graph_of(graph, first);
        bool sent = false;
        for (size_t i = 0; i < first && !sent; i++) {
            sent = ir_view_equal(graph_of(graph, i), name);
        }
        if (sent) {
            if (graph->format.naming == IR_GRAPH_DEFAULT) {
                break;
            }
            continue;
        }
        ir_buffer_clear(&graph->body);
        const ir_graph_pick_t *previous = NULL;
        for (size_t i = first; i < count; i++) {
            if (ir_view_equal(graph_of(graph, i), name)) {
                ir_graph_pick_append(&graph->body, &picks[i], previous, &graph->format, false);
                previous = &picks[i];
            }
        }
        status =
            ir_buffer_ok(&graph->body)
                ? ir_sparql_send_graph(graph, "POST", name, ir_buffer_view(&graph->body), error)
                : ir_sparql_no_memory(error);
    }
    return status;
}

/* Requests of bounded size; a new graph inside one closes the one before. */
static ir_status_t put_updates(ir_sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                               ir_error_t *error) {
    ir_status_t status = IR_OK;
    size_t i = 0;
    while (i < count && status == IR_OK) {
        ir_view_t name = graph_of(graph, i);
        ir_buffer_clear(&graph->body);
        ir_buffer_append_text(&graph->body, "INSERT DATA {\n");
        ir_sparql_open_graph(&graph->body, name);
        const ir_graph_pick_t *previous = NULL;
        for (size_t n = 0; i < count && n < IR_SPARQL_UPDATE_LINES_MAX / LINE_TRIPLES_MAX &&
                           graph->body.size < IR_SPARQL_UPDATE_BYTES_MAX;
             n++, i++) {
            if (!ir_view_equal(graph_of(graph, i), name)) {
                name = graph_of(graph, i);
                ir_buffer_append_text(&graph->body, "}\n");
                ir_sparql_open_graph(&graph->body, name);
                previous = NULL;
            }
            ir_graph_pick_append(&graph->body, &picks[i], previous, &graph->format, false);
            previous = &picks[i];
        }
        status = ir_sparql_send_insert(graph, name, error);
    }
    return status;
}

static ir_status_t put(ir_sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                       ir_error_t *error) {
    if (graph->uri.strategy == IR_SPARQL_QUADS) {
        return put_quads(graph, picks, count, error);
    }
    if (!name_graphs(graph, picks, count)) {
        return ir_sparql_no_memory(error);
    }
    return graph->uri.strategy == IR_SPARQL_GRAPH_STORE ? put_graphs(graph, picks, count, error)
                                                        : put_updates(graph, picks, count, error);
}

/* A server that does not take a request in time gets smaller ones. They grow again only with whole
 * batches that went well: a batch that fails is sent from its beginning. */
static void adapt(ir_sparql_t *graph, ir_status_t status, size_t tried, size_t left) {
    if (status == IR_ERR_TIMEOUT && tried > REQUEST_LEAST) {
        graph->most = tried / 2;
    } else if (status == IR_OK && left == 0 && graph->most < SIZE_MAX / 2) {
        graph->most += graph->most / 8;
    }
}

static ir_status_t put_in_requests(ir_sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                                   ir_error_t *error) {
    ir_status_t status = IR_OK;
    while (count > 0 && status == IR_OK) {
        const size_t size = count < graph->most ? count : graph->most;
        status = put(graph, picks, size, error);
        picks += size;
        count -= size;
        adapt(graph, status, size, count);
    }
    return status;
}

/* Whether the server takes a statement that is certainly good: one of the registry's graph. */
static ir_status_t probe(ir_sparql_t *graph, ir_error_t *error) {
    static const char statement[] =
        IR_SPARQL_OBSERVATION " <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
                              "<http://www.w3.org/2002/07/owl#Class> ";
    const ir_view_t name = ir_view_text(graph->registry_graph);
    ir_buffer_clear(&graph->body);
    switch (graph->uri.strategy) {
    case IR_SPARQL_QUADS:
        ir_buffer_append_format(&graph->body, "%s<%s> .\n", statement, graph->registry_graph);
        return ir_sparql_send_quads(graph, ir_buffer_view(&graph->body), error);
    case IR_SPARQL_GRAPH_STORE:
        ir_buffer_append_format(&graph->body, "%s.\n", statement);
        return ir_sparql_send_graph(graph, "POST", name, ir_buffer_view(&graph->body), error);
    default:
        ir_buffer_append_text(&graph->body, "INSERT DATA {\n");
        ir_sparql_open_graph(&graph->body, name);
        ir_buffer_append_format(&graph->body, "%s.\n", statement);
        return ir_sparql_send_insert(graph, name, error);
    }
}

/* Before a single observation is given up, the server must show that it takes good ones: a wrong
 * path or strategy may not make refusals of all. */
static ir_outcome_t reject(ir_sparql_t *graph, size_t count, ir_error_t *error) {
    ir_error_t why = {.status = IR_OK};
    if (count > 1 || probe(graph, &why) == IR_OK) {
        return IR_OUTCOME_REJECT;
    }
    ir_error_set(error, IR_ERR_PROTOCOL,
                 "the graph server refuses also what is certainly good; check path and strategy "
                 "in the graph store's URI: %s",
                 why.text);
    return IR_OUTCOME_RETRY;
}

ir_outcome_t ir_sparql_put(void *store, const ir_graph_pick_t *picks, size_t count,
                           ir_error_t *error) {
    ir_sparql_t *graph = store;
    const ir_status_t status = put_in_requests(graph, picks, count, error);
    if (status == IR_ERR_REFUSED) {
        return reject(graph, count, error);
    }
    return status == IR_OK ? IR_OUTCOME_OK : IR_OUTCOME_RETRY;
}
