/* Asks RabbitMQ's management interface again and again, on a thread of its own, whether our queues
 * can drop messages (policies.h). */
#ifndef IR_WORKER_POLICY_WATCH_H
#define IR_WORKER_POLICY_WATCH_H

#include "worker/options.h"
#include "worker/policies.h"

typedef struct ir_policy_watch ir_policy_watch_t;

/* Whether the setting parses: "" or http(s)://[USER@]HOST[:PORT], several separated by commas. */
ir_status_t ir_policy_uris_check(const char *uris, ir_error_t *error);

/* Asks once, whichever address answers first; blocks, each request within 5 s. IR_ERR_CONNECT,
 * IR_ERR_TIMEOUT, IR_ERR_AUTH, IR_ERR_NOT_FOUND (no such virtual host) and those of
 * ir_policies_judge: it is not known. */
ir_status_t ir_policies_ask(const ir_worker_options_t *options, ir_policy_verdict_t *verdict,
                            ir_buffer_t *reasons, ir_error_t *error);

/* Starts the thread. *watch stays NULL when no address is set. */
ir_status_t ir_policy_watch_start(const ir_worker_options_t *options, ir_policy_watch_t **watch,
                                  ir_error_t *error);

/* Waits for the thread. Takes NULL. */
void ir_policy_watch_stop(ir_policy_watch_t *watch);

/* False, with a line for each reason appended, when messages can be dropped or nothing was asked
 * yet. True when it is not known, or nothing is asked (NULL). Any thread. */
bool ir_policy_watch_ready(ir_policy_watch_t *watch, ir_buffer_t *reasons);

/* Whether the last answer could be had. Any thread; takes NULL. */
bool ir_policy_watch_known(ir_policy_watch_t *watch);

#endif
