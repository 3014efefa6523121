#include "store/graph/sparql/sparql.h"

#include "store/graph/sparql/results.h"

#include <string.h>

#define SUBJECT "urn:uuid:"

/* ---- asking ---- */

void ir_sparql_append_where(const ir_sparql_t *graph, ir_buffer_t *out, ir_view_t pattern) {
    if (graph->uri.graph != NULL && graph->format.naming == IR_GRAPH_DEFAULT) {
        ir_buffer_append_format(out, "{ GRAPH <%s> { ", graph->uri.graph);
        ir_buffer_append_view(out, pattern);
        ir_buffer_append_text(out, " } }");
        return;
    }
    ir_buffer_append_text(out, "{ ");
    if (graph->uri.graph == NULL) {
        ir_buffer_append_text(out, "{ ");
        ir_buffer_append_view(out, pattern);
        ir_buffer_append_text(out, " } UNION ");
    }
    ir_buffer_append_text(out, "{ GRAPH ?g { ");
    ir_buffer_append_view(out, pattern);
    ir_buffer_append_format(out,
                            " } FILTER(STRSTARTS(STR(?g), \"%sgraph/\") && "
                            "!STRSTARTS(STR(?g), \"%s\")) } }",
                            graph->format.base_iri, graph->registry_graph);
}

ir_status_t ir_sparql_ask_number(ir_sparql_t *graph, uint64_t *number, ir_error_t *error) {
    const ir_status_t status =
        ir_sparql_ask(graph, &graph->body, IR_SPARQL_ACCEPT_JSON, NULL, NULL, error);
    if (status != IR_OK) {
        return status;
    }
    return ir_sparql_number(ir_http_answer(graph->http), "n", number) == IR_OK
               ? IR_OK
               : ir_sparql_no_answer(graph, error);
}

static ir_status_t count_pattern(ir_sparql_t *graph, const char *what, const char *pattern,
                                 uint64_t *number, ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body, "SELECT (COUNT(%s) AS ?n) WHERE ", what);
    ir_sparql_append_where(graph, &graph->body, ir_view_text(pattern));
    return ir_sparql_ask_number(graph, number, error);
}

ir_status_t ir_sparql_count(void *store, uint64_t *observations, uint64_t *triples,
                            ir_error_t *error) {
    uint64_t n_observations = 0;
    uint64_t n_triples = 0;
    ir_status_t status =
        count_pattern(store, "DISTINCT ?o", "?o a " IR_SPARQL_OBSERVATION, &n_observations, error);
    if (status == IR_OK) {
        status = count_pattern(store, "*", "?s ?p ?o", &n_triples, error);
    }
    if (status == IR_OK) {
        *observations = n_observations;
        *triples = n_triples;
    }
    return status;
}

ir_status_t ir_sparql_select_lines(ir_sparql_t *graph, const char *accept, ir_each_line_fn each,
                                   void *context, ir_error_t *error) {
    ir_line_stream_t stream = {.each = each, .context = context, .error = error};
    ir_buffer_init(&stream.rest);
    ir_status_t status =
        ir_sparql_ask(graph, &graph->body, accept, ir_line_stream_take, &stream, error);
    if (status == IR_OK) {
        status = ir_line_stream_end(&stream);
    }
    ir_line_stream_free(&stream);
    return status;
}

typedef struct id_walk {
    ir_each_id_fn each;
    void *context;
} id_walk_t;

static ir_status_t walk_line(void *context, ir_view_t line) {
    const id_walk_t *walk = context;
    const ir_view_t cell = ir_sparql_cell(line);
    const size_t prefix = strlen(SUBJECT);
    ir_id_t id;
    if (cell.size > prefix && memcmp(cell.data, SUBJECT, prefix) == 0 &&
        ir_id_parse(ir_view(cell.data + prefix, cell.size - prefix), &id)) {
        return walk->each(walk->context, &id);
    }
    return IR_OK; /* the header, or a foreign observation */
}

ir_status_t ir_sparql_select_ids(ir_sparql_t *graph, ir_each_id_fn each, void *context,
                                 ir_error_t *error) {
    id_walk_t walk = {each, context};
    return ir_sparql_select_lines(graph, "text/csv", walk_line, &walk, error);
}

ir_status_t ir_sparql_each_id(void *store, ir_document_kind_t kind, ir_each_id_fn each,
                              void *context, ir_error_t *error) {
    ir_sparql_t *graph = store;
    ir_buffer_clear(&graph->body);
    ir_buffer_append_text(&graph->body, "SELECT ?o WHERE ");
    ir_sparql_append_where(graph, &graph->body,
                           ir_view_text(kind == IR_DOCUMENT_OBSERVATION
                                            ? "?o a " IR_SPARQL_OBSERVATION
                                            : "?o a " IR_SPARQL_REVISION));
    return ir_sparql_select_ids(graph, each, context, error);
}

typedef struct id_check {
    const char *place;
    ir_error_t *error;
} id_check_t;

static ir_status_t check_id(void *context, const ir_id_t *id) {
    const id_check_t *check = context;
    return ir_graph_check_id(id, check->place, check->error);
}

ir_status_t ir_sparql_check_ids(ir_sparql_t *graph, ir_error_t *error) {
    id_check_t check = {graph->uri.query, error};
    ir_buffer_clear(&graph->body);
    ir_buffer_append_text(&graph->body, "SELECT ?o WHERE ");
    ir_sparql_append_where(
        graph, &graph->body,
        ir_view_text("?o a " IR_SPARQL_OBSERVATION " FILTER(STRSTARTS(STR(?o), \"" SUBJECT "\"))"));
    ir_buffer_append_text(&graph->body, " LIMIT 1");
    return ir_sparql_select_ids(graph, check_id, &check, error);
}

/* ---- export ---- */

static ir_status_t export_dataset(ir_sparql_t *graph, ir_each_line_fn each, void *context,
                                  ir_error_t *error) {
    ir_line_stream_t stream = {.each = each, .context = context, .error = error};
    ir_buffer_init(&stream.rest);
    const ir_http_request_t request = {.method = "GET",
                                       .url = graph->uri.store,
                                       .accept = "application/n-quads",
                                       .take = ir_line_stream_take,
                                       .context = &stream,
                                       .stalls_only = true};
    ir_status_t status = ir_sparql_call(graph, &request, error);
    if (status == IR_OK) {
        status = ir_line_stream_end(&stream);
    }
    ir_line_stream_free(&stream);
    return status;
}

typedef struct graph_export {
    ir_each_line_fn each;
    void *context;
    ir_view_t name; /* the graph's name, or empty */
    ir_buffer_t line;
    ir_buffer_t graphs; /* the graphs' names, each with a NUL */
    uint64_t lines;
} graph_export_t;

static ir_status_t export_triple(void *context, ir_view_t line) {
    graph_export_t *export = context;
    while (line.size > 0 && strchr(" .\t", line.data[line.size - 1]) != NULL) {
        line.size--;
    }
    if (line.size == 0 || line.data[0] == '#') {
        return IR_OK;
    }
    ir_buffer_clear(&export->line);
    ir_buffer_append_view(&export->line, line);
    if (export->name.size > 0) {
        ir_buffer_append_format(&export->line, " <%.*s>", IR_VIEW_ARG(export->name));
    }
    ir_buffer_append_text(&export->line, " .");
    return ir_buffer_ok(&export->line)
               ? export->each(export->context, ir_buffer_view(&export->line))
               : IR_ERR_MEMORY;
}

static ir_status_t export_graph(ir_sparql_t *graph, graph_export_t *export, ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    ir_buffer_append_text(&graph->body, "CONSTRUCT { ?s ?p ?o } WHERE { ");
    ir_sparql_open_graph(&graph->body, export->name);
    ir_buffer_append_text(&graph->body, export->name.size > 0 ? "?s ?p ?o } }" : "?s ?p ?o }");
    return ir_sparql_select_lines(graph, "application/n-triples", export_triple, export, error);
}

static ir_status_t note_graph(void *context, ir_view_t line) {
    graph_export_t *export = context;
    if (export->lines++ > 0) { /* the header line */
        ir_buffer_append_view(&export->graphs, ir_sparql_cell(line));
        ir_buffer_append_char(&export->graphs, '\0');
    }
    return ir_buffer_ok(&export->graphs) ? IR_OK : IR_ERR_MEMORY;
}

static ir_status_t list_graphs(ir_sparql_t *graph, graph_export_t *export, ir_error_t *error) {
    ir_buffer_clear(&graph->body);
    ir_buffer_append_format(&graph->body,
                            "SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o } "
                            "FILTER(STRSTARTS(STR(?g), \"%sgraph/\")",
                            graph->format.base_iri);
    if (graph->uri.graph != NULL) {
        ir_buffer_append_format(&graph->body, " || ?g = <%s>", graph->uri.graph);
    }
    ir_buffer_append_text(&graph->body, ") }");
    return ir_sparql_select_lines(graph, "text/csv", note_graph, export, error);
}

/* Exports one graph after the other, for servers that cannot export a whole dataset. */
static ir_status_t export_graphs(ir_sparql_t *graph, ir_each_line_fn each, void *context,
                                 ir_error_t *error) {
    graph_export_t export = {.each = each, .context = context};
    ir_status_t status = list_graphs(graph, &export, error);
    if (status == IR_OK && graph->uri.graph == NULL) {
        status = export_graph(graph, &export, error);
    }
    for (size_t at = 0; at < export.graphs.size && status == IR_OK; at += export.name.size + 1) {
        export.name = ir_view_text(export.graphs.data + at);
        status = export_graph(graph, &export, error);
    }
    ir_buffer_free(&export.line);
    ir_buffer_free(&export.graphs);
    return status;
}

ir_status_t ir_sparql_export(void *store, ir_each_line_fn each, void *context, ir_error_t *error) {
    ir_sparql_t *graph = store;
    return graph->uri.strategy == IR_SPARQL_QUADS ? export_dataset(graph, each, context, error)
                                                  : export_graphs(graph, each, context, error);
}
