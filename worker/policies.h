/* Whether RabbitMQ can drop or remove messages of our queues by itself: by a limit of deliveries,
 * of age or of length. Said by the queues' arguments and by policies, which only the management
 * interface shows. */
#ifndef IR_WORKER_POLICIES_H
#define IR_WORKER_POLICIES_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>

/* A delivery limit below this is reached by a worker that is killed often enough. */
#define IR_DELIVERY_LIMIT_LEAST 1000000

/* What the management interface answers (JSON). */
typedef struct ir_policy_answers {
    ir_view_t overview;          /* /api/overview */
    ir_view_t queues;            /* /api/queues/VHOST, a page of our queues */
    ir_view_t policies;          /* /api/policies/VHOST */
    ir_view_t operator_policies; /* /api/operator-policies/VHOST */
} ir_policy_answers_t;

typedef struct ir_policy_verdict {
    unsigned queues; /* that were looked at */
    unsigned faults; /* ways in which messages can be lost */
} ir_policy_verdict_t;

/* Appends one line for each fault to `reasons`. IR_ERR_PROTOCOL: the answers are not RabbitMQ's;
 * IR_ERR_RANGE: a policy has a pattern that cannot be judged here. */
ir_status_t ir_policies_judge(const ir_policy_answers_t *answers, ir_policy_verdict_t *verdict,
                              ir_buffer_t *reasons, ir_error_t *error);

#endif
