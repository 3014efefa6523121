/* N-Triples and N-Quads (W3C): one statement per line. */
#include "annotation/formats/formats.h"
#include "annotation/formats/rdf/statements.h"

static void append_lines(ir_buffer_t *out, const ir_statements_t *statements, ir_view_t graph) {
    for (size_t i = 0; i < statements->count; i++) {
        const ir_statement_t *statement = &statements->items[i];
        ir_term_append(out, statement->subject, statements->base_iri);
        ir_buffer_append_char(out, ' ');
        ir_buffer_append_view(out, ir_names[statement->predicate].bracketed);
        ir_buffer_append_char(out, ' ');
        ir_term_append(out, &statement->object, statements->base_iri);
        if (graph.size > 0) {
            ir_buffer_append(out, " <", 2);
            ir_buffer_append_view(out, graph);
            ir_buffer_append_char(out, '>');
        }
        ir_buffer_append(out, " .\n", 3);
    }
}

#define GRAPH_NAME_MAX 1024

/* Builds the graph's name at the end of the buffer and later removes it again, which saves an
 * allocation. */
static void append_quads(ir_buffer_t *out, const ir_statements_t *statements,
                         const ir_observation_t *observation, const ir_format_options_t *options) {
    char graph[GRAPH_NAME_MAX];
    const size_t before = out->size;
    ir_graph_name(out, observation, options);
    size_t size = out->size - before;
    size = size < sizeof graph ? size : sizeof graph;
    if (size > 0) {
        memcpy(graph, out->data + before, size);
    }
    out->size = before;
    append_lines(out, statements, ir_view(graph, size));
}

void ir_triples_observation(ir_buffer_t *out, const ir_observation_t *observation,
                            const ir_observation_t *previous, const ir_id_t *raw_id,
                            const ir_format_options_t *options, bool quads) {
    ir_statements_t statements;
    ir_statements_observation(&statements, observation, previous, raw_id, options);
    if (quads) {
        append_quads(out, &statements, observation, options);
    } else {
        append_lines(out, &statements, (ir_view_t){NULL, 0});
    }
}

void ir_triples_revision(ir_buffer_t *out, const ir_revision_t *revision,
                         const ir_format_options_t *options, bool quads) {
    ir_statements_t statements;
    ir_statements_revision(&statements, revision, options);
    if (quads) {
        append_quads(out, &statements, &revision->observation, options);
    } else {
        append_lines(out, &statements, (ir_view_t){NULL, 0});
    }
}

static void write_triples(ir_buffer_t *out, const ir_statements_t *statements,
                          const ir_observation_t *observation, const ir_format_options_t *options,
                          uint32_t nth) {
    (void)observation;
    (void)options;
    (void)nth;
    append_lines(out, statements, (ir_view_t){NULL, 0});
}

static void write_quads(ir_buffer_t *out, const ir_statements_t *statements,
                        const ir_observation_t *observation, const ir_format_options_t *options,
                        uint32_t nth) {
    (void)nth;
    append_quads(out, statements, observation, options);
}

static void ntriples_item(ir_buffer_t *out, const ir_format_item_t *item,
                          const ir_format_options_t *options, bool first) {
    (void)first;
    ir_statements_each(out, item, options, write_triples);
}

static void nquads_item(ir_buffer_t *out, const ir_format_item_t *item,
                        const ir_format_options_t *options, bool first) {
    (void)first;
    ir_statements_each(out, item, options, write_quads);
}

const ir_format_t ir_format_ntriples = {.name = "ntriples",
                                        .content_type = "application/n-triples",
                                        .has_quality = true,
                                        .item = ntriples_item};

const ir_format_t ir_format_nquads = {.name = "nquads",
                                      .content_type = "application/n-quads",
                                      .has_quality = true,
                                      .item = nquads_item};
