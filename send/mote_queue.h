/* What waits to be sent, in a line for each mote. A line is taken as a whole, so that order per
 * mote holds whichever connection has it: who took it sends some of its first items, takes out
 * those that are done with, and gives it back. Lines that may go are served in turn. One thread. */
#ifndef IR_SEND_MOTE_QUEUE_H
#define IR_SEND_MOTE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_mote_queue ir_mote_queue_t;

#define IR_MOTE_QUEUE_NONE UINT32_MAX

/* Items are the caller's numbers below `items`. NULL when memory is out. */
ir_mote_queue_t *ir_mote_queue_new(uint32_t items);
void ir_mote_queue_free(ir_mote_queue_t *queue);

/* Puts an item, which stands in no line, at the end of the mote's, taken or not. False when memory
 * is out. */
bool ir_mote_queue_put(ir_mote_queue_t *queue, unsigned mote, uint32_t item);

/* Takes the next line that may go at this time: its first item; IR_MOTE_QUEUE_NONE: there is none.
 */
uint32_t ir_mote_queue_take(ir_mote_queue_t *queue, int64_t now_ns);

/* The next item in the same line, or IR_MOTE_QUEUE_NONE. */
uint32_t ir_mote_queue_behind(const ir_mote_queue_t *queue, uint32_t item);

/* An item of a taken line is done with. */
void ir_mote_queue_remove(ir_mote_queue_t *queue, uint32_t item);

/* A taken line may go again at that time (0: at once), if anything is left in it. */
void ir_mote_queue_give_back(ir_mote_queue_t *queue, unsigned mote, int64_t time_ns);

/* When the first of the lines that wait for a time may go; INT64_MAX: none does. */
int64_t ir_mote_queue_wake(const ir_mote_queue_t *queue);

/* Forgets all items. */
void ir_mote_queue_clear(ir_mote_queue_t *queue);

#endif
