/* Turtle (W3C): the same statements as in N-Triples, one block for each subject. */
#include "annotation/formats/formats.h"
#include "annotation/formats/rdf/statements.h"

static void append_object(ir_buffer_t *out, const ir_term_t *object, ir_view_t base_iri) {
    if (object->kind == IR_TERM_NAME) {
        ir_buffer_append_view(out, ir_names[object->name].prefixed);
        return;
    }
    if (object->kind != IR_TERM_LITERAL || object->name == IR_NAME_STRING) {
        ir_term_append(out, object, base_iri);
        return;
    }
    /* Only strings need escapes. */
    ir_buffer_append_char(out, '"');
    ir_buffer_append_view(out, object->text);
    ir_buffer_append(out, "\"^^", 3);
    ir_buffer_append_view(out, ir_names[object->name].prefixed);
}

static void write_block(ir_buffer_t *out, const ir_statements_t *statements,
                        const ir_observation_t *observation, const ir_format_options_t *options,
                        uint32_t nth) {
    (void)observation;
    (void)options;
    (void)nth;
    const ir_term_t *subject = NULL;
    for (size_t i = 0; i < statements->count; i++) {
        const ir_statement_t *statement = &statements->items[i];
        if (statement->subject != subject) {
            ir_buffer_append_text(out, subject != NULL ? " .\n" : "");
            ir_term_append(out, statement->subject, statements->base_iri);
            ir_buffer_append_char(out, ' ');
        } else {
            ir_buffer_append_text(out, " ;\n    ");
        }
        subject = statement->subject;
        if (statement->predicate == IR_NAME_RDF_TYPE) {
            ir_buffer_append_char(out, 'a');
        } else {
            ir_buffer_append_view(out, ir_names[statement->predicate].prefixed);
        }
        ir_buffer_append_char(out, ' ');
        append_object(out, &statement->object, statements->base_iri);
    }
    ir_buffer_append(out, " .\n", 3);
}

static void head(ir_buffer_t *out, const ir_format_options_t *options) {
    (void)options;
    ir_buffer_append_text(out, ir_names_turtle_prefixes);
    ir_buffer_append_char(out, '\n');
}

static void item_blocks(ir_buffer_t *out, const ir_format_item_t *item,
                        const ir_format_options_t *options, bool first) {
    (void)first;
    ir_statements_each(out, item, options, write_block);
}

const ir_format_t ir_format_turtle = {.name = "turtle",
                                      .content_type = "text/turtle",
                                      .has_quality = true,
                                      .head = head,
                                      .item = item_blocks};
