/* Certainly good statements, in graphs that no reader uses: BASE "control", and below it one graph
 * per probe. They are removed again. */
#include "common/messages.h"
#include "store/graph/sparql/sparql.h"

#include "common/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define VALUE "<http://www.w3.org/1999/02/22-rdf-syntax-ns#value>"
#define INTEGER "<http://www.w3.org/2001/XMLSchema#integer>"
#define NAME_SIZE 1100

/* Writes one statement about the graph `name` into that graph. */
static ir_status_t write_statement(ir_sparql_t *graph, const char *name, uint32_t value,
                                   ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    if (graph->uri.strategy == IR_SPARQL_UPDATE) {
        ir_buffer_append_text(&graph->body, "INSERT DATA {\n");
        ir_sparql_open_graph(&graph->body, ir_view_text(name));
    }
    ir_buffer_append_format(&graph->body, "<%s> " VALUE " \"%u\"^^" INTEGER, name, value);
    switch (graph->uri.strategy) {
    case IR_SPARQL_QUADS:
        ir_buffer_append_format(&graph->body, " <%s> .\n", name);
        return ir_sparql_send_quads(graph, ir_buffer_view(&graph->body), error);
    case IR_SPARQL_GRAPH_STORE:
        ir_buffer_append_text(&graph->body, " .\n");
        return ir_sparql_send_graph(graph, "POST", ir_view_text(name), ir_buffer_view(&graph->body),
                                    error);
    default:
        ir_buffer_append_text(&graph->body, " .\n");
        return ir_sparql_send_insert(graph, ir_view_text(name), error);
    }
}

/* If the value is not the one that was written, another server is answering, so the statement
 * counts as missing. */
static ir_status_t read_statement(ir_sparql_t *graph, const char *name, uint32_t value,
                                  ir_error_t *error) {
    uint64_t found = 0;
    ir_error_t why = {.status = IR_OK};
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body, "SELECT ?n WHERE { GRAPH <%s> { <%s> " VALUE " ?n } }",
                            name, name);
    const ir_status_t status = ir_sparql_ask_number(graph, &found, &why);
    if (status == IR_OK && found == value) {
        return IR_OK;
    }
    if (status != IR_OK && status != IR_ERR_PROTOCOL) {
        return ir_error_set(error, status, "%s", why.text);
    }
    return ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_STATEMENT_MISSING, graph->uri.query);
}

/* If the graph cannot be removed, it does no harm, because no reader uses it. */
static void remove_graph(ir_sparql_t *graph, const char *name) {
    ir_error_t ignored;
    if (graph->uri.strategy != IR_SPARQL_UPDATE) {
        (void)ir_sparql_send_graph(graph, "DELETE", ir_view_text(name), ir_view("", 0), &ignored);
        return;
    }
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body, "DROP SILENT GRAPH <%s>", name);
    (void)ir_sparql_update(graph, ir_buffer_view(&graph->body), &ignored);
}

/* Writes twice, because a server may answer differently to the first statement of a graph. */
ir_status_t ir_sparql_probe(void *store, ir_error_t *error) {
    ir_sparql_t *graph = store;
    char name[NAME_SIZE];
    uint32_t value = (uint32_t)ir_clock_monotonic();
    (void)!getrandom(&value, sizeof value, GRND_NONBLOCK);
    value &= INT32_MAX;
    snprintf(name, sizeof name, "%scontrol/%lld-%u", graph->format.base_iri,
             (long long)ir_clock_now(), value);
    graph->n_shapes = 0;
    graph->learning = true;
    ir_status_t status = write_statement(graph, name, value, error);
    const bool written = status == IR_OK;
    if (written) {
        status = write_statement(graph, name, value, error);
    }
    graph->learning = false;
    if (status == IR_OK) {
        status = read_statement(graph, name, value, error);
    }
    if (written) {
        remove_graph(graph, name);
    }
    if (status != IR_OK) {
        graph->n_shapes = 0;
    }
    return status;
}

ir_status_t ir_sparql_control(void *store, ir_error_t *error) {
    ir_sparql_t *graph = store;
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%scontrol", graph->format.base_iri);
    graph->odd = false;
    const ir_status_t status = write_statement(graph, name, 1, error);
    if (status != IR_OK) {
        return status;
    }
    const bool odd = graph->odd;
    remove_graph(graph, name);
    return odd ? ir_sparql_probe(graph, error) : IR_OK;
}
