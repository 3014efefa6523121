#include "common/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned smallest(unsigned a, unsigned b, unsigned c) {
    const unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

static bool same(char a, char b) {
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Returns the number of letters to change, add or remove (Levenshtein distance). */
static unsigned distance(ir_view_t a, ir_view_t b) {
    unsigned row[IR_NEAREST_SIZE + 1];
    for (unsigned j = 0; j <= b.size; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.size; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.size; j++) {
            const unsigned changed = diagonal + !same(a.data[i - 1], b.data[j - 1]);
            diagonal = row[j];
            row[j] = smallest(changed, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b.size];
}

ir_nearest_t ir_nearest(ir_view_t unknown) {
    const size_t third = (unknown.size + 2) / 3;
    return (ir_nearest_t){
        .unknown = unknown,
        .distance = 1 + (third < IR_NEAREST_DISTANCE ? (unsigned)third : IR_NEAREST_DISTANCE)};
}

void ir_nearest_try(ir_nearest_t *nearest, const char *name) {
    const ir_view_t other = ir_view_text(name);
    if (nearest->unknown.size > IR_NEAREST_SIZE || other.size > IR_NEAREST_SIZE) {
        return;
    }
    const unsigned away = distance(nearest->unknown, other);
    if (away < nearest->distance) {
        nearest->distance = away;
        nearest->name = name;
    }
}

const char *ir_nearest_text(const ir_nearest_t *nearest, const char *prefix,
                            char out[static IR_NEAREST_TEXT_SIZE]) {
    out[0] = '\0';
    if (nearest->name != NULL) {
        snprintf(out, IR_NEAREST_TEXT_SIZE, "; did you mean %s%s?", prefix, nearest->name);
    }
    return out;
}
