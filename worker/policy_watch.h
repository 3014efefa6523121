/* A thread that repeatedly asks RabbitMQ's management interface whether our queues can drop
 * messages (policies.h). */
#ifndef IR_WORKER_POLICY_WATCH_H
#define IR_WORKER_POLICY_WATCH_H

#include "worker/options.h"
#include "worker/policies.h"

typedef struct ir_policy_watch ir_policy_watch_t;

/* Queries once, and takes the answer of the first address that answers. Blocks, at most 5 s per
 * request. IR_ERR_CONNECT, IR_ERR_TIMEOUT, IR_ERR_AUTH, IR_ERR_NOT_FOUND (no such virtual host) and
 * the errors of ir_policies_judge mean that the answer is unknown. */
ir_status_t ir_policies_ask(const ir_worker_options_t *options, ir_policy_verdict_t *verdict,
                            ir_buffer_t *reasons, ir_error_t *error);

/* Starts the thread. Without an address *watch stays NULL. */
ir_status_t ir_policy_watch_start(const ir_worker_options_t *options, ir_policy_watch_t **watch,
                                  ir_error_t *error);

/* Waits for the thread. NULL is allowed. */
void ir_policy_watch_stop(ir_policy_watch_t *watch);

/* Returns false and appends one line per reason when messages can be dropped, or before the first
 * answer. Returns true when the answer is unknown, or when nothing is asked (NULL). Any thread. */
bool ir_policy_watch_ready(ir_policy_watch_t *watch, ir_buffer_t *reasons);

/* Whether the last query was answered. Any thread; NULL is allowed. */
bool ir_policy_watch_known(ir_policy_watch_t *watch);

#endif
