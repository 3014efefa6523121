#include "common/messages.h"
#include "store/graph/sparql/sparql.h"

#include <stdlib.h>

#define LINE_TRIPLES_MAX 16 /* approximate number of lines for one observation */
#define REQUEST_LEAST 64    /* minimum number of observations in a request */

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

/* Records the graph of every pick. */
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

/* Sends one request for each graph: first all picks of the first pick's graph, then those of the
 * next graph, and so on. A batch has few graphs. */
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

/* Sends updates of limited size. In an update, the start of the next graph's part ends the part
 * before it. */
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

/* A server that does not finish a request in time gets smaller ones. The size grows again only
 * after whole successful batches, because a failed batch is sent again from its start. */
static void adapt(ir_sparql_t *graph, ir_status_t status, size_t tried, size_t left) {
    if (status == IR_ERR_TIMEOUT && tried > REQUEST_LEAST) {
        graph->most = tried / 2;
    } else if (status == IR_OK && left == 0 && graph->most < SIZE_MAX / 2) {
        graph->most += graph->most / 8;
    }
}

/* Whether all of them can be found. Used for a server whose answer alone cannot be trusted. */
static ir_status_t read_back(ir_sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                             ir_error_t *error) {
    ir_sparql_subjects_t subjects = {.ids = NULL};
    ir_status_t status = ir_sparql_subjects_take(&subjects, picks, count, false)
                             ? ir_sparql_subjects_ask(graph, &subjects, error)
                             : ir_sparql_no_memory(error);
    size_t found = 0;
    for (size_t i = 0; i < subjects.count && status == IR_OK; i++) {
        found += subjects.there[i];
    }
    if (status == IR_OK && found != subjects.count) {
        status = ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_SUBJECTS_MISSING, graph->uri.query,
                              subjects.count, (unsigned long long)found);
    }
    ir_sparql_subjects_free(&subjects);
    return status;
}

static ir_status_t put_request(ir_sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                               ir_error_t *error) {
    graph->odd = false;
    const ir_status_t status = put(graph, picks, count, error);
    return status == IR_OK && graph->odd ? read_back(graph, picks, count, error) : status;
}

static ir_status_t put_in_requests(ir_sparql_t *graph, const ir_graph_pick_t *picks, size_t count,
                                   ir_error_t *error) {
    ir_status_t status = IR_OK;
    while (count > 0 && status == IR_OK) {
        const size_t size = count < graph->most ? count : graph->most;
        status = put_request(graph, picks, size, error);
        picks += size;
        count -= size;
        adapt(graph, status, size, count);
    }
    return status;
}

/* A proxy may have sent the HTTP code, for a reason that has nothing to do with the statements. So
 * every code needs a proof. */
ir_outcome_t ir_sparql_put(void *store, const ir_graph_pick_t *picks, size_t count,
                           ir_answer_t *answer) {
    ir_sparql_t *graph = store;
    if (graph->doubtful && ir_sparql_present(graph, &answer->why) != IR_OK) {
        return IR_OUTCOME_RETRY;
    }
    size_t left = count;
    if (ir_sparql_leave_out(graph, &picks, &left, &answer->why) != IR_OK) {
        graph->doubtful = true;
        return IR_OUTCOME_RETRY;
    }
    const ir_status_t status = put_in_requests(graph, picks, left, &answer->why);
    graph->doubtful = status != IR_OK && status != IR_ERR_REFUSED;
    graph->stored += status == IR_OK ? count : 0;
    answer->code = graph->code;
    if (status == IR_ERR_REFUSED) {
        return IR_OUTCOME_REFUSED;
    }
    return status == IR_OK ? IR_OUTCOME_OK : IR_OUTCOME_RETRY;
}
