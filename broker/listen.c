#include "broker/listen.h"

#include "broker/connection.h"
#include "broker/replies.h"

#include <stdio.h>
#include <string.h>

#define WHAT_SIZE 160

static ir_status_t reply_of(amqp_connection_state_t connection, const char *what,
                            ir_error_t *error) {
    return ir_broker_reply(amqp_get_rpc_reply(connection), what, error);
}

/* Declares an exclusive queue that the broker names and deletes with the connection. */
static ir_status_t declare(amqp_connection_state_t connection, amqp_channel_t channel,
                           const ir_listen_t *listen, char queue[static IR_LISTEN_QUEUE_SIZE],
                           ir_error_t *error) {
    amqp_table_entry_t entries[] = {
        {.key = amqp_cstring_bytes("x-max-length"),
         .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = listen->most}},
        {.key = amqp_cstring_bytes("x-overflow"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("drop-head")}},
    };
    const amqp_table_t bounds = {.num_entries = listen->most > 0 ? 2 : 0, .entries = entries};
    const amqp_queue_declare_ok_t *declared =
        amqp_queue_declare(connection, channel, amqp_empty_bytes, 0, 0, 1, 1, bounds);
    if (declared == NULL) {
        return reply_of(connection, "cannot declare a queue to listen with", error);
    }
    snprintf(queue, IR_LISTEN_QUEUE_SIZE, "%.*s", (int)declared->queue.len,
             (const char *)declared->queue.bytes);
    return IR_OK;
}

static ir_status_t bind_all(amqp_connection_state_t connection, amqp_channel_t channel,
                            const ir_listen_t *listen, const char *queue, ir_error_t *error) {
    char what[WHAT_SIZE];
    ir_status_t status = IR_OK;
    snprintf(what, sizeof what, "cannot subscribe to exchange %s (ir-worker --declare makes it)",
             listen->exchange);
    for (size_t i = 0; i < listen->n_patterns && status == IR_OK; i++) {
        (void)amqp_queue_bind(connection, channel, amqp_cstring_bytes(queue),
                              amqp_cstring_bytes(listen->exchange),
                              amqp_cstring_bytes(listen->patterns[i]), amqp_empty_table);
        status = reply_of(connection, what, error);
    }
    return status;
}

ir_status_t ir_broker_listen(amqp_connection_state_t connection, amqp_channel_t channel,
                             const ir_listen_t *listen, char queue[static IR_LISTEN_QUEUE_SIZE],
                             ir_error_t *error) {
    (void)amqp_channel_open(connection, channel);
    ir_status_t status = reply_of(connection, "cannot open a channel", error);
    if (status == IR_OK) {
        status = declare(connection, channel, listen, queue, error);
    }
    if (status == IR_OK) {
        status = bind_all(connection, channel, listen, queue, error);
    }
    if (status == IR_OK && listen->prefetch > 0) {
        (void)amqp_basic_qos(connection, channel, 0, listen->prefetch, 0);
        status = reply_of(connection, "cannot set a prefetch", error);
    }
    if (status == IR_OK) {
        (void)amqp_basic_consume(connection, channel, amqp_cstring_bytes(queue), amqp_empty_bytes,
                                 0, listen->prefetch == 0, 1, amqp_empty_table);
        status = reply_of(connection, "cannot consume what is published", error);
    }
    return status;
}
