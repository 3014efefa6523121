#include "common/number.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_INTEGER 9007199254740992.0 /* 2^53 */
#define FAST_DECIMALS 9

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static size_t write_digits(uint64_t number, char *end) {
    size_t size = 0;
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
        size++;
    } while (number > 0);
    return size;
}

static size_t write_fixed(uint64_t scaled, unsigned decimals, bool negative, char *text) {
    char digits[24];
    char *end = digits + sizeof digits;
    size_t size = write_digits(scaled, end);
    while (size <= decimals) {
        end[-(long)++size] = '0';
    }
    const char *first = end - size;
    size_t length = 0;
    if (negative) {
        text[length++] = '-';
    }
    const size_t whole = size - decimals;
    memcpy(text + length, first, whole);
    length += whole;
    if (decimals > 0) {
        text[length++] = '.';
        memcpy(text + length, first + whole, decimals);
        length += decimals;
    }
    text[length] = '\0';
    return length;
}

/* Writes the fewest digits that read back as the same double, as D.DDDe±XX. A decimal of 15 digits
 * always survives conversion to a normal double and back, and 17 digits are enough for any
 * double. */
static void fewest_digits(double value, char text[static IR_NUMBER_SIZE]) {
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, IR_NUMBER_SIZE, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
}

/* Places the decimal point after `point` of the digits d₁d₂…, as ECMAScript's Number::toString
 * does. `point` may be negative or exceed the number of digits. */
static size_t lay_out(const char *digits, int n_digits, int point, bool negative, char *text) {
    char *at = text;
    if (negative) {
        *at++ = '-';
    }
    if (point < -5 || point > 21) {
        at += sprintf(at, "%.1s%s%.*se%+d", digits, n_digits > 1 ? "." : "", n_digits - 1,
                      digits + 1, point - 1);
    } else if (point <= 0) {
        at += sprintf(at, "0.%.*s%.*s", -point, "00000", n_digits, digits);
    } else if (point >= n_digits) {
        at += sprintf(at, "%.*s%.*s", n_digits, digits, point - n_digits, "00000000000000000000");
    } else {
        at += sprintf(at, "%.*s.%.*s", point, digits, n_digits - point, digits + point);
    }
    return (size_t)(at - text);
}

size_t ir_number_format(double value, char text[static IR_NUMBER_SIZE]) {
    const double size = fabs(value);
    /* n / 10^d is correctly rounded for n < 2^53 and d <= 22. So if it equals the value, the
     * decimal reads back as the value too; the first such d is the shortest. */
    for (unsigned decimals = 0; decimals <= FAST_DECIMALS && (size >= 1e-6 || size == 0);
         decimals++) {
        const double scaled = nearbyint(size * powers[decimals]);
        if (scaled >= EXACT_INTEGER) {
            break;
        }
        if (scaled / powers[decimals] == size) {
            return write_fixed((uint64_t)scaled, decimals, signbit(value) != 0, text);
        }
    }
    char scientific[IR_NUMBER_SIZE];
    char digits[20];
    int n_digits = 0;
    fewest_digits(size, scientific);
    const char *mark = strchr(scientific, 'e');
    for (const char *c = scientific; c < mark; c++) {
        if (*c != '.') {
            digits[n_digits++] = *c;
        }
    }
    while (n_digits > 1 && digits[n_digits - 1] == '0') {
        n_digits--;
    }
    const int exponent = (int)strtol(mark + 1, NULL, 10);
    return lay_out(digits, n_digits, exponent + 1, signbit(value) != 0, text);
}

size_t ir_number_format_decimal(int64_t units, unsigned decimals,
                                char text[static IR_NUMBER_SIZE]) {
    uint64_t size = units < 0 ? 0 - (uint64_t)units : (uint64_t)units;
    while (decimals > 0 && size % 10 == 0) {
        size /= 10;
        decimals--;
    }
    return write_fixed(size, decimals, units < 0, text);
}

double ir_number_round15(double value, double largest) {
    const double scale = fmax(fabs(value), fabs(largest));
    if (!(scale > 1e-7 && scale < 1e15)) {
        char text[IR_NUMBER_SIZE];
        snprintf(text, sizeof text, "%.15g", value);
        return strtod(text, NULL);
    }
    const int decimals = 14 - (int)floor(log10(scale));
    const double whole = nearbyint(fabs(value) * powers[decimals]);
    return whole > 0 ? copysign(whole / powers[decimals], value) : 0;
}
