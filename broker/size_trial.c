#include "broker/size_trial.h"

#include "broker/replies.h"
#include "common/clock.h"
#include "common/messages.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL 1
#define NOWHERE "ir.nowhere"
#define TRIAL_NS (5 * IR_SECOND_NS)
#define AGAIN_NS (60 * IR_SECOND_NS)
#define PIECE_BYTES ((size_t)64 * 1024)

/* Parses "message size 2000000 is larger than configured max size 1048576" (rabbit_channel.erl). */
void ir_size_learn(ir_size_bound_t *bound, ir_view_t words) {
    static const char before[] = "max size ";
    const char *at = words.size > 0 ? memmem(words.data, words.size, before, strlen(before)) : NULL;
    size_t most = 0;
    for (at = at != NULL ? at + strlen(before) : NULL;
         at != NULL && at < words.data + words.size && isdigit((unsigned char)*at) &&
         most < SIZE_MAX / 16;
         at++) {
        most = most * 10 + (size_t)(*at - '0');
    }
    if (most > 0) {
        *bound = (ir_size_bound_t){.taken = most, .most = most, .tried_ns = ir_clock_monotonic()};
    }
}

/* The broker checks the size first. So if it refuses a message because of missing permissions or a
 * missing exchange, it accepted the size. */
static ir_status_t take_reply(ir_size_bound_t *bound, size_t size, amqp_rpc_reply_t reply,
                              ir_error_t *error) {
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *closed = reply.reply.decoded;
        if (closed->reply_code != AMQP_PRECONDITION_FAILED) {
            bound->taken = size;
            bound->most = 0;
        } else {
            ir_size_learn(bound, ir_broker_view(closed->reply_text));
        }
        return IR_OK;
    }
    const ir_status_t status = ir_broker_reply(reply, "cannot try a message's size", error);
    return status != IR_OK
               ? status
               : ir_error_set(error, IR_ERR_PROTOCOL,
                              "RabbitMQ accepted a message to a missing exchange without an error");
}

/* Sends zeros in pieces, so that memory and time stay limited. */
static int send_body(amqp_connection_state_t connection, size_t size, int64_t end_ns) {
    static char zeros[PIECE_BYTES];
    int sent = AMQP_STATUS_OK;
    while (size > 0 && sent == AMQP_STATUS_OK) {
        const size_t piece = size < sizeof zeros ? size : sizeof zeros;
        const amqp_frame_t frame = {
            .frame_type = AMQP_FRAME_BODY,
            .channel = CHANNEL,
            .payload.body_fragment = {.len = piece, .bytes = zeros},
        };
        sent = ir_clock_monotonic() < end_ns ? amqp_send_frame(connection, &frame)
                                             : AMQP_STATUS_TIMEOUT;
        size -= piece;
    }
    return sent;
}

static ir_status_t send_nowhere(amqp_connection_state_t connection, size_t size, int64_t end_ns,
                                ir_error_t *error) {
    amqp_basic_properties_t none = {._flags = 0};
    amqp_basic_publish_t publish = {.exchange = amqp_cstring_bytes(NOWHERE)};
    const amqp_frame_t header = {
        .frame_type = AMQP_FRAME_HEADER,
        .channel = CHANNEL,
        .payload.properties = {.class_id = AMQP_BASIC_CLASS, .body_size = size, .decoded = &none},
    };
    int sent = amqp_send_method(connection, CHANNEL, AMQP_BASIC_PUBLISH_METHOD, &publish);
    if (sent == AMQP_STATUS_OK) {
        sent = amqp_send_frame(connection, &header);
    }
    if (sent == AMQP_STATUS_OK) {
        sent = send_body(connection, size, end_ns);
    }
    return sent == AMQP_STATUS_OK ? IR_OK
                                  : ir_broker_fault(sent, "cannot try a message's size", error);
}

static ir_status_t try_size(ir_size_bound_t *bound, const ir_broker_options_t *options,
                            unsigned start, ir_error_t *error) {
    const size_t size = options->trial_bytes;
    amqp_connection_state_t connection = NULL;
    ir_status_t status = ir_broker_connect(options, start, &connection, error);
    if (status != IR_OK) {
        return status;
    }
    amqp_channel_open(connection, CHANNEL);
    status = ir_broker_reply(amqp_get_rpc_reply(connection), "cannot open a channel", error);
    if (status == IR_OK) {
        status = send_nowhere(connection, size, ir_clock_monotonic() + options->timeout_ns, error);
    }
    if (status == IR_OK) {
        /* The broker's answer to the message arrives before its reply to this call, or instead of
         * that reply. */
        amqp_channel_flow(connection, CHANNEL, 1);
        status = take_reply(bound, size, amqp_get_rpc_reply(connection), error);
        ir_broker_disconnect(connection);
    } else {
        amqp_destroy_connection(connection); /* in the middle of a frame */
    }
    return status;
}

void ir_size_try(ir_size_bound_t *bound, const ir_broker_options_t *options, unsigned start) {
    const int64_t now_ns = ir_clock_monotonic();
    if (options->trial_bytes <= IR_SIZE_UNTRIED || options->trial_bytes <= bound->taken ||
        (bound->tried_ns != 0 && now_ns - bound->tried_ns < AGAIN_NS)) {
        return;
    }
    /* Without heartbeats the time-out limits how long a send may hang. */
    ir_broker_options_t trial = *options;
    trial.heartbeat_s = 0;
    trial.timeout_ns = options->timeout_ns < TRIAL_NS ? options->timeout_ns : TRIAL_NS;
    ir_error_t unknown;
    bound->tried_ns = now_ns;
    (void)try_size(bound, &trial, start, &unknown);
}

static ir_status_t too_large(size_t size, size_t most, const char *whose, ir_error_t *error) {
    return ir_error_set(error, IR_ERR_RANGE, IR_TEXT_MESSAGE_TOO_LARGE, size, whose, most);
}

ir_status_t ir_size_check(const ir_size_bound_t *bound, const ir_broker_options_t *options,
                          size_t size, ir_error_t *error) {
    if (options->message_bytes > 0 && size > options->message_bytes) {
        return too_large(size, options->message_bytes, "publish-bytes", error);
    }
    return bound->most > 0 && size > bound->most
               ? too_large(size, bound->most, "RabbitMQ's max_message_size", error)
               : IR_OK;
}
