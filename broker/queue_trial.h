/* Whether a queue answers a new consumer. RabbitMQ's channel waits for a queue that does not (no
 * leader, hung) and then takes the whole connection down (541 after 65 s: seen with 3.10), so a
 * queue under suspicion is tried on a connection of its own, by a short-lived thread, before it is
 * consumed among the others. What the trial is given to consume goes back to the queue's head.
 * Loop thread only. */
#ifndef IR_BROKER_QUEUE_TRIAL_H
#define IR_BROKER_QUEUE_TRIAL_H

#include "broker/connection.h"

#include <stdbool.h>

struct event_base;
typedef struct ir_queue_trial ir_queue_trial_t;

/* The trial of `partition` is over. NULL: its queue answered, be it with a refusal, which the one
 * who consumes it will be told. Otherwise why not. The next trial may begin from here. */
typedef void (*ir_queue_trial_done_t)(void *context, unsigned partition, const ir_error_t *error);

/* `options` is copied, its texts are not. IR_ERR_MEMORY, IR_ERR_IO. */
ir_status_t ir_queue_trial_open(struct event_base *base, const ir_broker_options_t *options,
                                ir_queue_trial_done_t done, void *context, ir_queue_trial_t **trial,
                                ir_error_t *error);

/* One at a time. False: another one is under way, or no thread can be had. */
bool ir_queue_trial_begin(ir_queue_trial_t *trial, unsigned partition);

/* Waits for a trial under way: a few seconds. Takes NULL. */
void ir_queue_trial_close(ir_queue_trial_t *trial);

#endif
