/* What waits to be sent, in a line for each mote: the first of a line goes out only when the one
 * before it is done, so that order per mote holds whichever connection takes it. Lines whose first
 * may go are served in turn. One thread. */
#ifndef IR_LOADGEN_LINEUP_H
#define IR_LOADGEN_LINEUP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_lineup ir_lineup_t;

#define IR_LINEUP_NONE UINT32_MAX

/* Items are the caller's numbers below `items`. NULL when memory is out. */
ir_lineup_t *ir_lineup_new(uint32_t items);
void ir_lineup_free(ir_lineup_t *lineup);

/* Puts an item, which stands in no line, at the end of the mote's. False when memory is out. */
bool ir_lineup_put(ir_lineup_t *lineup, unsigned mote, uint32_t item);

/* The next item that may go at this time, which is then under way; IR_LINEUP_NONE: none now. */
uint32_t ir_lineup_next(ir_lineup_t *lineup, int64_t now_ns);

/* An item under way is done with; the one behind it may go. */
void ir_lineup_done(ir_lineup_t *lineup, uint32_t item);

/* An item under way goes back to the head of its line, until then. */
void ir_lineup_hold(ir_lineup_t *lineup, uint32_t item, int64_t until_ns);

/* When the first of the lines that are held may go; INT64_MAX: none is held. */
int64_t ir_lineup_wake(const ir_lineup_t *lineup);

/* Forgets all items. */
void ir_lineup_clear(ir_lineup_t *lineup);

#endif
