#include "feed/notation.h"

#include "common/settings.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_SIZE 64
#define GROUP 3 /* digits */
#define MINUS "\xe2\x88\x92"

static const struct {
    ir_thousands_t thousands;
    const char *sign;
} signs[] = {
    {IR_THOUSANDS_POINT, "."},
    {IR_THOUSANDS_COMMA, ","},
    {IR_THOUSANDS_SPACE, " "},
    {IR_THOUSANDS_SPACE, "\xc2\xa0"},     /* no-break space */
    {IR_THOUSANDS_SPACE, "\xe2\x80\xaf"}, /* narrow no-break space */
    {IR_THOUSANDS_SPACE, "\xe2\x80\x89"}, /* thin space */
    {IR_THOUSANDS_APOSTROPHE, "'"},
    {IR_THOUSANDS_APOSTROPHE, "\xe2\x80\x99"}, /* right single quotation mark */
};

/* Returns the size of the thousands separator at the beginning of a text; 0: there is none. */
static size_t sign_size(ir_view_t text, ir_thousands_t thousands) {
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        const size_t size = strlen(signs[i].sign);
        if (signs[i].thousands == thousands && text.size >= size &&
            memcmp(text.data, signs[i].sign, size) == 0) {
            return size;
        }
    }
    return 0;
}

static size_t count_digits(ir_view_t text) {
    size_t count = 0;
    while (count < text.size && isdigit((unsigned char)text.data[count])) {
        count++;
    }
    return count;
}

/* Copies the digits before the decimal sign, without the separators. Returns the number of bytes
 * read. `*good` is false if a group does not have three digits. */
static size_t copy_whole(ir_view_t text, ir_thousands_t thousands, char *copy, size_t *size,
                         bool *good) {
    size_t at = 0;
    for (bool first = true;; first = false) {
        const ir_view_t rest = ir_view(text.data + at, text.size - at);
        const size_t digits = count_digits(rest);
        const size_t sign = sign_size(ir_view(rest.data + digits, rest.size - digits), thousands);
        const bool grouped = sign > 0 || !first;
        *good = !grouped || (first ? digits > 0 && digits <= GROUP : digits == GROUP);
        memcpy(copy + *size, rest.data, digits);
        *size += digits;
        at += digits;
        if (sign == 0 || !*good) {
            return at;
        }
        at += sign;
    }
}

/* Copies the sign of a number; some spreadsheets write the sign of mathematics. Returns the number
 * of bytes read. */
static size_t copy_sign(ir_view_t text, char *copy) {
    if (text.data[0] == '+' || text.data[0] == '-') {
        copy[0] = text.data[0];
        return 1;
    }
    copy[0] = '-';
    return text.size > strlen(MINUS) && memcmp(text.data, MINUS, strlen(MINUS)) == 0 ? strlen(MINUS)
                                                                                     : 0;
}

/* strtod alone would accept hexadecimal numbers, "inf" and trailing text. */
bool ir_notation_read(ir_view_t text, ir_notation_t notation, double *number) {
    const char decimal = notation.decimal == IR_DECIMAL_COMMA ? ',' : '.';
    char copy[NUMBER_SIZE];
    size_t size = 0;
    bool good = text.size > 0 && text.size < sizeof copy;
    if (!good) {
        return false;
    }
    size_t at = copy_sign(text, copy);
    size = at > 0;
    at +=
        copy_whole(ir_view(text.data + at, text.size - at), notation.thousands, copy, &size, &good);
    for (; at < text.size && good; at++) {
        const char c = text.data[at];
        good =
            isdigit((unsigned char)c) || c == decimal || (c != '\0' && strchr("+-eE", c) != NULL);
        copy[size++] = c;
        if (c == decimal) {
            copy[size - 1] = '.';
        }
    }
    copy[size] = '\0';
    char *end = NULL;
    const double value = good ? strtod(copy, &end) : 0;
    if (!good || end == copy || *end != '\0' || !isfinite(value)) {
        return false;
    }
    *number = value;
    return true;
}

bool ir_notation_clashes(ir_notation_t notation) {
    return notation.thousands ==
           (notation.decimal == IR_DECIMAL_COMMA ? IR_THOUSANDS_COMMA : IR_THOUSANDS_POINT);
}

/* ---- suggestions ---- */

static bool has_sign(ir_view_t text, ir_thousands_t thousands) {
    for (size_t at = 0; at < text.size; at++) {
        if (sign_size(ir_view(text.data + at, text.size - at), thousands) > 0) {
            return true;
        }
    }
    return false;
}

/* Appends those settings of `other` that differ from the settings in use. */
static size_t suggest(ir_notation_t given, ir_notation_t other, char *out, size_t size) {
    char text[64];
    int end = 0;
    if (other.decimal != given.decimal) {
        end = snprintf(text, sizeof text, "decimal = %.*s",
                       IR_VIEW_ARG(ir_setting_word(IR_DECIMALS, other.decimal)));
    }
    if (other.thousands != given.thousands) {
        snprintf(text + end, sizeof text - (size_t)end, "%sthousands = %.*s",
                 end > 0 ? " with " : "",
                 IR_VIEW_ARG(ir_setting_word(IR_THOUSANDS, other.thousands)));
    }
    return (size_t)snprintf(out + size, IR_NOTATION_LIKE_SIZE - size, "%s%s",
                            size > 0 ? ", or " : "; as a number it needs ", text);
}

const char *ir_notation_like(ir_view_t text, ir_notation_t notation,
                             char out[static IR_NOTATION_LIKE_SIZE]) {
    size_t size = 0;
    out[0] = '\0';
    for (unsigned i = 0; i <= IR_DECIMAL_COMMA; i++) {
        for (unsigned j = 0; j <= IR_THOUSANDS_APOSTROPHE; j++) {
            const ir_notation_t other = {(ir_decimal_t)i, (ir_thousands_t)j};
            double number = 0;
            if (!ir_notation_clashes(other) &&
                (other.thousands == IR_THOUSANDS_NONE || has_sign(text, other.thousands)) &&
                ir_notation_read(text, other, &number) && size < IR_NOTATION_LIKE_SIZE) {
                size += suggest(notation, other, out, size);
            }
        }
    }
    return out;
}
