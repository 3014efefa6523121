#include "broker/publisher_state.h"

#include "broker/frames.h"
#include "broker/replies.h"
#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_KEPT (1024 * 1024)

_Static_assert(IR_CLOSED_FORCED == AMQP_CONNECTION_FORCED &&
                   IR_CLOSED_ACCESS_REFUSED == AMQP_ACCESS_REFUSED,
               "the codes are those of the library");

/* ---- the connection ---- */

void ir_publisher_drop(ir_publisher_t *publisher) {
    amqp_destroy_connection(publisher->connection);
    publisher->connection = NULL;
    publisher->fd = -1;
    publisher->blocked = publisher->nacks = false;
    ir_buffer_free(&publisher->out);
    publisher->sent = 0;
    ir_confirms_init(&publisher->confirms);
}

static ir_status_t open_channel(amqp_connection_state_t connection, ir_error_t *error) {
    if (amqp_channel_open(connection, IR_PUBLISHER_CHANNEL) == NULL) {
        return ir_broker_reply(amqp_get_rpc_reply(connection), "cannot open a channel", error);
    }
    if (amqp_confirm_select(connection, IR_PUBLISHER_CHANNEL) == NULL) {
        return ir_broker_reply(amqp_get_rpc_reply(connection), "cannot ask for confirms", error);
    }
    return IR_OK;
}

/* Sends a passive declaration, which needs no permission. */
static ir_status_t ask_for_exchange(amqp_connection_state_t connection, const char *exchange,
                                    ir_error_t *error) {
    amqp_exchange_declare_t declare = {
        .exchange = amqp_cstring_bytes(exchange), .type = amqp_empty_bytes, .passive = 1};
    const int sent =
        amqp_send_method(connection, IR_PUBLISHER_CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD, &declare);
    return sent == AMQP_STATUS_OK ? IR_OK
                                  : ir_broker_fault(sent, "cannot look for the exchange", error);
}

ir_status_t ir_publisher_connect(ir_publisher_t *publisher, ir_error_t *error) {
    amqp_connection_state_t connection = NULL;
    publisher->closed_code = 0;
    ir_status_t status =
        ir_broker_connect(&publisher->options, publisher->attempt++, &connection, error);
    if (status != IR_OK) {
        return status;
    }
    ir_size_try(&publisher->bound, &publisher->options, publisher->attempt - 1);
    status = open_channel(connection, error);
    if (status == IR_OK && publisher->needed != NULL) {
        status = ask_for_exchange(connection, publisher->needed, error);
    }
    if (status != IR_OK) {
        ir_broker_disconnect(connection);
        return status;
    }
    publisher->heartbeat_s = ir_broker_take_heartbeat(connection);
    publisher->connection = connection;
    publisher->fd = amqp_get_sockfd(connection);
    publisher->secure = ir_broker_secure(&publisher->options);
    publisher->frame_max = (uint32_t)amqp_get_frame_max(connection);
    publisher->heard_ns = publisher->wrote_ns = publisher->connected_ns = ir_clock_monotonic();
    publisher->asks = publisher->needed != NULL;
    return IR_OK;
}

/* ---- the broker's answers ---- */

/* Messages of an earlier batch that are still open now belong to this batch. The broker sends a
 * basic.return before the confirm of the same message, so what was confirmed earlier is final. */
uint64_t ir_publisher_count_settled(const ir_publisher_t *publisher) {
    const uint64_t unsettled = publisher->confirms.next - ir_confirms_oldest(&publisher->confirms);
    if (publisher->nacked > 0 || publisher->returned > 0) {
        return publisher->settled;
    }
    return publisher->published > unsettled ? publisher->published - unsettled : 0;
}

bool ir_publisher_answers_singly(const ir_publisher_t *publisher) {
    return publisher->answers.on_answer != NULL;
}

/* The earlier batch was given up, so its answers are ignored. */
static void tell_answer(const ir_publisher_t *publisher, uint64_t tag, void *ticket,
                        bool confirmed) {
    if (ir_publisher_answers_singly(publisher) && tag >= publisher->first) {
        publisher->answers.on_answer(publisher->answers.context, ticket, confirmed);
    }
}

static void on_ack(void *context, uint64_t tag, void *ticket) {
    tell_answer(context, tag, ticket, true);
}

static void on_nack(void *context, uint64_t tag, void *ticket) {
    tell_answer(context, tag, ticket, false);
}

static ir_status_t take_answer(ir_publisher_t *publisher, uint64_t tag, bool multiple, bool nack,
                               ir_error_t *error) {
    uint64_t answered = 0;
    if (!ir_confirms_answer(&publisher->confirms, tag, multiple, nack ? on_nack : on_ack, publisher,
                            &answered)) {
        return ir_error_set(error, IR_ERR_PROTOCOL,
                            "RabbitMQ confirmed message %llu, which was not published",
                            (unsigned long long)tag);
    }
    publisher->nacked += nack && !ir_publisher_answers_singly(publisher) ? answered : 0;
    publisher->nacks |= nack;
    publisher->settled = ir_publisher_count_settled(publisher);
    return IR_OK;
}

static void take_return(ir_publisher_t *publisher, const amqp_basic_return_t *returned) {
    ir_error_t why;
    const ir_view_t routing_key = ir_broker_view(returned->routing_key);
    ir_error_set(&why, IR_ERR_REFUSED, "exchange %.*s, routing key %.*s: %u %.*s",
                 IR_VIEW_ARG(ir_broker_view(returned->exchange)), IR_VIEW_ARG(routing_key),
                 returned->reply_code, IR_VIEW_ARG(ir_broker_view(returned->reply_text)));
    if (ir_publisher_answers_singly(publisher)) {
        publisher->answers.on_return(publisher->answers.context, routing_key, &why);
    } else if (publisher->returned++ == 0) {
        publisher->first_return = why;
    }
}

static ir_status_t take_method(ir_publisher_t *publisher, const amqp_method_t *method,
                               ir_error_t *error) {
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;
        return take_answer(publisher, ack->delivery_tag, ack->multiple != 0, false, error);
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;
        return take_answer(publisher, nack->delivery_tag, nack->multiple != 0, true, error);
    }
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
        publisher->asks = false;
        return IR_OK;
    case AMQP_BASIC_RETURN_METHOD:
        take_return(publisher, method->decoded);
        return IR_OK;
    case AMQP_CHANNEL_CLOSE_METHOD: {
        const amqp_channel_close_t *closed = method->decoded;
        ir_size_learn(&publisher->bound, ir_broker_view(closed->reply_text));
        publisher->closed_code = closed->reply_code;
        return ir_broker_refusal(method, "publishing was refused", error);
    }
    default:
        return ir_broker_refusal(method,
                                 publisher->asks
                                     ? "the exchange is missing until a worker declares it"
                                     : "publishing was refused",
                                 error);
    }
}

static ir_status_t take_frame(ir_publisher_t *publisher, const amqp_frame_t *frame,
                              ir_error_t *error) {
    if (frame->channel == 0 && frame->frame_type == AMQP_FRAME_METHOD &&
        frame->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *closed = frame->payload.method.decoded;
        publisher->closed_code = closed->reply_code;
    }
    if (frame->channel == 0) {
        return ir_broker_control(publisher->connection, frame, &publisher->blocked, error);
    }
    /* Ignores the content of a returned message. */
    return frame->frame_type == AMQP_FRAME_METHOD
               ? take_method(publisher, &frame->payload.method, error)
               : IR_OK;
}

static ir_status_t read_frames(ir_publisher_t *publisher, ir_error_t *error) {
    do {
        amqp_frame_t frame;
        const int read = ir_broker_read(publisher->connection, &frame);
        if (read == AMQP_STATUS_TIMEOUT) {
            return IR_OK;
        }
        if (read != AMQP_STATUS_OK) {
            return ir_broker_fault(read, "publishing failed", error);
        }
        const ir_status_t status = take_frame(publisher, &frame, error);
        if (status != IR_OK) {
            return status;
        }
        amqp_maybe_release_buffers_on_channel(publisher->connection, frame.channel);
    } while (amqp_data_in_buffer(publisher->connection) ||
             amqp_frames_enqueued(publisher->connection));
    return IR_OK;
}

/* ---- bytes ---- */

/* Sends as much as the socket accepts. */
ir_status_t ir_publisher_send_some(ir_publisher_t *publisher, ir_error_t *error) {
    while (publisher->sent < publisher->out.size) {
        const ssize_t sent =
            send(publisher->fd, publisher->out.data + publisher->sent,
                 publisher->out.size - publisher->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return IR_OK;
        }
        if (sent < 0) {
            return ir_error_set(error, IR_ERR_CONNECT, "the connection to RabbitMQ broke: %s",
                                strerror(errno));
        }
        publisher->sent += (size_t)sent;
        publisher->wrote_ns = ir_clock_monotonic();
    }
    ir_buffer_clear(&publisher->out);
    publisher->sent = 0;
    if (publisher->out.capacity > BUFFER_KEPT) {
        ir_buffer_free(&publisher->out);
    }
    return IR_OK;
}

bool ir_publisher_has_unsent(const ir_publisher_t *publisher) {
    return publisher->sent < publisher->out.size;
}

static ir_status_t send_heartbeat(ir_publisher_t *publisher, ir_error_t *error) {
    if (!publisher->secure) {
        ir_frames_append_heartbeat(&publisher->out);
        return ir_buffer_ok(&publisher->out)
                   ? ir_publisher_send_some(publisher, error)
                   : ir_error_set(error, IR_ERR_MEMORY, "out of memory for a heartbeat");
    }
    const amqp_frame_t heartbeat = {.frame_type = AMQP_FRAME_HEARTBEAT};
    const int sent = amqp_send_frame(publisher->connection, &heartbeat);
    if (sent != AMQP_STATUS_OK) {
        return ir_broker_fault(sent, "publishing failed", error);
    }
    publisher->wrote_ns = ir_clock_monotonic();
    return IR_OK;
}

static ir_status_t keep_alive(ir_publisher_t *publisher, ir_error_t *error) {
    const int64_t interval_ns = publisher->heartbeat_s * IR_SECOND_NS;
    const int64_t now_ns = ir_clock_monotonic();
    if (interval_ns == 0) {
        return IR_OK;
    }
    if (now_ns - publisher->heard_ns > 2 * interval_ns) {
        return ir_error_set(error, IR_ERR_CONNECT, "RabbitMQ was silent for two heartbeats (%d s)",
                            2 * publisher->heartbeat_s);
    }
    /* While bytes are unsent, no heartbeat is needed: the broker will receive those bytes
     * instead. */
    return now_ns - publisher->wrote_ns >= interval_ns / 2 && !ir_publisher_has_unsent(publisher)
               ? send_heartbeat(publisher, error)
               : IR_OK;
}

/* Reads what arrived. First waits at most `wait_ns` for input, for `wake_fd` (or -1) or, if bytes
 * are unsent, for room to send. */
ir_status_t ir_publisher_receive(ir_publisher_t *publisher, int64_t wait_ns, int wake_fd,
                                 ir_error_t *error) {
    struct pollfd polled[] = {
        {.fd = publisher->fd,
         .events = (short)(POLLIN | (ir_publisher_has_unsent(publisher) ? POLLOUT : 0))},
        {.fd = wake_fd, .events = POLLIN},
    };
    const int64_t slice_ns =
        publisher->heartbeat_s > 0 ? publisher->heartbeat_s * IR_SECOND_NS / 2 : IR_SECOND_NS;
    wait_ns = wait_ns < slice_ns ? wait_ns : slice_ns;
    /* Rounds up. If half a millisecond became 0, the caller would loop without waiting. */
    const int ms = (int)((wait_ns + IR_MILLISECOND_NS - 1) / IR_MILLISECOND_NS);
    if (poll(polled, 2, ms) < 0 && errno != EINTR) {
        return ir_error_set(error, IR_ERR_IO, "cannot wait for RabbitMQ: %s", strerror(errno));
    }
    ir_status_t status = IR_OK;
    if ((polled[0].revents & ~POLLOUT) != 0) {
        publisher->heard_ns = ir_clock_monotonic();
        status = read_frames(publisher, error);
    }
    if (status == IR_OK && ir_publisher_has_unsent(publisher)) {
        status = ir_publisher_send_some(publisher, error);
    }
    return status == IR_OK ? keep_alive(publisher, error) : status;
}
