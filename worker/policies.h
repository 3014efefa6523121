/* Decides whether RabbitMQ can drop messages of our queues on its own: by a limit on deliveries,
 * age or length. The limits come from the queues' arguments and from policies, which only the
 * management interface shows. */
#ifndef IR_WORKER_POLICIES_H
#define IR_WORKER_POLICIES_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>

/* A worker that is killed often enough reaches any delivery limit below this. */
#define IR_DELIVERY_LIMIT_LEAST 1000000

/* Answers of the management interface (JSON). */
typedef struct ir_policy_answers {
    ir_view_t overview;          /* /api/overview */
    ir_view_t queues;            /* /api/queues/VHOST, a page of our queues */
    ir_view_t policies;          /* /api/policies/VHOST */
    ir_view_t operator_policies; /* /api/operator-policies/VHOST */
} ir_policy_answers_t;

typedef struct ir_policy_verdict {
    unsigned queues; /* number of queues examined */
    unsigned faults; /* number of faults: ways in which messages can be lost */
} ir_policy_verdict_t;

/* Appends one line per fault to `reasons`. IR_ERR_PROTOCOL: the answers are not RabbitMQ's.
 * IR_ERR_RANGE: a policy has a pattern that cannot be evaluated here. */
ir_status_t ir_policies_judge(const ir_policy_answers_t *answers, ir_policy_verdict_t *verdict,
                              ir_buffer_t *reasons, ir_error_t *error);

#endif
