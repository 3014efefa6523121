#include "observation/registry/facts.h"

#include "common/clock.h"

#include <math.h>
#include <stdlib.h>

#define XSD "http://www.w3.org/2001/XMLSchema#"
#define LONGEST_SECONDS (3660.0 * 86400.0)
#define NUMBER_SIZE 64

static const char *const number_types[] = {
    XSD "integer", XSD "decimal", XSD "double",       XSD "float",
    XSD "int",     XSD "long",    XSD "unsignedInt",  XSD "nonNegativeInteger",
    XSD "short",   XSD "byte",    XSD "unsignedLong", XSD "positiveInteger",
};

/* ---- statements ---- */

const ir_fact_t *ir_fact_of(const ir_node_t *subject, ir_registry_term_t word) {
    const ir_fact_t *statement = subject->first;
    while (statement != NULL && statement->predicate->word != (int)word) {
        statement = statement->next_of_same;
    }
    return statement;
}

static bool same_object(const ir_node_t *a, const ir_node_t *b) {
    return a == b || (a->kind == IR_NODE_LITERAL && b->kind == IR_NODE_LITERAL &&
                      ir_view_equal(a->text, b->text) && ir_view_equal(a->datatype, b->datatype));
}

ir_status_t ir_fact_single(const ir_builder_t *builder, const ir_node_t *subject,
                           ir_registry_term_t word, const ir_fact_t **found) {
    const ir_fact_t *first = ir_fact_of(subject, word);
    for (const ir_fact_t *s = first; s != NULL; s = s->next_of_same) {
        if (s->predicate == first->predicate && !same_object(s->object, first->object)) {
            return ir_fact_fault(builder, s, "%s of %s is given twice: %s (%s) and %s; leave one",
                                 ir_node_show(s->predicate).text, ir_node_show(subject).text,
                                 ir_node_show(first->object).text,
                                 ir_origin_show(builder->turtle, first->at, s->at).text,
                                 ir_node_show(s->object).text);
        }
    }
    *found = first;
    return IR_OK;
}

ir_shown_t ir_defined_show(const ir_builder_t *builder, const char *iri, ir_registry_term_t word,
                           ir_origin_t from) {
    ir_shown_t shown = {""};
    const ir_node_t *node = ir_turtle_find(builder->turtle, iri);
    const ir_fact_t *fact = node != NULL ? ir_fact_of(node, word) : NULL;
    if (fact != NULL) {
        snprintf(shown.text, sizeof shown.text, " (%.100s)",
                 ir_origin_show(builder->turtle, fact->at, from).text);
    }
    return shown;
}

bool ir_list_next(ir_node_t **cell, ir_node_t **item) {
    const ir_fact_t *first = ir_fact_of(*cell, IR_REGISTRY_TERM_FIRST);
    const ir_fact_t *rest = ir_fact_of(*cell, IR_REGISTRY_TERM_REST);
    if (first == NULL || rest == NULL) {
        return false;
    }
    *item = first->object;
    *cell = rest->object;
    return true;
}

/* Itself, or one of the first items of a list. */
static bool is_unknown(ir_node_t *object) {
    ir_node_t *cell = object;
    ir_node_t *item = NULL;
    bool unknown = object->unknown;
    for (unsigned i = 0; i < 2 && ir_list_next(&cell, &item); i++) {
        unknown = unknown || item->unknown;
    }
    return unknown;
}

ir_status_t ir_fact_fault(const ir_builder_t *builder, const ir_fact_t *statement,
                          const char *format, ...) {
    ir_error_t text;
    if (is_unknown(statement->object)) {
        return IR_ERR_SYNTAX;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text.text, sizeof text.text, format, arguments);
    va_end(arguments);
    return ir_turtle_fault(builder->turtle, statement->at, "%s", text.text);
}

ir_status_t ir_fact_wants(const ir_builder_t *builder, const ir_fact_t *statement,
                          const char *what) {
    return ir_fact_fault(
        builder, statement, "%s of %s wants %s, not %s", ir_node_show(statement->predicate).text,
        ir_node_show(statement->subject).text, what, ir_node_show(statement->object).text);
}

/* ---- literals ---- */

static bool has_number_type(const ir_node_t *node) {
    for (size_t i = 0; i < sizeof number_types / sizeof number_types[0]; i++) {
        if (ir_view_equal(node->datatype, ir_view_text(number_types[i]))) {
            return true;
        }
    }
    return false;
}

/* A decimal as XML Schema writes it; strtod alone would also take "nan", "0x1" and "1 m". */
static bool parse_number(ir_view_t text, double *number) {
    char *end = NULL;
    if (text.size == 0 || text.size >= NUMBER_SIZE ||
        strspn(text.data, "0123456789+-.eE") != text.size) {
        return false;
    }
    *number = strtod(text.data, &end);
    return *end == '\0' && isfinite(*number);
}

static bool node_number(const ir_node_t *node, double *number) {
    return node->kind == IR_NODE_LITERAL && has_number_type(node) &&
           parse_number(node->text, number);
}

ir_status_t ir_fact_number(const ir_builder_t *builder, const ir_fact_t *statement,
                           const char *what, double *number) {
    return node_number(statement->object, number) ? IR_OK : ir_fact_wants(builder, statement, what);
}

ir_status_t ir_fact_value(const ir_builder_t *builder, const ir_fact_t *statement, const char *what,
                          ir_value_t *value) {
    const ir_node_t *object = statement->object;
    double number = 0;
    if (node_number(object, &number)) {
        *value = (ir_value_t){.kind = IR_VALUE_NUMBER, .number = number};
        return IR_OK;
    }
    if (object->kind != IR_NODE_LITERAL || has_number_type(object) || object->text.size == 0) {
        return ir_fact_wants(builder, statement, what);
    }
    *value = (ir_value_t){.kind = IR_VALUE_STRING, .bytes = object->text};
    return IR_OK;
}

/* The two items of a list that has just these. */
static bool pair(const ir_fact_t *statement, ir_node_t *items[2]) {
    ir_node_t *cell = statement->object;
    return ir_list_next(&cell, &items[0]) && ir_list_next(&cell, &items[1]) &&
           cell->word == IR_REGISTRY_TERM_NIL;
}

ir_status_t ir_fact_span(const ir_builder_t *builder, const ir_fact_t *statement, ir_span_t *span) {
    ir_node_t *items[2];
    ir_span_t read = {.given = true};
    if (!pair(statement, items) || !node_number(items[0], &read.low) ||
        !node_number(items[1], &read.high)) {
        return ir_fact_fault(
            builder, statement, "%s of %s wants a list of two numbers, low then high: ( 0 35 )",
            ir_node_show(statement->predicate).text, ir_node_show(statement->subject).text);
    }
    if (read.low > read.high) {
        return ir_fact_fault(builder, statement,
                             "%s of %s is ( %s %s ): the first number must not be above the "
                             "second",
                             ir_node_show(statement->predicate).text,
                             ir_node_show(statement->subject).text, items[0]->text.data,
                             items[1]->text.data);
    }
    *span = read;
    return IR_OK;
}

ir_status_t ir_fact_range(const ir_builder_t *builder, const ir_fact_t *statement, int64_t smallest,
                          int64_t largest, int64_t *begin, int64_t *end) {
    ir_node_t *items[2];
    double from = 0;
    double to = 0;
    if (!pair(statement, items) || !node_number(items[0], &from) || !node_number(items[1], &to) ||
        from != floor(from) || to != floor(to) || from < (double)smallest || to > (double)largest ||
        from > to) {
        return ir_fact_fault(builder, statement,
                             "%s wants a list of two whole numbers from %lld to %lld, first then "
                             "last; a season over the turn of the year is two members",
                             ir_node_show(statement->predicate).text, (long long)smallest,
                             (long long)largest);
    }
    *begin = (int64_t)from;
    *end = (int64_t)to;
    return IR_OK;
}

ir_status_t ir_fact_times(const ir_builder_t *builder, const ir_fact_t *statement, int64_t *begin,
                          int64_t *end) {
    ir_node_t *items[2];
    int64_t from = 0;
    int64_t to = 0;
    if (!pair(statement, items) || items[0]->kind != IR_NODE_LITERAL ||
        items[1]->kind != IR_NODE_LITERAL || !ir_clock_parse(items[0]->text, &from) ||
        !ir_clock_parse(items[1]->text, &to) || from > to) {
        return ir_fact_fault(builder, statement,
                             "%s wants a list of two times with zone, first then last: ( "
                             "\"2011-05-01T00:00:00Z\"^^xsd:dateTime …)",
                             ir_node_show(statement->predicate).text);
    }
    *begin = from;
    *end = to;
    return IR_OK;
}

/* ---- durations ---- */

/* The parts of an xsd:duration in their order; years and months have no fixed length. */
static const struct {
    char letter;
    double seconds;
} duration_parts[] = {{'D', 86400}, {'H', 3600}, {'M', 60}, {'S', 1}};
enum { PART_DAYS, PART_HOURS, PART_SECONDS = 3, PART_COUNT };

/* Reads "15M" at *at, adds it, moves *at on and *next behind the part that it was. */
static bool take_part(const char **at, size_t *next, double *seconds) {
    char *end = NULL;
    const size_t size = strspn(*at, "0123456789.");
    const double number = size > 0 ? strtod(*at, &end) : 0;
    if (size == 0 || end != *at + size) {
        return false;
    }
    size_t part = *next;
    while (part < PART_COUNT && duration_parts[part].letter != *end) {
        part++;
    }
    if (part == PART_COUNT || (part != PART_SECONDS && number != floor(number))) {
        return false;
    }
    *seconds += number * duration_parts[part].seconds;
    *next = part + 1;
    *at = end + 1;
    return true;
}

static bool parse_duration(const char *text, double *seconds) {
    const char *at = text + 1;
    size_t next = PART_DAYS;
    double sum = 0;
    if (text[0] != 'P' || (*at != 'T' && !take_part(&at, &next, &sum)) ||
        (*at != 'T' && *at != '\0') || (next > PART_HOURS)) {
        return false;
    }
    if (*at == 'T') {
        next = PART_HOURS;
        at++;
        do {
            if (!take_part(&at, &next, &sum)) {
                return false;
            }
        } while (*at != '\0');
    }
    *seconds = sum;
    return true;
}

ir_status_t ir_fact_duration(const ir_builder_t *builder, const ir_fact_t *statement, bool whole,
                             int64_t *duration_ns) {
    const ir_node_t *object = statement->object;
    double seconds = 0;
    const bool read =
        object->kind == IR_NODE_LITERAL &&
        (node_number(object, &seconds) || parse_duration(object->text.data, &seconds));
    if (!read || !(seconds > 0) || seconds > LONGEST_SECONDS ||
        (whole && seconds != floor(seconds))) {
        return ir_fact_wants(builder, statement,
                             whole ? "a positive duration in whole seconds, "
                                     "\"PT3H\"^^xsd:duration or 10800"
                                   : "a positive duration, \"PT15M\"^^xsd:duration or a number "
                                     "of seconds, 900");
    }
    *duration_ns = (int64_t)llround(seconds * (double)IR_SECOND_NS);
    return IR_OK;
}

/* ---- texts and nodes ---- */

ir_status_t ir_fact_text(const ir_builder_t *builder, const ir_fact_t *statement, const char *what,
                         ir_view_t *text) {
    if (statement->object->kind != IR_NODE_LITERAL) {
        return ir_fact_wants(builder, statement, what);
    }
    *text = statement->object->text;
    return IR_OK;
}

ir_status_t ir_fact_node(const ir_builder_t *builder, const ir_fact_t *statement, const char *what,
                         ir_node_t **node) {
    if (statement->object->kind == IR_NODE_LITERAL) {
        return ir_fact_wants(builder, statement, what);
    }
    *node = statement->object;
    return IR_OK;
}
