/* What waits to be sent, in a line for each mote. A line is taken as a whole, so that order per
 * mote holds whichever connection has it: who took it sends some of its first items, takes out
 * those that are done with, and gives it back. Lines that may go are served in turn. One thread. */
#ifndef IR_LOADGEN_LINEUP_H
#define IR_LOADGEN_LINEUP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_lineup ir_lineup_t;

#define IR_LINEUP_NONE UINT32_MAX

/* Items are the caller's numbers below `items`. NULL when memory is out. */
ir_lineup_t *ir_lineup_new(uint32_t items);
void ir_lineup_free(ir_lineup_t *lineup);

/* Puts an item, which stands in no line, at the end of the mote's, taken or not. False when memory
 * is out. */
bool ir_lineup_put(ir_lineup_t *lineup, unsigned mote, uint32_t item);

/* Takes the next line that may go at this time: its first item; IR_LINEUP_NONE: there is none. */
uint32_t ir_lineup_take(ir_lineup_t *lineup, int64_t now_ns);

/* The next item in the same line, or IR_LINEUP_NONE. */
uint32_t ir_lineup_behind(const ir_lineup_t *lineup, uint32_t item);

/* An item of a taken line is done with. */
void ir_lineup_remove(ir_lineup_t *lineup, uint32_t item);

/* A taken line may go again at that time (0: at once), if anything is left in it. */
void ir_lineup_give_back(ir_lineup_t *lineup, unsigned mote, int64_t time_ns);

/* When the first of the lines that wait for a time may go; INT64_MAX: none does. */
int64_t ir_lineup_wake(const ir_lineup_t *lineup);

/* Forgets all items. */
void ir_lineup_clear(ir_lineup_t *lineup);

#endif
