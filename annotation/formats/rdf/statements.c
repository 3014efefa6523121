#include "annotation/formats/rdf/statements.h"

#include "annotation/quality/reasons.h"
#include "common/base64.h"

#include <string.h>

/* ---- building ---- */

static void add(ir_statements_t *statements, const ir_term_t *subject, ir_name_t predicate,
                ir_term_t object) {
    statements->items[statements->count++] =
        (ir_statement_t){.subject = subject, .predicate = predicate, .object = object};
}

static ir_term_t name_term(ir_name_t name) {
    return (ir_term_t){.kind = IR_TERM_NAME, .name = name};
}

static ir_term_t iri_term(const char *iri) {
    return (ir_term_t){.kind = IR_TERM_IRI, .text = ir_view_text(iri)};
}

static ir_term_t id_term(const char text[static IR_ID_TEXT_SIZE]) {
    return (ir_term_t){.kind = IR_TERM_ID, .text = ir_view(text, IR_ID_TEXT_SIZE - 1)};
}

static ir_term_t minted_term(const char *segment, ir_view_t text) {
    return (ir_term_t){.kind = IR_TERM_MINTED, .segment = segment, .text = text};
}

static ir_term_t literal(ir_view_t text, ir_name_t datatype) {
    return (ir_term_t){.kind = IR_TERM_LITERAL, .name = datatype, .text = text};
}

static ir_term_t value_term(const ir_value_t *value, char number[static IR_NUMBER_SIZE]) {
    switch (value->kind) {
    case IR_VALUE_NUMBER:
        return literal(ir_view(number, ir_number_format(value->number, number)), IR_NAME_DOUBLE);
    case IR_VALUE_BOOL:
        return literal(ir_view_text(value->boolean ? "true" : "false"), IR_NAME_BOOLEAN);
    case IR_VALUE_DATA:
        return (ir_term_t){.kind = IR_TERM_DATA, .name = IR_NAME_BASE64, .text = value->bytes};
    default:
        return literal(value->bytes, IR_NAME_STRING);
    }
}

static ir_name_t flag_name(int flag) {
    switch (flag) {
    case IR_FLAG_GOOD:
        return IR_NAME_GOOD;
    case IR_FLAG_SUSPECT:
        return IR_NAME_SUSPECT;
    case IR_FLAG_FAIL:
        return IR_NAME_FAIL;
    case IR_FLAG_MISSING:
        return IR_NAME_MISSING;
    default:
        return IR_NAME_NOT_EVALUATED;
    }
}

static const ir_name_t flag_predicates[IR_TEST_COUNT] = {
#define PREDICATE(symbol, key, words, flag) [IR_TEST_##symbol] = IR_NAME_##symbol##_FLAG,
    IR_QUALITY_TESTS(PREDICATE)
#undef PREDICATE
};

/* Adds the statements about the observation's origin; the lean detail leaves them out. */
static void add_provenance(ir_statements_t *statements, const ir_observation_t *observation,
                           const ir_id_t *raw_id) {
    const ir_term_t *self = &statements->self;
    ir_id_format(raw_id, statements->other_id);
    add(statements, self, IR_NAME_RAW_MESSAGE, id_term(statements->other_id));
    if (observation->sensor->procedure_iri != NULL) {
        add(statements, self, IR_NAME_USED_PROCEDURE, iri_term(observation->sensor->procedure_iri));
    }
    add(statements, self, IR_NAME_SOURCE_VALUE,
        value_term(&observation->source_value, statements->source_number));
    if (observation->source_unit.size > 0) {
        add(statements, self, IR_NAME_SOURCE_UNIT,
            literal(observation->source_unit, IR_NAME_STRING));
    }
    if (observation->has_sum) {
        const size_t size = ir_number_format(observation->sum, statements->sum);
        add(statements, self, IR_NAME_SUM, literal(ir_view(statements->sum, size), IR_NAME_DOUBLE));
    }
    if (observation->value.kind != IR_VALUE_NONE) {
        add(statements, self, IR_NAME_HAS_RESULT, statements->result);
    }
}

/* With lean detail, adds only the flags of tests with the result suspect or fail. */
static void add_flags(ir_statements_t *statements, const ir_observation_t *observation, bool full) {
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        const uint8_t flag = observation->flags[test];
        if (full || ir_flag_is_bad(flag)) {
            add(statements, &statements->self, flag_predicates[test], name_term(flag_name(flag)));
        }
    }
}

static void add_result(ir_statements_t *statements, const ir_observation_t *observation,
                       const ir_term_t *value) {
    const ir_term_t *result = &statements->result;
    add(statements, result, IR_NAME_RDF_TYPE, name_term(IR_NAME_RESULT));
    if (observation->value.kind == IR_VALUE_NUMBER) {
        add(statements, result, IR_NAME_RDF_TYPE, name_term(IR_NAME_QUANTITY_VALUE));
        add(statements, result, IR_NAME_NUMERIC_VALUE, *value);
    }
    if (observation->sensor->unit_iri != NULL) {
        add(statements, result, IR_NAME_HAS_UNIT, iri_term(observation->sensor->unit_iri));
    }
}

static void begin(ir_statements_t *statements, const ir_id_t *id,
                  const ir_format_options_t *options) {
    statements->count = 0;
    statements->base_iri = ir_view_text(options->base_iri);
    statements->self = id_term(ir_id_format(id, statements->id));
}

/* Whether the observation just before it has the same time, described in the same graph. */
static bool shares_instant(const ir_observation_t *observation, const ir_observation_t *previous,
                           const ir_format_options_t *options) {
    return previous != NULL && previous->time_ns == observation->time_ns &&
           (options->naming != IR_GRAPH_MOTE ||
            previous->sensor->mote == observation->sensor->mote);
}

static void add_instant(ir_statements_t *statements, ir_view_t time, bool full) {
    add(statements, &statements->instant, IR_NAME_IN_DATE_TIME_STAMP,
        literal(time, IR_NAME_DATE_TIME_STAMP));
    if (full) {
        add(statements, &statements->instant, IR_NAME_RDF_TYPE, name_term(IR_NAME_INSTANT));
    }
}

void ir_statements_observation(ir_statements_t *statements, const ir_observation_t *observation,
                               const ir_observation_t *previous, const ir_id_t *raw_id,
                               const ir_format_options_t *options) {
    const ir_sensor_t *sensor = observation->sensor;
    const bool full = options->detail == IR_DETAIL_FULL;
    begin(statements, &observation->id, options);
    const ir_term_t *self = &statements->self;
    const ir_view_t time =
        ir_view(statements->time, ir_clock_format(observation->time_ns, statements->time));
    statements->instant = minted_term("instant/", time);
    statements->result = minted_term("result/", self->text);
    const ir_term_t value = value_term(&observation->value, statements->number);

    if (!shares_instant(observation, previous, options)) {
        add_instant(statements, time, full);
    }
    const bool missing = observation->value.kind == IR_VALUE_NONE;
    if (full && !missing) {
        add_result(statements, observation, &value);
    }
    add(statements, self, IR_NAME_MADE_BY_SENSOR, iri_term(sensor->iri));
    add(statements, self, IR_NAME_OBSERVED_PROPERTY, iri_term(sensor->property->iri));
    add(statements, self, IR_NAME_HAS_FEATURE, iri_term(sensor->feature->iri));
    if (!missing) {
        add(statements, self, IR_NAME_HAS_SIMPLE_RESULT, value);
    }
    add(statements, self, IR_NAME_RESULT_TIME, literal(time, IR_NAME_DATE_TIME));
    add(statements, self, IR_NAME_PHENOMENON_TIME, statements->instant);
    add(statements, self, IR_NAME_HAS_QUALITY, name_term(flag_name(observation->aggregate)));
    add_flags(statements, observation, full);
    if (full) {
        add_provenance(statements, observation, raw_id);
    }
    add(statements, self, IR_NAME_RDF_TYPE, name_term(IR_NAME_OBSERVATION));
}

void ir_statements_revision(ir_statements_t *statements, const ir_revision_t *revision,
                            const ir_format_options_t *options) {
    begin(statements, &revision->id, options);
    const ir_term_t *self = &statements->self;
    ir_id_format(&revision->observation.id, statements->other_id);
    /* The buffer for a time's text also holds the id of the deciding observation. */
    _Static_assert(IR_TIME_SIZE >= IR_ID_TEXT_SIZE, "the text of an id must fit");
    ir_id_format(&revision->decided_by, statements->time);
    add(statements, self, IR_NAME_REVISES, id_term(statements->other_id));
    add(statements, self, IR_NAME_DECIDED_BY, id_term(statements->time));
    if (revision->supersedes) {
        ir_id_format(&revision->superseded, statements->superseded_id);
        add(statements, self, IR_NAME_SUPERSEDES, id_term(statements->superseded_id));
    }
    add(statements, self, flag_predicates[revision->test], name_term(flag_name(revision->flag)));
    add(statements, self, IR_NAME_HAS_QUALITY,
        name_term(flag_name(revision->observation.aggregate)));
    add(statements, self, IR_NAME_RDF_TYPE, name_term(IR_NAME_REVISION));
}

void ir_statements_each(ir_buffer_t *out, const ir_format_item_t *item,
                        const ir_format_options_t *options, ir_statements_write_fn write) {
    ir_statements_t statements;
    if (item->revision != NULL) {
        ir_statements_revision(&statements, item->revision, options);
        write(out, &statements, &item->revision->observation, options, 0);
        return;
    }
    uint32_t nth = 0;
    const ir_observation_t *previous = NULL;
    for (uint32_t i = 0; i < item->message->n_observations; i++) {
        const ir_observation_t *observation =
            &item->batch->observations[item->message->first_observation + i];
        if (ir_observation_accepted(observation)) {
            ir_statements_observation(&statements, observation, previous, &item->message->raw_id,
                                      options);
            write(out, &statements, observation, options, nth++);
            previous = observation;
        }
    }
}

/* ---- writing terms ---- */

void ir_term_append_iri(ir_buffer_t *out, const ir_term_t *term, ir_view_t base_iri) {
    switch (term->kind) {
    case IR_TERM_NAME:
        ir_buffer_append_view(out, ir_names[term->name].iri);
        break;
    case IR_TERM_ID:
        ir_buffer_append(out, "urn:uuid:", 9);
        ir_buffer_append_view(out, term->text);
        break;
    case IR_TERM_MINTED:
        ir_buffer_append_view(out, base_iri);
        ir_buffer_append_text(out, term->segment);
        ir_buffer_append_view(out, term->text);
        break;
    default:
        ir_buffer_append_view(out, term->text);
        break;
    }
}

/* Escapes the characters that a string literal may not contain (N-Triples, section 2.4). */
static void append_escaped(ir_buffer_t *out, ir_view_t text) {
    size_t done = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char *escape = NULL;
        switch (text.data[i]) {
        case '"':
            escape = "\\\"";
            break;
        case '\\':
            escape = "\\\\";
            break;
        case '\n':
            escape = "\\n";
            break;
        case '\r':
            escape = "\\r";
            break;
        default:
            continue;
        }
        ir_buffer_append(out, text.data + done, i - done);
        ir_buffer_append_text(out, escape);
        done = i + 1;
    }
    ir_buffer_append(out, text.data + done, text.size - done);
}

void ir_term_append(ir_buffer_t *out, const ir_term_t *term, ir_view_t base_iri) {
    if (term->kind == IR_TERM_NAME) {
        ir_buffer_append_view(out, ir_names[term->name].bracketed);
        return;
    }
    if (term->kind != IR_TERM_LITERAL && term->kind != IR_TERM_DATA) {
        ir_buffer_append_char(out, '<');
        ir_term_append_iri(out, term, base_iri);
        ir_buffer_append_char(out, '>');
        return;
    }
    ir_buffer_append_char(out, '"');
    if (term->kind == IR_TERM_DATA) {
        ir_base64_append(out, term->text, false);
    } else {
        append_escaped(out, term->text);
    }
    ir_buffer_append_char(out, '"');
    if (term->name != IR_NAME_STRING) {
        ir_buffer_append(out, "^^", 2);
        ir_buffer_append_view(out, ir_names[term->name].bracketed);
    }
}
