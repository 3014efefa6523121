/* Republishes stored messages to ir.observations, with publisher confirms. They keep their first
 * arrival, their sender's name and their time of sending, so that a worker computes the same ids.
 * One thread. */
#ifndef IR_STORE_COMMAND_REPLAY_H
#define IR_STORE_COMMAND_REPLAY_H

#include "broker/connection.h"
#include "common/status.h"
#include "common/view.h"

#include <stdint.h>

typedef struct ir_republisher ir_republisher_t;

/* `trusted_users`: the users whose header ir-arrival the workers accept. IR_ERR_USAGE when the
 * address's user is not one of them. The options' texts must outlive it. */
ir_status_t ir_republisher_open(const ir_broker_options_t *broker, const char *trusted_users,
                                ir_republisher_t **replay, ir_error_t *error);
void ir_republisher_close(ir_republisher_t *replay);

typedef struct ir_republisher_message {
    ir_view_t key_text, type_text, name_text; /* common/legible.h; the name empty: none */
    ir_view_t body;
    int64_t arrival_ns, sent_ns; /* 0: unknown */
} ir_republisher_message_t;

/* OK: it was written. REFUSED: AMQP or the broker cannot accept this message. RETRY: everything
 * since the last flush must be republished. */
ir_outcome_t ir_republisher_publish(ir_republisher_t *replay,
                                    const ir_republisher_message_t *message, ir_error_t *error);

/* Waits until all are confirmed. OK or RETRY. */
ir_outcome_t ir_republisher_flush(ir_republisher_t *replay, ir_error_t *error);

#endif
