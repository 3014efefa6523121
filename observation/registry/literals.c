#include "observation/registry/literals.h"

#include "common/clock.h"
#include "observation/registry/facts.h"

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

static bool has_number_type(const ir_node_t *node) {
    for (size_t i = 0; i < sizeof number_types / sizeof number_types[0]; i++) {
        if (ir_view_equal(node->datatype, ir_view_text(number_types[i]))) {
            return true;
        }
    }
    return false;
}

/* Whether a text is a decimal in XML Schema. strtod alone would also accept "nan", "0x1" and "1
 * m". */
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

ir_status_t ir_literal_number(const ir_builder_t *builder, const ir_fact_t *statement,
                              const char *what, double *number) {
    return node_number(statement->object, number) ? IR_OK
                                                  : ir_fact_must_be(builder, statement, what);
}

ir_status_t ir_literal_value(const ir_builder_t *builder, const ir_fact_t *statement,
                             const char *what, ir_value_t *value) {
    const ir_node_t *object = statement->object;
    double number = 0;
    if (node_number(object, &number)) {
        *value = (ir_value_t){.kind = IR_VALUE_NUMBER, .number = number};
        return IR_OK;
    }
    if (object->kind != IR_NODE_LITERAL || has_number_type(object) || object->text.size == 0) {
        return ir_fact_must_be(builder, statement, what);
    }
    *value = (ir_value_t){.kind = IR_VALUE_STRING, .bytes = object->text};
    return IR_OK;
}

/* Gets the two items of a list, which must have exactly two. */
static bool pair(const ir_fact_t *statement, ir_node_t *items[2]) {
    ir_node_t *cell = statement->object;
    return ir_list_next(&cell, &items[0]) && ir_list_next(&cell, &items[1]) &&
           cell->term == IR_REGISTRY_TERM_NIL;
}

ir_status_t ir_literal_span(const ir_builder_t *builder, const ir_fact_t *statement,
                            ir_span_t *span) {
    ir_node_t *items[2];
    ir_span_t read = {.given = true};
    if (!pair(statement, items) || !node_number(items[0], &read.low) ||
        !node_number(items[1], &read.high)) {
        return ir_fact_fault(
            builder, statement, "%s of %s must be a list of two numbers, low then high: ( 0 35 )",
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

ir_status_t ir_literal_range(const ir_builder_t *builder, const ir_fact_t *statement,
                             int64_t smallest, int64_t largest, int64_t *begin, int64_t *end) {
    ir_node_t *items[2];
    double from = 0;
    double to = 0;
    if (!pair(statement, items) || !node_number(items[0], &from) || !node_number(items[1], &to) ||
        from != floor(from) || to != floor(to) || from < (double)smallest || to > (double)largest ||
        from > to) {
        return ir_fact_fault(builder, statement,
                             "%s must be a list of two whole numbers from %lld to %lld, first then "
                             "last; a season over the turn of the year is two members",
                             ir_node_show(statement->predicate).text, (long long)smallest,
                             (long long)largest);
    }
    *begin = (int64_t)from;
    *end = (int64_t)to;
    return IR_OK;
}

ir_status_t ir_literal_times(const ir_builder_t *builder, const ir_fact_t *statement,
                             int64_t *begin, int64_t *end) {
    ir_node_t *items[2];
    int64_t from = 0;
    int64_t to = 0;
    if (!pair(statement, items) || items[0]->kind != IR_NODE_LITERAL ||
        items[1]->kind != IR_NODE_LITERAL || !ir_clock_parse(items[0]->text, &from) ||
        !ir_clock_parse(items[1]->text, &to) || from > to) {
        return ir_fact_fault(builder, statement,
                             "%s must be a list of two times with zone, first then last: ( "
                             "\"2011-05-01T00:00:00Z\"^^xsd:dateTime …)",
                             ir_node_show(statement->predicate).text);
    }
    *begin = from;
    *end = to;
    return IR_OK;
}

/* ---- durations ---- */

/* The parts of an xsd:duration, in their order. Years and months are missing, because their length
 * varies. */
static const struct {
    char letter;
    double seconds;
} duration_parts[] = {{'D', 86400}, {'H', 3600}, {'M', 60}, {'S', 1}};
enum { PART_DAYS, PART_HOURS, PART_SECONDS = 3, PART_COUNT };

/* Reads "15M" at *at and adds it; moves *at forward, and sets *next to the part after it. */
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

ir_status_t ir_literal_duration(const ir_builder_t *builder, const ir_fact_t *statement, bool whole,
                                int64_t *duration_ns) {
    const ir_node_t *object = statement->object;
    double seconds = 0;
    const bool read =
        object->kind == IR_NODE_LITERAL &&
        (node_number(object, &seconds) || parse_duration(object->text.data, &seconds));
    if (!read || !(seconds > 0) || seconds > LONGEST_SECONDS ||
        (whole && seconds != floor(seconds))) {
        return ir_fact_must_be(builder, statement,
                               whole ? "a positive duration in whole seconds, "
                                       "\"PT3H\"^^xsd:duration or 10800"
                                     : "a positive duration, \"PT15M\"^^xsd:duration or a number "
                                       "of seconds, 900");
    }
    *duration_ns = (int64_t)llround(seconds * (double)IR_SECOND_NS);
    return IR_OK;
}

ir_status_t ir_literal_text(const ir_builder_t *builder, const ir_fact_t *statement,
                            const char *what, ir_view_t *text) {
    if (statement->object->kind != IR_NODE_LITERAL) {
        return ir_fact_must_be(builder, statement, what);
    }
    *text = statement->object->text;
    return IR_OK;
}
