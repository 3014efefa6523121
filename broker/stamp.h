/* Checks whether the broker stamps arriving messages (broker/arrival.h), by sending one with a
 * forged stamp. The message goes to amq.topic, where the broker stamps as for ir.observations. Its
 * key is bound only to an exclusive queue of this check, so no worker sees it. */
#ifndef IR_BROKER_STAMP_H
#define IR_BROKER_STAMP_H

#include "broker/connection.h"
#include "common/status.h"

#include <stdint.h>

#define IR_STAMP_KEY_PREFIX "ir-check."

/* Uses `channel`, which must be free. `ahead_ns`: how far the broker's clock is ahead of this
 * machine's, at least. IR_ERR_REFUSED: the broker does not stamp. IR_ERR_AUTH: the user may not
 * try it. The text says what to do. */
ir_status_t ir_stamp_check(ir_connection_t *connection, uint16_t channel, int64_t timeout_ns,
                           int64_t *ahead_ns, ir_error_t *error);

#endif
