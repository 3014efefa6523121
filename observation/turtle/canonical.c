#include "observation/turtle/canonical.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XSD "http://www.w3.org/2001/XMLSchema#"
#define NUMBER_SIZE 64
#define DOUBLE_DIGITS 17 /* digits that distinguish any two values */
#define FLOAT_DIGITS 9
#define PART_DIGITS 9 /* for the parts of a duration: their sum cannot overflow an int64_t */

/* All of these return false, with nothing appended, when the text is not valid for the type. */
typedef bool (*append_fn)(ir_buffer_t *out, ir_view_t text);

static size_t count_digits(ir_view_t text, size_t at) {
    size_t count = 0;
    while (at + count < text.size && text.data[at + count] >= '0' && text.data[at + count] <= '9') {
        count++;
    }
    return count;
}

static bool is(ir_view_t text, const char *other) {
    return ir_view_equal(text, ir_view_text(other));
}

/* ---- numbers ---- */

typedef struct digits {
    bool negative, pointed;
    ir_view_t whole, fraction; /* without superfluous zeros */
} digits_t;

static bool read_digits(ir_view_t text, digits_t *digits) {
    size_t at = text.size > 0 && (text.data[0] == '+' || text.data[0] == '-');
    digits->negative = at > 0 && text.data[0] == '-';
    const size_t whole = count_digits(text, at);
    digits->whole = ir_view(text.data + at, whole);
    at += whole;
    digits->pointed = at < text.size && text.data[at] == '.';
    at += digits->pointed;
    const size_t fraction = digits->pointed ? count_digits(text, at) : 0;
    digits->fraction = ir_view(text.data + at, fraction);
    if (at + fraction != text.size || whole + fraction == 0) {
        return false;
    }
    while (digits->whole.size > 0 && digits->whole.data[0] == '0') {
        digits->whole = ir_view(digits->whole.data + 1, digits->whole.size - 1);
    }
    while (digits->fraction.size > 0 && digits->fraction.data[digits->fraction.size - 1] == '0') {
        digits->fraction.size--;
    }
    return true;
}

static void append_whole(ir_buffer_t *out, const digits_t *digits) {
    if (digits->negative && digits->whole.size + digits->fraction.size > 0) {
        ir_buffer_append_char(out, '-');
    }
    ir_buffer_append_view(out, digits->whole.size > 0 ? digits->whole : ir_view_text("0"));
}

static bool append_decimal(ir_buffer_t *out, ir_view_t text) {
    digits_t digits;
    if (!read_digits(text, &digits)) {
        return false;
    }
    append_whole(out, &digits);
    ir_buffer_append_char(out, '.');
    ir_buffer_append_view(out, digits.fraction.size > 0 ? digits.fraction : ir_view_text("0"));
    return true;
}

static bool append_integer(ir_buffer_t *out, ir_view_t text) {
    digits_t digits;
    if (!read_digits(text, &digits) || digits.pointed) {
        return false;
    }
    append_whole(out, &digits);
    return true;
}

static double read_number(const char *text, bool single, char **end) {
    return single ? (double)strtof(text, end) : strtod(text, end);
}

/* The shortest mantissa that gives the same value: 1.0E1. */
static void append_scientific(ir_buffer_t *out, double value, bool single) {
    const int most = single ? FLOAT_DIGITS : DOUBLE_DIGITS;
    char text[NUMBER_SIZE];
    for (int digits = 0; digits < most; digits++) {
        snprintf(text, sizeof text, "%.*e", digits, value);
        if (read_number(text, single, NULL) == value) {
            break;
        }
    }
    const size_t mantissa = strcspn(text, "e");
    ir_buffer_append(out, text, mantissa);
    if (memchr(text, '.', mantissa) == NULL) {
        ir_buffer_append_text(out, ".0");
    }
    ir_buffer_append_char(out, 'E');
    ir_buffer_append_int(out, strtol(text + mantissa + 1, NULL, 10));
}

static bool append_binary(ir_buffer_t *out, ir_view_t text, bool single) {
    char copy[NUMBER_SIZE];
    char *end = NULL;
    if (is(text, "NaN") || is(text, "INF") || is(text, "-INF")) {
        ir_buffer_append_view(out, text);
        return true;
    }
    if (is(text, "+INF")) {
        ir_buffer_append_text(out, "INF");
        return true;
    }
    if (text.size == 0 || text.size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (strspn(copy, "0123456789+-.eE") != text.size) {
        return false;
    }
    const double value = read_number(copy, single, &end);
    if (*end != '\0') {
        return false;
    }
    if (isinf(value)) {
        ir_buffer_append_text(out, value > 0 ? "INF" : "-INF");
    } else {
        append_scientific(out, value, single);
    }
    return true;
}

static bool append_double(ir_buffer_t *out, ir_view_t text) {
    return append_binary(out, text, false);
}

static bool append_float(ir_buffer_t *out, ir_view_t text) {
    return append_binary(out, text, true);
}

static bool append_boolean(ir_buffer_t *out, ir_view_t text) {
    const bool yes = is(text, "true") || is(text, "1");
    if (!yes && !is(text, "false") && !is(text, "0")) {
        return false;
    }
    ir_buffer_append_text(out, yes ? "true" : "false");
    return true;
}

/* ---- times ---- */

/* Returns where the time zone begins: "Z", "+hh:mm" or "-hh:mm" at the end of the text, or its end
 * if there is none. */
static size_t find_zone(ir_view_t text) {
    if (text.size > 0 && text.data[text.size - 1] == 'Z') {
        return text.size - 1;
    }
    const size_t at = text.size >= 6 ? text.size - 6 : text.size;
    const bool zone = at < text.size && (text.data[at] == '+' || text.data[at] == '-') &&
                      count_digits(text, at + 1) == 2 && text.data[at + 3] == ':' &&
                      count_digits(text, at + 4) == 2;
    return zone ? at : text.size;
}

/* Dates and times: seconds without trailing zeros, UTC as "Z". Other time zones are kept, because
 * they say more than the instant. */
static bool append_time(ir_buffer_t *out, ir_view_t text) {
    const size_t zone = find_zone(text);
    const char *point = memchr(text.data, '.', zone);
    size_t end = zone;
    if (point != NULL) {
        while (text.data[end - 1] == '0') {
            end--;
        }
        end -= text.data[end - 1] == '.';
    }
    ir_buffer_append(out, text.data, end);
    const ir_view_t rest = ir_view(text.data + zone, text.size - zone);
    ir_buffer_append_view(out, is(rest, "+00:00") || is(rest, "-00:00") ? ir_view_text("Z") : rest);
    return true;
}

typedef struct duration {
    bool negative;
    int64_t months, seconds;
    ir_view_t fraction; /* of a second, without trailing zeros */
} duration_t;

static const struct {
    char letter;
    bool in_time;
    int64_t months, seconds;
} parts[] = {{'Y', false, 12, 0},  {'M', false, 1, 0}, {'D', false, 0, 86400},
             {'H', true, 0, 3600}, {'M', true, 0, 60}, {'S', true, 0, 1}};

#define PARTS (sizeof parts / sizeof parts[0])

static size_t find_part(char letter, bool in_time, size_t from) {
    while (from < PARTS && (parts[from].letter != letter || parts[from].in_time != in_time)) {
        from++;
    }
    return from;
}

/* Reads one "12M" or "0.5S" at *at; `next` is the first part that may follow. */
static bool read_part(ir_view_t text, size_t *at, bool in_time, size_t *next, duration_t *read) {
    digits_t digits;
    size_t size = 0;
    while (*at + size < text.size &&
           (text.data[*at + size] == '.' || count_digits(text, *at + size) > 0)) {
        size++;
    }
    if (size == 0 || *at + size == text.size ||
        !read_digits(ir_view(text.data + *at, size), &digits)) {
        return false;
    }
    const size_t part = find_part(text.data[*at + size], in_time, *next);
    if (part == PARTS || (digits.pointed && parts[part].letter != 'S') ||
        digits.whole.size > PART_DIGITS) {
        return false;
    }
    int64_t number = 0;
    for (size_t i = 0; i < digits.whole.size; i++) {
        number = number * 10 + (digits.whole.data[i] - '0');
    }
    read->months += number * parts[part].months;
    read->seconds += number * parts[part].seconds;
    read->fraction = digits.fraction;
    *next = part + 1;
    *at += size + 1;
    return true;
}

static bool read_duration(ir_view_t text, duration_t *read) {
    size_t at = text.size > 0 && text.data[0] == '-';
    size_t next = 0;
    bool in_time = false;
    *read = (duration_t){.negative = at > 0};
    if (at == text.size || text.data[at++] != 'P' || at == text.size) {
        return false;
    }
    while (at < text.size) {
        if (!in_time && text.data[at] == 'T') {
            in_time = true;
            at++;
        }
        if (!read_part(text, &at, in_time, &next, read)) {
            return false;
        }
    }
    return true;
}

static void append_part(ir_buffer_t *out, int64_t number, char letter) {
    if (number > 0) {
        ir_buffer_append_int(out, number);
        ir_buffer_append_char(out, letter);
    }
}

static void append_time_parts(ir_buffer_t *out, const duration_t *duration) {
    const int64_t seconds = duration->seconds % 86400;
    if (seconds == 0 && duration->fraction.size == 0) {
        return;
    }
    ir_buffer_append_char(out, 'T');
    append_part(out, seconds / 3600, 'H');
    append_part(out, seconds / 60 % 60, 'M');
    if (duration->fraction.size > 0) {
        ir_buffer_append_int(out, seconds % 60);
        ir_buffer_append_char(out, '.');
        ir_buffer_append_view(out, duration->fraction);
        ir_buffer_append_char(out, 'S');
    } else {
        append_part(out, seconds % 60, 'S');
    }
}

static bool append_span(ir_buffer_t *out, ir_view_t text, const char *nothing) {
    duration_t duration;
    if (!read_duration(text, &duration)) {
        return false;
    }
    if (duration.months == 0 && duration.seconds == 0 && duration.fraction.size == 0) {
        ir_buffer_append_text(out, nothing);
        return true;
    }
    ir_buffer_append_text(out, duration.negative ? "-P" : "P");
    append_part(out, duration.months / 12, 'Y');
    append_part(out, duration.months % 12, 'M');
    append_part(out, duration.seconds / 86400, 'D');
    append_time_parts(out, &duration);
    return true;
}

static bool append_duration(ir_buffer_t *out, ir_view_t text) {
    return append_span(out, text, "PT0S");
}

static bool append_months(ir_buffer_t *out, ir_view_t text) {
    return append_span(out, text, "P0M");
}

/* ---- by type ---- */

static const struct {
    const char *datatype;
    append_fn append;
} types[] = {
    {XSD "decimal", append_decimal},
    {XSD "integer", append_integer},
    {XSD "nonPositiveInteger", append_integer},
    {XSD "negativeInteger", append_integer},
    {XSD "nonNegativeInteger", append_integer},
    {XSD "positiveInteger", append_integer},
    {XSD "long", append_integer},
    {XSD "int", append_integer},
    {XSD "short", append_integer},
    {XSD "byte", append_integer},
    {XSD "unsignedLong", append_integer},
    {XSD "unsignedInt", append_integer},
    {XSD "unsignedShort", append_integer},
    {XSD "unsignedByte", append_integer},
    {XSD "double", append_double},
    {XSD "float", append_float},
    {XSD "boolean", append_boolean},
    {XSD "dateTime", append_time},
    {XSD "dateTimeStamp", append_time},
    {XSD "time", append_time},
    {XSD "date", append_time},
    {XSD "gYear", append_time},
    {XSD "gYearMonth", append_time},
    {XSD "gMonth", append_time},
    {XSD "gMonthDay", append_time},
    {XSD "gDay", append_time},
    {XSD "duration", append_duration},
    {XSD "dayTimeDuration", append_duration},
    {XSD "yearMonthDuration", append_months},
};

/* All of these types ignore white space around a value. */
static ir_view_t trim(ir_view_t text) {
    while (text.size > 0 && strchr(" \t\r\n", text.data[0]) != NULL) {
        text = ir_view(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && strchr(" \t\r\n", text.data[text.size - 1]) != NULL) {
        text.size--;
    }
    return text;
}

void ir_canonical_append(ir_buffer_t *out, ir_view_t text, ir_view_t datatype) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (is(datatype, types[i].datatype) && types[i].append(out, trim(text))) {
            return;
        }
    }
    ir_buffer_append_view(out, text);
}
