#include "broker/size_trial.h"

#include "broker/rabbitmq_c.h"
#include "common/clock.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL 1
#define NOWHERE "ir.nowhere"
#define FORGET_NS (60 * IR_SECOND_NS)

/* "message size 2000000 is larger than configured max size 1048576" (rabbit_channel.erl). */
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
        *bound = (ir_size_bound_t){.taken = most, .most = most, .learned_ns = ir_clock_monotonic()};
    }
}

/* The size is looked at before rights and exchange: what is not over it is refused for these. */
static ir_status_t take_reply(ir_size_bound_t *bound, size_t size, amqp_rpc_reply_t reply,
                              ir_error_t *error) {
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *closed = reply.reply.decoded;
        if (closed->reply_code != AMQP_PRECONDITION_FAILED) {
            bound->taken = size;
        } else {
            ir_size_learn(bound, ir_broker_view(closed->reply_text));
        }
        return IR_OK;
    }
    const ir_status_t status = ir_broker_reply(reply, "cannot try a message's size", error);
    return status != IR_OK ? status
                           : ir_error_set(error, IR_ERR_PROTOCOL,
                                          "RabbitMQ took a message to nowhere without a word");
}

static ir_status_t send_nowhere(amqp_connection_state_t connection, size_t size,
                                ir_error_t *error) {
    char *body = calloc(size, 1);
    if (body == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a trial of %zu bytes", size);
    }
    const int sent =
        amqp_basic_publish(connection, CHANNEL, amqp_cstring_bytes(NOWHERE), amqp_empty_bytes, 0, 0,
                           NULL, (amqp_bytes_t){.len = size, .bytes = body});
    free(body);
    return sent == AMQP_STATUS_OK ? IR_OK
                                  : ir_broker_fault(sent, "cannot try a message's size", error);
}

static ir_status_t try_size(ir_size_bound_t *bound, const ir_broker_options_t *options, size_t size,
                            ir_error_t *error) {
    amqp_connection_state_t connection = NULL;
    ir_status_t status = ir_broker_connect(options, 0, &connection, error);
    if (status != IR_OK) {
        return status;
    }
    amqp_channel_open(connection, CHANNEL);
    status = ir_broker_reply(amqp_get_rpc_reply(connection), "cannot open a channel", error);
    if (status == IR_OK) {
        status = send_nowhere(connection, size, error);
    }
    if (status == IR_OK) {
        amqp_channel_flow(connection, CHANNEL, 1); /* the answer comes before, or in place of its */
        status = take_reply(bound, size, amqp_get_rpc_reply(connection), error);
    }
    ir_broker_disconnect(connection);
    return status;
}

/* Twice what is needed, so that sizes that grow little by little need few trials. */
static size_t trial_size(const ir_broker_options_t *options, size_t size) {
    const size_t twice = size * 2;
    return options->message_bytes > 0 && twice > options->message_bytes ? options->message_bytes
                                                                        : twice;
}

static ir_status_t too_large(size_t size, size_t most, const char *whose, ir_error_t *error) {
    return ir_error_set(error, IR_ERR_RANGE, "a message of %zu bytes is over %s of %zu", size,
                        whose, most);
}

ir_status_t ir_size_check(ir_size_bound_t *bound, const ir_broker_options_t *options, size_t size,
                          ir_error_t *error) {
    if (options->message_bytes > 0 && size > options->message_bytes) {
        return too_large(size, options->message_bytes, "publish-bytes", error);
    }
    if (bound->most > 0 && ir_clock_monotonic() - bound->learned_ns > FORGET_NS) {
        bound->most = 0;
    }
    if (bound->most > 0 && size > bound->most) {
        return too_large(size, bound->most, "RabbitMQ's max_message_size", error);
    }
    if (size <= IR_SIZE_UNTRIED || size <= bound->taken) {
        return IR_OK;
    }
    const ir_status_t status = try_size(bound, options, trial_size(options, size), error);
    return status == IR_OK && bound->most > 0 && size > bound->most
               ? too_large(size, bound->most, "RabbitMQ's max_message_size", error)
               : status;
}
