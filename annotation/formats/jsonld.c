/* JSON-LD 1.1 (W3C). The same statements as in N-Triples, in one graph, with a fixed inline
 * context, so that a reader need not fetch one. Numbers are strings with a type from the context: a
 * JSON number would be read back with another spelling, and thus as another literal. */
#include "annotation/formats/formats.h"
#include "annotation/formats/rdf/statements.h"
#include "common/base64.h"

/* The type that the context assigns to a term. The value of such a term is written as a plain
 * string. */
typedef struct coercion {
    const char *term;   /* the key in JSON: a short SOSA name, or prefix:name */
    const char *type;   /* "@id" or a datatype; NULL: each value states its type */
    ir_name_t datatype; /* the same as `type` when that is a datatype */
} coercion_t;

static const coercion_t coercions[IR_NAME_COUNT] = {
    [IR_NAME_MADE_BY_SENSOR] = {"madeBySensor", "@id", IR_NAME_COUNT},
    [IR_NAME_OBSERVED_PROPERTY] = {"observedProperty", "@id", IR_NAME_COUNT},
    [IR_NAME_HAS_FEATURE] = {"hasFeatureOfInterest", "@id", IR_NAME_COUNT},
    [IR_NAME_PHENOMENON_TIME] = {"phenomenonTime", "@id", IR_NAME_COUNT},
    [IR_NAME_HAS_RESULT] = {"hasResult", "@id", IR_NAME_COUNT},
    [IR_NAME_USED_PROCEDURE] = {"usedProcedure", "@id", IR_NAME_COUNT},
    [IR_NAME_HAS_SIMPLE_RESULT] = {"hasSimpleResult", "xsd:double", IR_NAME_DOUBLE},
    [IR_NAME_RESULT_TIME] = {"resultTime", "xsd:dateTime", IR_NAME_DATE_TIME},
    [IR_NAME_IN_DATE_TIME_STAMP] = {"time:inXSDDateTimeStamp", "xsd:dateTimeStamp",
                                    IR_NAME_DATE_TIME_STAMP},
    [IR_NAME_HAS_QUALITY] = {"dqv:hasQualityAnnotation", "@id", IR_NAME_COUNT},
};

static void append_context(ir_buffer_t *out) {
    ir_buffer_append_text(out, "{\"@vocab\":\"http://www.w3.org/ns/sosa/\",");
    ir_buffer_append_text(out, ir_names_json_prefixes);
    for (size_t i = 0; i < IR_NAME_COUNT; i++) {
        if (coercions[i].term != NULL) {
            ir_buffer_append_text(out, ",\"");
            ir_buffer_append_text(out, coercions[i].term);
            ir_buffer_append_text(out, "\":{\"@id\":\"");
            ir_buffer_append_view(out, ir_names[i].prefixed);
            ir_buffer_append_text(out, "\",\"@type\":\"");
            ir_buffer_append_text(out, coercions[i].type);
            ir_buffer_append_text(out, "\"}");
        }
    }
    ir_buffer_append_char(out, '}');
}

static void append_iri(ir_buffer_t *out, const ir_term_t *term, ir_view_t base_iri) {
    ir_buffer_append_char(out, '"');
    if (term->kind == IR_TERM_NAME) {
        ir_buffer_append_view(out, ir_names[term->name].prefixed);
    } else {
        ir_term_append_iri(out, term, base_iri);
    }
    ir_buffer_append_char(out, '"');
}

static void append_text(ir_buffer_t *out, const ir_term_t *term) {
    if (term->kind == IR_TERM_DATA) {
        ir_buffer_append_char(out, '"');
        ir_base64_append(out, term->text, false);
        ir_buffer_append_char(out, '"');
    } else {
        ir_buffer_append_json_string(out, term->text);
    }
}

static void append_literal(ir_buffer_t *out, const ir_term_t *term, const coercion_t *coercion) {
    if (coercion->term != NULL && coercion->datatype == term->name) {
        append_text(out, term);
        return;
    }
    ir_buffer_append_text(out, "{\"@value\":");
    append_text(out, term);
    if (term->name != IR_NAME_STRING) {
        ir_buffer_append_text(out, ",\"@type\":\"");
        ir_buffer_append_view(out, ir_names[term->name].prefixed);
        ir_buffer_append_char(out, '"');
    }
    ir_buffer_append_char(out, '}');
}

static void append_key(ir_buffer_t *out, ir_name_t predicate) {
    ir_buffer_append_char(out, '"');
    if (coercions[predicate].term != NULL) {
        ir_buffer_append_text(out, coercions[predicate].term);
    } else {
        ir_buffer_append_view(out, ir_names[predicate].prefixed);
    }
    ir_buffer_append(out, "\":", 2);
}

static void append_object(ir_buffer_t *out, const ir_statement_t *statement, ir_view_t base_iri) {
    const coercion_t *coercion = &coercions[statement->predicate];
    const ir_term_t *object = &statement->object;
    if (object->kind == IR_TERM_LITERAL || object->kind == IR_TERM_DATA) {
        append_literal(out, object, coercion);
    } else if (coercion->term != NULL) {
        append_iri(out, object, base_iri);
    } else {
        ir_buffer_append_text(out, "{\"@id\":");
        append_iri(out, object, base_iri);
        ir_buffer_append_char(out, '}');
    }
}

/* Writes all types of a subject as one array, because a JSON object has each key only once. */
static void append_types(ir_buffer_t *out, const ir_statements_t *statements,
                         const ir_term_t *subject) {
    bool first = true;
    for (size_t i = 0; i < statements->count; i++) {
        const ir_statement_t *statement = &statements->items[i];
        if (statement->subject == subject && statement->predicate == IR_NAME_RDF_TYPE) {
            ir_buffer_append_text(out, first ? ",\"@type\":[" : ",");
            append_iri(out, &statement->object, statements->base_iri);
            first = false;
        }
    }
    ir_buffer_append_text(out, first ? "" : "]");
}

static void write_nodes(ir_buffer_t *out, const ir_statements_t *statements,
                        const ir_observation_t *observation, const ir_format_options_t *options,
                        uint32_t nth) {
    (void)observation;
    (void)options;
    ir_buffer_append_text(out, nth > 0 ? ",\n" : "");
    const ir_term_t *subject = NULL;
    for (size_t i = 0; i < statements->count; i++) {
        const ir_statement_t *statement = &statements->items[i];
        if (statement->subject != subject) {
            ir_buffer_append_text(out, subject != NULL ? "},\n{\"@id\":" : "{\"@id\":");
            subject = statement->subject;
            append_iri(out, subject, statements->base_iri);
            append_types(out, statements, subject);
        }
        if (statement->predicate != IR_NAME_RDF_TYPE) {
            ir_buffer_append_char(out, ',');
            append_key(out, statement->predicate);
            append_object(out, statement, statements->base_iri);
        }
    }
    ir_buffer_append_char(out, '}');
}

static void head(ir_buffer_t *out, const ir_format_options_t *options) {
    (void)options;
    ir_buffer_append_text(out, "{\"@context\":");
    append_context(out);
    ir_buffer_append_text(out, ",\"@graph\":[\n");
}

static void tail(ir_buffer_t *out, const ir_format_options_t *options) {
    (void)options;
    ir_buffer_append_text(out, "\n]}\n");
}

static void item_nodes(ir_buffer_t *out, const ir_format_item_t *item,
                       const ir_format_options_t *options, bool first) {
    ir_buffer_append_text(out, first ? "" : ",\n");
    ir_statements_each(out, item, options, write_nodes);
}

const ir_format_t ir_format_jsonld = {.name = "jsonld",
                                      .content_type = "application/ld+json",
                                      .has_quality = true,
                                      .head = head,
                                      .tail = tail,
                                      .item = item_nodes};
