/* Whether the broker stamps what arrives (broker/arrival.h), found out by sending it a message with
 * a forged stamp. It goes to amq.topic, whose messages a broker stamps as it does those of
 * ir.observations, under a key that only an exclusive queue of the check is bound to: no worker
 * sees it. */
#ifndef IR_BROKER_STAMP_H
#define IR_BROKER_STAMP_H

#include "broker/rabbitmq_c.h"
#include "common/status.h"

#include <stdint.h>

#define IR_STAMP_KEY_PREFIX "ir-check."

/* Takes `channel`, which must be free, for itself. `ahead_ns`: how far the broker's clock is before
 * this machine's. IR_ERR_REFUSED: the broker does not stamp; IR_ERR_AUTH: the user may not try it.
 * The text says what to do. */
ir_status_t ir_stamp_check(amqp_connection_state_t connection, amqp_channel_t channel,
                           int64_t timeout_ns, int64_t *ahead_ns, ir_error_t *error);

#endif
