#include "common/number.h"

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

/* JSON's exponent: "1e+20" is legal, but "1e20" is shorter and "1e-07" has a needless zero. */
static size_t tidy_exponent(char *text) {
    char *mark = strchr(text, 'e');
    if (mark == NULL) {
        return strlen(text);
    }
    char *to = mark + 1;
    const char *from = mark + 1;
    if (*from == '-') {
        *to++ = *from++;
    } else if (*from == '+') {
        from++;
    }
    while (*from == '0' && from[1] != '\0') {
        from++;
    }
    memmove(to, from, strlen(from) + 1);
    return strlen(text);
}

size_t ir_number_format(double value, char text[static IR_NUMBER_SIZE]) {
    const double size = fabs(value);
    /* n / 10^d is correctly rounded for n < 2^53 and d <= 22, so when it gives the value back, the
     * decimal does too; the first such d is the shortest. */
    for (unsigned decimals = 0; decimals <= FAST_DECIMALS; decimals++) {
        const double scaled = nearbyint(size * powers[decimals]);
        if (scaled >= EXACT_INTEGER) {
            break;
        }
        if (scaled / powers[decimals] == size) {
            return write_fixed((uint64_t)scaled, decimals, signbit(value) != 0, text);
        }
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, IR_NUMBER_SIZE, "%.*g", digits, value);
        if (digits == 17 || strtod(text, NULL) == value) {
            break;
        }
    }
    return tidy_exponent(text);
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
