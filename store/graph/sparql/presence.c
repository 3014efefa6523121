/* Checks that the server still has its data. A server that comes back with an empty dataset (in
 * memory, or on another disk) accepts writes as before; the missing registry reveals it. */
#include "common/messages.h"
#include "store/graph/sparql/sparql.h"

#include <inttypes.h>
#include <string.h>

static ir_status_t ask_registry(ir_sparql_t *graph, bool *there, ir_error_t *error) {
    uint64_t found = 0;
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body,
                            "SELECT (COUNT(*) AS ?n) WHERE { SELECT ?s WHERE { GRAPH <%s> "
                            "{ ?s ?p ?o } } LIMIT 1 }",
                            graph->registry_graph);
    const ir_status_t status = ir_sparql_ask_number(graph, &found, error);
    if (status == IR_OK) {
        *there = found > 0;
    }
    return status;
}

static ir_status_t came_back_empty(ir_sparql_t *graph, ir_error_t *error) {
    const int size = (int)strcspn(graph->uri.query, "?");
    if (graph->lost) {
        return ir_error_set(error, IR_ERR_NOT_FOUND, "graph %.*s: " IR_TEXT_NOT_SET_UP, size,
                            graph->uri.query);
    }
    graph->lost = true;
    return ir_error_set(error, IR_ERR_VANISHED, IR_TEXT_GRAPH_EMPTY, size, graph->uri.query,
                        graph->stored);
}

ir_status_t ir_sparql_present(void *store, ir_error_t *error) {
    ir_sparql_t *graph = store;
    bool there = false;
    const ir_status_t status = ask_registry(graph, &there, error);
    if (status != IR_OK) {
        return status;
    }
    graph->doubtful = false;
    if (!there && graph->had_registry) {
        graph->doubtful = true;
        return came_back_empty(graph, error);
    }
    if (graph->lost) {
        graph->lost = false;
        graph->stored = 0;
    }
    graph->had_registry = there;
    return IR_OK;
}
