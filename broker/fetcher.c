#include "broker/fetcher.h"

#include "broker/replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL 1
#define WHAT_SIZE 320

struct ir_fetcher {
    const char *queue;
    amqp_connection_state_t connection;
    bool holds; /* `message` must be released */
    amqp_message_t message;
    char key[256]; /* an AMQP short string has at most 255 bytes */
};

ir_status_t ir_fetcher_open(const ir_broker_options_t *options, const char *queue,
                            ir_fetcher_t **fetcher, ir_error_t *error) {
    ir_broker_options_t receiving = *options;
    receiving.receives = true;
    ir_fetcher_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the messages of %s", queue);
    }
    made->queue = queue;
    ir_status_t status = ir_broker_connect(&receiving, 0, &made->connection, error);
    if (status == IR_OK && amqp_channel_open(made->connection, CHANNEL) == NULL) {
        status =
            ir_broker_reply(amqp_get_rpc_reply(made->connection), "cannot open a channel", error);
    }
    if (status != IR_OK) {
        ir_fetcher_close(made);
        return status;
    }
    *fetcher = made;
    return IR_OK;
}

static void release(ir_fetcher_t *fetcher) {
    if (fetcher->holds) {
        amqp_destroy_message(&fetcher->message);
        amqp_maybe_release_buffers(fetcher->connection);
        fetcher->holds = false;
    }
}

static ir_view_t property(const amqp_basic_properties_t *properties, amqp_flags_t flag,
                          amqp_bytes_t bytes) {
    return (properties->_flags & flag) != 0 ? ir_broker_view(bytes) : ir_view(NULL, 0);
}

static void describe(const ir_fetcher_t *fetcher, const amqp_basic_get_ok_t *head,
                     ir_assembled_t *message) {
    const amqp_basic_properties_t *properties = &fetcher->message.properties;
    *message = (ir_assembled_t){
        .tag = head->delivery_tag,
        .redelivered = head->redelivered != 0,
        .arrival = ir_arrival_read(properties),
        .size = fetcher->message.body.len,
        .routing_key = ir_view(fetcher->key, head->routing_key.len),
        .content_type =
            property(properties, AMQP_BASIC_CONTENT_TYPE_FLAG, properties->content_type),
        .message_id = property(properties, AMQP_BASIC_MESSAGE_ID_FLAG, properties->message_id),
        .user_id = property(properties, AMQP_BASIC_USER_ID_FLAG, properties->user_id),
        .body = ir_broker_view(fetcher->message.body),
    };
}

ir_status_t ir_fetcher_next(ir_fetcher_t *fetcher, ir_assembled_t *message,
                            const ir_headers_t **headers, bool *got, ir_error_t *error) {
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "cannot read %s", fetcher->queue);
    release(fetcher);
    amqp_rpc_reply_t reply =
        amqp_basic_get(fetcher->connection, CHANNEL, amqp_cstring_bytes(fetcher->queue), 0);
    ir_status_t status = ir_broker_reply(reply, what, error);
    *got = status == IR_OK && reply.reply.id == AMQP_BASIC_GET_OK_METHOD;
    if (!*got) {
        return status;
    }
    const amqp_basic_get_ok_t head = *(const amqp_basic_get_ok_t *)reply.reply.decoded;
    memcpy(fetcher->key, head.routing_key.bytes, head.routing_key.len);
    reply = amqp_read_message(fetcher->connection, CHANNEL, &fetcher->message, 0);
    status = ir_broker_reply(reply, what, error);
    if (status == IR_OK) {
        fetcher->holds = true;
        describe(fetcher, &head, message);
        *headers = ir_headers_of(&fetcher->message.properties);
    }
    return status;
}

ir_status_t ir_fetcher_acknowledge(ir_fetcher_t *fetcher, uint64_t tag, ir_error_t *error) {
    const int sent = amqp_basic_ack(fetcher->connection, CHANNEL, tag, 0);
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "cannot get a message from %s", fetcher->queue);
    return sent == AMQP_STATUS_OK ? IR_OK : ir_broker_fault(sent, what, error);
}

void ir_fetcher_close(ir_fetcher_t *fetcher) {
    if (fetcher != NULL) {
        release(fetcher);
        ir_broker_disconnect(fetcher->connection);
        free(fetcher);
    }
}
