/* Finds out whether a queue answers a new consumer. RabbitMQ's channel waits for a queue that does
 * not (no leader, hung) and then closes the whole connection (541 after 65 s: observed with 3.10).
 * So a short-lived thread tries a suspected queue on a separate connection before the queue is
 * consumed together with others. Messages that the trial receives return to the head of the queue.
 * Loop thread only. */
#ifndef IR_BROKER_QUEUE_TRIAL_H
#define IR_BROKER_QUEUE_TRIAL_H

#include "broker/connection.h"

#include <stdbool.h>

struct event_base;
typedef struct ir_queue_trial ir_queue_trial_t;

/* The trial of `partition` has ended. `why` NULL: its queue answered, possibly with a refusal,
 * which the consumer will then get too. Otherwise: the reason why not. The callback may begin the
 * next trial. */
typedef void (*ir_queue_trial_done_t)(void *context, unsigned partition, const ir_error_t *error);

/* `options` is copied, its texts are not. IR_ERR_MEMORY, IR_ERR_IO. */
ir_status_t ir_queue_trial_open(struct event_base *base, const ir_broker_options_t *options,
                                ir_queue_trial_done_t done, void *context, ir_queue_trial_t **trial,
                                ir_error_t *error);

/* Begins a trial, one at a time. Returns false when another one is running, or no thread can be
 * started. */
bool ir_queue_trial_begin(ir_queue_trial_t *trial, unsigned partition);

/* Waits a few seconds for a running trial. NULL is allowed. */
void ir_queue_trial_close(ir_queue_trial_t *trial);

#endif
