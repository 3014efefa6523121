/* Publishes messages to ir.observations again as what they were: with their first arrival, their
 * sender's name and time of sending, so that a worker finds the same ids. Confirmed. One thread. */
#ifndef IR_STORE_REPLAY_H
#define IR_STORE_REPLAY_H

#include "broker/connection.h"
#include "common/status.h"
#include "common/view.h"

#include <stdint.h>

typedef struct ir_replay ir_replay_t;

/* `trusted_users`: those whose header ir-arrival the workers believe; IR_ERR_USAGE when the
 * address's user is none of them. The options' texts outlive it. */
ir_status_t ir_replay_open(const ir_broker_options_t *broker, const char *trusted_users,
                           ir_replay_t **replay, ir_error_t *error);
void ir_replay_close(ir_replay_t *replay);

typedef struct ir_replay_message {
    ir_view_t key_text, type_text, name_text; /* common/legible.h; the name empty: none */
    ir_view_t body;
    int64_t arrival_ns, sent_ns; /* 0: not known */
} ir_replay_message_t;

/* OK: it is on its way. REFUSED: AMQP or the broker cannot take this one. RETRY: what is not
 * flushed yet is to be published again. */
ir_outcome_t ir_replay_publish(ir_replay_t *replay, const ir_replay_message_t *message,
                               ir_error_t *error);

/* Waits for the confirms of all. OK or RETRY. */
ir_outcome_t ir_replay_flush(ir_replay_t *replay, ir_error_t *error);

#endif
