/* Listens to an exchange through a separate queue, which ends with the connection. */
#ifndef IR_BROKER_LISTEN_H
#define IR_BROKER_LISTEN_H

#include "broker/connection.h"
#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ir_listen {
    const char *exchange;
    const char *const *patterns; /* the routing keys to bind; for a fanout exchange one, "" */
    size_t n_patterns;
    /* 0: nothing is acknowledged, and messages that this side does not read in time fill the
     * broker's queue without a limit. Otherwise the broker sends at most this many unacknowledged
     * messages, keeps `most` more, and then drops the oldest */
    uint16_t prefetch;
    int32_t most;
} ir_listen_t;

#define IR_LISTEN_QUEUE_SIZE 256

/* Opens the channel and consumes. `queue` is the name that the broker gave the queue.
 * IR_ERR_AUTH: the user may not listen; IR_ERR_NOT_FOUND: there is no such exchange. */
ir_status_t ir_broker_listen(ir_connection_t *connection, uint16_t channel,
                             const ir_listen_t *listen, char queue[static IR_LISTEN_QUEUE_SIZE],
                             ir_error_t *error);

#endif
