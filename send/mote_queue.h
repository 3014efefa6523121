/* Messages waiting to be sent, in one queue per mote. A queue is taken as a whole, which keeps the
 * order per mote on any connection. The taker sends some of its first items, removes the finished
 * ones, and returns the queue. Ready queues are served in turn. One thread. */
#ifndef IR_SEND_MOTE_QUEUE_H
#define IR_SEND_MOTE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_mote_queue ir_mote_queue_t;

#define IR_MOTE_QUEUE_NONE UINT32_MAX

/* Items are numbers below `items`, chosen by the caller. NULL when out of memory. */
ir_mote_queue_t *ir_mote_queue_new(uint32_t items);
void ir_mote_queue_free(ir_mote_queue_t *queue);

/* Appends an item, which must not be in a queue, to the mote's queue, even if the queue is taken.
 * False when out of memory. */
bool ir_mote_queue_put(ir_mote_queue_t *queue, unsigned mote, uint32_t item);

/* Takes the next queue that is ready at this time and returns its first item; IR_MOTE_QUEUE_NONE:
 * no queue is ready.
 * */
uint32_t ir_mote_queue_take(ir_mote_queue_t *queue, int64_t now_ns);

/* The next item in the same queue, or IR_MOTE_QUEUE_NONE. */
uint32_t ir_mote_queue_behind(const ir_mote_queue_t *queue, uint32_t item);

/* Removes a finished item from a taken queue. */
void ir_mote_queue_remove(ir_mote_queue_t *queue, uint32_t item);

/* Returns a taken queue. If it is not empty, it is ready again at that time (0: at once). */
void ir_mote_queue_give_back(ir_mote_queue_t *queue, unsigned mote, int64_t time_ns);

/* When the first waiting queue becomes ready; INT64_MAX: none waits. */
int64_t ir_mote_queue_wake(const ir_mote_queue_t *queue);

/* Forgets all items. */
void ir_mote_queue_clear(ir_mote_queue_t *queue);

#endif
