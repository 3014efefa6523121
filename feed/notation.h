/* How a file writes numbers: the decimal sign, and a thousands separator between groups of three
 * digits. */
#ifndef IR_FEED_NOTATION_H
#define IR_FEED_NOTATION_H

#include "common/view.h"

#include <stdbool.h>

/* The kinds, in the order of their names in the mapping. */
#define IR_DECIMALS "point|comma"
typedef enum ir_decimal { IR_DECIMAL_POINT, IR_DECIMAL_COMMA } ir_decimal_t;

#define IR_THOUSANDS "none|point|comma|space|apostrophe"
typedef enum ir_thousands {
    IR_THOUSANDS_NONE,
    IR_THOUSANDS_POINT,
    IR_THOUSANDS_COMMA,
    IR_THOUSANDS_SPACE,     /* includes the no-break and thin spaces of Unicode */
    IR_THOUSANDS_APOSTROPHE /* also U+2019 */
} ir_thousands_t;

typedef struct ir_notation {
    ir_decimal_t decimal;
    ir_thousands_t thousands;
} ir_notation_t;

/* Whether both signs are the same, so that no number could be read. */
bool ir_notation_clashes(ir_notation_t notation);

/* Parses a decimal number; nothing may follow it. Groups after a thousands separator must have
 * three digits, so that a decimal sign is never mistaken for a separator. `text` is UTF-8, or ASCII
 * of any encoding. */
bool ir_notation_read(ir_view_t text, ir_notation_t notation, double *number);

/* The end of a message about a text that is not a number: "; as a number it needs …" with the
 * settings under which it would be a number, or "". */
#define IR_NOTATION_LIKE_SIZE 128
const char *ir_notation_like(ir_view_t text, ir_notation_t notation,
                             char out[static IR_NOTATION_LIKE_SIZE]);

#endif
