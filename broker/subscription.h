/* Receives what exchanges publish, on a separate connection, with a separate queue for each
 * exchange. The queues end with the connection: messages published while it is down are missed. The
 * library drives heartbeats while it waits. One thread. */
#ifndef IR_BROKER_SUBSCRIPTION_H
#define IR_BROKER_SUBSCRIPTION_H

#include "broker/assembled.h"
#include "broker/connection.h"
#include "broker/headers.h"
#include "broker/listen.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_subscription ir_subscription_t;

#define IR_SUBSCRIPTION_EXCHANGES 2

typedef struct ir_subscription_reader {
    uint64_t body_most; /* larger bodies are not kept (`oversize`) */
    /* Called with each message's headers (NULL: it has none) before its body arrives. May be
     * NULL. */
    void (*on_headers)(void *context, const ir_headers_t *headers);
    /* The message is valid during the call. */
    void (*message)(void *context, const ir_assembled_t *message);
    void *context;
} ir_subscription_reader_t;

/* Connects; `start` as in ir_broker_connect. */
ir_status_t ir_subscription_open(const ir_broker_options_t *broker, unsigned start,
                                 ir_subscription_t **subscription, ir_error_t *error);

/* Subscribes to an exchange. IR_ERR_AUTH, IR_ERR_NOT_FOUND: as ir_broker_listen; the subscription's
 * other exchanges continue. */
ir_status_t ir_subscription_add(ir_subscription_t *subscription, const ir_listen_t *listen,
                                const ir_subscription_reader_t *reader, ir_error_t *error);

/* Waits at most `wait_ns` for one frame and processes it; calls the reader when it completes a
 * message. Acknowledges messages when nothing arrives, and after a quarter of the prefetch. Any
 * failure ends the subscription. */
ir_status_t ir_subscription_take(ir_subscription_t *subscription, int64_t wait_ns,
                                 ir_error_t *error);

/* Asks the broker whether a queue with a bound is full, so that it drops its oldest messages. */
bool ir_subscription_full(const ir_subscription_t *subscription);

/* NULL is allowed. */
void ir_subscription_close(ir_subscription_t *subscription);

#endif
