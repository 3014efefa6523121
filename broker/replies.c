#include "broker/replies.h"

#include "common/messages.h"

#include <sys/time.h>

static ir_status_t status_of_code(unsigned code) {
    switch (code) {
    case AMQP_ACCESS_REFUSED:
    case AMQP_NOT_ALLOWED:
        return IR_ERR_AUTH;
    case AMQP_NOT_FOUND:
        return IR_ERR_NOT_FOUND;
    case AMQP_PRECONDITION_FAILED:
    case AMQP_RESOURCE_LOCKED:
        return IR_ERR_REFUSED;
    case AMQP_CONNECTION_FORCED:
        return IR_ERR_CONNECT;
    default:
        return IR_ERR_PROTOCOL;
    }
}

ir_status_t ir_broker_refusal(const amqp_method_t *method, const char *what, ir_error_t *error) {
    unsigned code = 0;
    amqp_bytes_t text = amqp_empty_bytes;
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *closed = method->decoded;
        code = closed->reply_code;
        text = closed->reply_text;
    } else if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *closed = method->decoded;
        code = closed->reply_code;
        text = closed->reply_text;
    } else {
        return IR_OK;
    }
    return ir_error_set(error, status_of_code(code), IR_TEXT_BROKER_SAYS, what, code,
                        IR_VIEW_ARG(ir_broker_view(text)));
}

ir_status_t ir_broker_fault(int library_status, const char *what, ir_error_t *error) {
    switch (library_status) {
    case AMQP_STATUS_NO_MEMORY:
        return ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory", what);
    case AMQP_STATUS_TIMEOUT:
        return ir_error_set(error, IR_ERR_TIMEOUT, "%s: no answer from RabbitMQ in time", what);
    case AMQP_STATUS_BAD_AMQP_DATA:
    case AMQP_STATUS_UNKNOWN_CLASS:
    case AMQP_STATUS_UNKNOWN_METHOD:
    case AMQP_STATUS_WRONG_METHOD:
    case AMQP_STATUS_UNEXPECTED_STATE:
        return ir_error_set(error, IR_ERR_PROTOCOL, "%s: RabbitMQ sent what does not belong here",
                            what);
    default:
        return ir_error_set(error, IR_ERR_CONNECT, "%s: the connection to RabbitMQ broke: %s", what,
                            amqp_error_string2(library_status));
    }
}

ir_status_t ir_broker_reply(amqp_rpc_reply_t reply, const char *what, ir_error_t *error) {
    switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL:
        return IR_OK;
    case AMQP_RESPONSE_SERVER_EXCEPTION: {
        const ir_status_t status = ir_broker_refusal(&reply.reply, what, error);
        return status != IR_OK ? status
                               : ir_error_set(error, IR_ERR_PROTOCOL,
                                              "%s: RabbitMQ gave an unexpected answer", what);
    }
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        return ir_broker_fault(reply.library_error, what, error);
    default:
        return ir_error_set(error, IR_ERR_CONNECT, "%s: the connection to RabbitMQ broke", what);
    }
}

int ir_broker_read(amqp_connection_state_t connection, amqp_frame_t *frame) {
    const struct timeval none = {0};
    return amqp_simple_wait_frame_noblock(connection, frame, &none);
}

ir_status_t ir_broker_control(amqp_connection_state_t connection, const amqp_frame_t *frame,
                              bool *blocked, ir_error_t *error) {
    if (frame->frame_type != AMQP_FRAME_METHOD) {
        return IR_OK;
    }
    const amqp_method_t *method = &frame->payload.method;
    if (method->id == AMQP_CONNECTION_BLOCKED_METHOD) {
        *blocked = true;
    } else if (method->id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
        *blocked = false;
    } else if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        amqp_connection_close_ok_t ok = {0};
        (void)amqp_send_method(connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
        return ir_broker_refusal(method, "the connection was closed", error);
    }
    return IR_OK;
}
