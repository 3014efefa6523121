#include "broker/publisher.h"

#include "broker/confirms.h"
#include "broker/frames.h"
#include "broker/replies.h"
#include "broker/size_trial.h"
#include "common/buffer.h"
#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHANNEL 1
#define GATHER_BYTES (64 * 1024)
#define BUFFER_KEPT (1024 * 1024)
#define FIND_NS IR_SECOND_NS
#define RENEW_NS (5 * IR_SECOND_NS)
#define LOOK_EVERY 64 /* messages; only with TLS, where messages are not collected */
#define BLOCKED_TEXT "broker blocks publishers (memory or disk alarm)"

_Static_assert(IR_PUBLISHER_OPEN_MESSAGES <= IR_CONFIRMS_WINDOW, "every open message has a place");
_Static_assert(IR_CLOSED_FORCED == AMQP_CONNECTION_FORCED &&
                   IR_CLOSED_ACCESS_REFUSED == AMQP_ACCESS_REFUSED,
               "the codes are those of the library");

struct ir_publisher {
    ir_broker_options_t options;
    const char *needed; /* an exchange, or NULL */
    bool asks;          /* asked whether it exists; no answer yet */
    unsigned attempt;
    amqp_connection_state_t connection;
    int fd;
    bool secure; /* TLS: bytes can be sent only through the library */
    uint32_t frame_max;
    int heartbeat_s;
    int64_t heard_ns, wrote_ns, connected_ns;
    bool blocked;
    bool nacks;           /* there were nacks on this connection */
    unsigned closed_code; /* of the broker, when it closed channel or connection; or 0 */
    ir_size_bound_t bound;

    ir_buffer_t out; /* complete frames; the first `sent` bytes are sent */
    size_t sent;
    ir_confirms_t confirms;

    int wake_fd; /* the caller's descriptor, or -1 */
    ir_publisher_answers_t answers;

    /* since the last flush that said OK or RETRY */
    uint64_t first; /* the number of the first message */
    uint64_t published, settled, nacked, returned;
    ir_error_t first_return;
};

/* ---- the connection ---- */

static void forget_batch(ir_publisher_t *publisher) {
    publisher->published = publisher->settled = 0;
    publisher->nacked = publisher->returned = 0;
    publisher->first = publisher->confirms.next;
}

static void drop(ir_publisher_t *publisher) {
    amqp_destroy_connection(publisher->connection);
    publisher->connection = NULL;
    publisher->fd = -1;
    publisher->blocked = publisher->nacks = false;
    ir_buffer_free(&publisher->out);
    publisher->sent = 0;
    ir_confirms_init(&publisher->confirms);
}

static ir_status_t open_channel(amqp_connection_state_t connection, ir_error_t *error) {
    if (amqp_channel_open(connection, CHANNEL) == NULL) {
        return ir_broker_reply(amqp_get_rpc_reply(connection), "cannot open a channel", error);
    }
    if (amqp_confirm_select(connection, CHANNEL) == NULL) {
        return ir_broker_reply(amqp_get_rpc_reply(connection), "cannot ask for confirms", error);
    }
    return IR_OK;
}

/* A passive declaration, which needs no permission. */
static ir_status_t ask_for_exchange(amqp_connection_state_t connection, const char *exchange,
                                    ir_error_t *error) {
    amqp_exchange_declare_t declare = {
        .exchange = amqp_cstring_bytes(exchange), .type = amqp_empty_bytes, .passive = 1};
    const int sent = amqp_send_method(connection, CHANNEL, AMQP_EXCHANGE_DECLARE_METHOD, &declare);
    return sent == AMQP_STATUS_OK ? IR_OK
                                  : ir_broker_fault(sent, "cannot look for the exchange", error);
}

static ir_status_t connect_publisher(ir_publisher_t *publisher, ir_error_t *error) {
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

/* A channel that was opened while a quorum queue had no leader is refused by that queue for ever
 * (RabbitMQ 3.10). A nack does not tell whether that is the reason, or a full queue. So a
 * connection with nacks is replaced, but not too often. */
static bool is_doubtful(const ir_publisher_t *publisher) {
    return publisher->nacks && ir_clock_monotonic() - publisher->connected_ns >= RENEW_NS;
}

/* ---- the broker's answers ---- */

/* Open messages of an earlier batch count as open messages of this one. A return arrives before the
 * confirm of its message, so everything settled before it is safe. */
static uint64_t count_settled(const ir_publisher_t *publisher) {
    const uint64_t unsettled = publisher->confirms.next - ir_confirms_oldest(&publisher->confirms);
    if (publisher->nacked > 0 || publisher->returned > 0) {
        return publisher->settled;
    }
    return publisher->published > unsettled ? publisher->published - unsettled : 0;
}

static bool answers_singly(const ir_publisher_t *publisher) {
    return publisher->answers.on_answer != NULL;
}

/* Messages of an earlier batch were given up: ignore their answers. */
static void tell_answer(const ir_publisher_t *publisher, uint64_t tag, void *ticket,
                        bool confirmed) {
    if (answers_singly(publisher) && tag >= publisher->first) {
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
    publisher->nacked += nack && !answers_singly(publisher) ? answered : 0;
    publisher->nacks |= nack;
    publisher->settled = count_settled(publisher);
    return IR_OK;
}

static void take_return(ir_publisher_t *publisher, const amqp_basic_return_t *returned) {
    ir_error_t why;
    const ir_view_t routing_key = ir_broker_view(returned->routing_key);
    ir_error_set(&why, IR_ERR_REFUSED, "exchange %.*s, routing key %.*s: %u %.*s",
                 IR_VIEW_ARG(ir_broker_view(returned->exchange)), IR_VIEW_ARG(routing_key),
                 returned->reply_code, IR_VIEW_ARG(ir_broker_view(returned->reply_text)));
    if (answers_singly(publisher)) {
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
    /* The content of a returned message is ignored. */
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
static ir_status_t send_some(ir_publisher_t *publisher, ir_error_t *error) {
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

static bool has_unsent(const ir_publisher_t *publisher) {
    return publisher->sent < publisher->out.size;
}

static ir_status_t send_heartbeat(ir_publisher_t *publisher, ir_error_t *error) {
    if (!publisher->secure) {
        ir_frames_append_heartbeat(&publisher->out);
        return ir_buffer_ok(&publisher->out)
                   ? send_some(publisher, error)
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
    /* With bytes unsent no heartbeat is needed: the broker will read those first. */
    return now_ns - publisher->wrote_ns >= interval_ns / 2 && !has_unsent(publisher)
               ? send_heartbeat(publisher, error)
               : IR_OK;
}

/* Reads what arrived. First waits at most `wait_ns` for input, for `wake_fd` (or -1) or, if bytes
 * are unsent, for room to send. */
static ir_status_t look_or_wake(ir_publisher_t *publisher, int64_t wait_ns, int wake_fd,
                                ir_error_t *error) {
    struct pollfd polled[] = {
        {.fd = publisher->fd, .events = (short)(POLLIN | (has_unsent(publisher) ? POLLOUT : 0))},
        {.fd = wake_fd, .events = POLLIN},
    };
    const int64_t slice_ns =
        publisher->heartbeat_s > 0 ? publisher->heartbeat_s * IR_SECOND_NS / 2 : IR_SECOND_NS;
    wait_ns = wait_ns < slice_ns ? wait_ns : slice_ns;
    /* Rounded up: rounding half a millisecond down would make a busy loop. */
    const int ms = (int)((wait_ns + IR_MILLISECOND_NS - 1) / IR_MILLISECOND_NS);
    if (poll(polled, 2, ms) < 0 && errno != EINTR) {
        return ir_error_set(error, IR_ERR_IO, "cannot wait for RabbitMQ: %s", strerror(errno));
    }
    ir_status_t status = IR_OK;
    if ((polled[0].revents & ~POLLOUT) != 0) {
        publisher->heard_ns = ir_clock_monotonic();
        status = read_frames(publisher, error);
    }
    if (status == IR_OK && has_unsent(publisher)) {
        status = send_some(publisher, error);
    }
    return status == IR_OK ? keep_alive(publisher, error) : status;
}

static ir_status_t look(ir_publisher_t *publisher, int64_t wait_ns, ir_error_t *error) {
    return look_or_wake(publisher, wait_ns, -1, error);
}

/* ---- waiting ---- */

typedef bool (*ir_publisher_done_fn)(const ir_publisher_t *publisher);

static bool is_sent(const ir_publisher_t *publisher) {
    return !has_unsent(publisher);
}

static bool is_confirmed(const ir_publisher_t *publisher) {
    return !has_unsent(publisher) && publisher->confirms.open == 0;
}

/* Half of the window is free: as many messages again can be published before the next wait. */
static bool is_half_confirmed(const ir_publisher_t *publisher) {
    return publisher->confirms.open <= IR_PUBLISHER_OPEN_MESSAGES / 2 &&
           publisher->confirms.bytes <= IR_PUBLISHER_OPEN_BYTES / 2;
}

static bool is_unblocked(const ir_publisher_t *publisher) {
    return !publisher->blocked;
}

/* A value that must change within the time-out, or the waiting ends. */
static uint64_t progress(const ir_publisher_t *publisher) {
    return publisher->confirms.open + (publisher->out.size - publisher->sent);
}

static ir_status_t wait_until(ir_publisher_t *publisher, ir_publisher_done_fn done,
                              ir_error_t *error) {
    const int64_t timeout_ns = publisher->options.timeout_ns;
    int64_t end_ns = ir_clock_monotonic() + timeout_ns;
    uint64_t before = progress(publisher);
    while (!done(publisher)) {
        const int64_t left_ns = end_ns - ir_clock_monotonic();
        if (left_ns <= 0) {
            return publisher->blocked
                       ? ir_error_set(error, IR_ERR_TIMEOUT, BLOCKED_TEXT)
                       : ir_error_set(error, IR_ERR_TIMEOUT,
                                      "RabbitMQ did not confirm %llu messages in time",
                                      (unsigned long long)publisher->confirms.open);
        }
        const ir_status_t status = look(publisher, left_ns, error);
        if (status != IR_OK) {
            return status;
        }
        if (progress(publisher) != before) {
            before = progress(publisher);
            end_ns = ir_clock_monotonic() + timeout_ns;
        }
    }
    return IR_OK;
}

/* A broker that only blocks keeps its connection: what it was sent is confirmed once it continues,
 * and a new connection would send it again each time. `status` is what ended the batch. */
static ir_outcome_t retry(ir_publisher_t *publisher, ir_status_t status) {
    const bool only_blocks = publisher->blocked && status == IR_ERR_TIMEOUT;
    if (publisher->connection != NULL && !only_blocks) {
        drop(publisher);
    }
    forget_batch(publisher);
    return IR_OUTCOME_RETRY;
}

/* ---- publishing ---- */

static bool is_quiet(const ir_publisher_t *publisher) {
    return publisher->confirms.open == 0 && publisher->out.size == 0;
}

/* A broker that does not answer may still accept messages. So this does not wait for the answer; a
 * later refusal closes the connection. */
static ir_status_t find_exchange(ir_publisher_t *publisher, ir_error_t *error) {
    const int64_t end_ns = publisher->connected_ns + FIND_NS;
    ir_status_t status = IR_OK;
    for (int64_t left_ns = FIND_NS; status == IR_OK && publisher->asks && left_ns > 0;
         left_ns = end_ns - ir_clock_monotonic()) {
        status = look(publisher, left_ns, error);
    }
    publisher->asks = false;
    return status;
}

/* Before the first message of a batch: replaces a connection that was closed meanwhile. */
static ir_status_t make_ready(ir_publisher_t *publisher, ir_error_t *error) {
    ir_error_t stale;
    if (publisher->connection != NULL && is_quiet(publisher) &&
        (is_doubtful(publisher) || look(publisher, 0, &stale) != IR_OK)) {
        drop(publisher);
    }
    if (publisher->connection == NULL) {
        const ir_status_t status = connect_publisher(publisher, error);
        return status == IR_OK ? find_exchange(publisher, error) : status;
    }
    return publisher->blocked ? wait_until(publisher, is_unblocked, error) : IR_OK;
}

/* In the middle of a batch: takes the answers that still arrive, then ends the batch. */
static ir_outcome_t renew(ir_publisher_t *publisher, ir_error_t *error) {
    ir_status_t status = wait_until(publisher, is_confirmed, error);
    if (status == IR_OK) {
        status = ir_error_set(error, IR_ERR_REFUSED,
                              "RabbitMQ refused messages (a queue is full or its node was lost); "
                              "connecting again");
    }
    return retry(publisher, status);
}

static bool is_full(const ir_publisher_t *publisher) {
    return publisher->confirms.open >= IR_PUBLISHER_OPEN_MESSAGES ||
           publisher->confirms.bytes >= IR_PUBLISHER_OPEN_BYTES;
}

static ir_status_t keep_bounds(ir_publisher_t *publisher, ir_error_t *error) {
    return is_full(publisher) ? wait_until(publisher, is_half_confirmed, error) : IR_OK;
}

bool ir_publisher_full(const ir_publisher_t *publisher) {
    return is_full(publisher) || publisher->out.size - publisher->sent >= GATHER_BYTES;
}

static void count_open(ir_publisher_t *publisher, const ir_publication_t *publication) {
    ir_confirms_publish(&publisher->confirms, publication->body.size, publication->ticket);
}

static ir_status_t write_secure(ir_publisher_t *publisher, const ir_publication_t *publication,
                                ir_error_t *error) {
    ir_properties_t properties;
    ir_frames_properties(publication, &properties);
    const int sent = amqp_basic_publish(
        publisher->connection, CHANNEL, amqp_cstring_bytes(publication->exchange),
        ir_broker_bytes(publication->routing_key), publication->mandatory, 0, &properties.basic,
        ir_broker_bytes(publication->body));
    if (sent != AMQP_STATUS_OK) {
        return ir_broker_fault(sent, "publishing failed", error);
    }
    publisher->wrote_ns = ir_clock_monotonic();
    count_open(publisher, publication);
    return publisher->confirms.next % LOOK_EVERY == 0 ? look(publisher, 0, error) : IR_OK;
}

static ir_status_t write_plain(ir_publisher_t *publisher, const ir_publication_t *publication,
                               ir_error_t *error) {
    const ir_status_t status =
        ir_frames_append(&publisher->out, publication, CHANNEL, publisher->frame_max, error);
    if (status != IR_OK) {
        return status;
    }
    count_open(publisher, publication);
    if (publisher->out.size < GATHER_BYTES) {
        return IR_OK;
    }
    const ir_status_t sent = send_some(publisher, error);
    const ir_status_t seen = sent == IR_OK ? look(publisher, 0, error) : sent;
    /* Callers that are told of each message check ir_publisher_full instead of waiting here. */
    return seen == IR_OK && !answers_singly(publisher) ? wait_until(publisher, is_sent, error)
                                                       : seen;
}

/* The broker's limit on frames is known only once connected. */
static bool can_go(const ir_publisher_t *publisher, const ir_publication_t *publication,
                   ir_error_t *error) {
    return ir_frames_check(publication, publisher->frame_max, error) == IR_OK &&
           ir_size_check(&publisher->bound, &publisher->options, publication->body.size, error) ==
               IR_OK;
}

ir_outcome_t ir_publisher_publish(ir_publisher_t *publisher, const ir_publication_t *publication,
                                  ir_error_t *error) {
    if (publisher->published > 0 && !answers_singly(publisher) && is_doubtful(publisher)) {
        return renew(publisher, error);
    }
    ir_status_t status = IR_OK;
    if (publisher->published == 0 || publisher->connection == NULL || publisher->blocked) {
        status = make_ready(publisher, error);
    }
    if (status == IR_OK && !can_go(publisher, publication, error)) {
        return IR_OUTCOME_REFUSED;
    }
    if (status == IR_OK) {
        status = keep_bounds(publisher, error);
    }
    if (status == IR_OK && publisher->published == 0) {
        publisher->first = publisher->confirms.next;
    }
    if (status == IR_OK) {
        status = publisher->secure ? write_secure(publisher, publication, error)
                                   : write_plain(publisher, publication, error);
    }
    if (status != IR_OK) {
        return retry(publisher, status);
    }
    publisher->published++;
    return IR_OUTCOME_OK;
}

static ir_outcome_t refused(ir_publisher_t *publisher, ir_error_t *error) {
    const unsigned long long published = publisher->published;
    if (publisher->returned > 0) {
        ir_error_set(error, IR_ERR_REFUSED,
                     "RabbitMQ could not route %llu of %llu messages, the first to %s",
                     (unsigned long long)publisher->returned, published,
                     publisher->first_return.text);
    } else {
        ir_error_set(error, IR_ERR_REFUSED,
                     "RabbitMQ refused %llu of %llu messages (a queue is full or its node is lost)",
                     (unsigned long long)publisher->nacked, published);
    }
    forget_batch(publisher);
    return IR_OUTCOME_RETRY;
}

ir_outcome_t ir_publisher_flush(ir_publisher_t *publisher, ir_error_t *error) {
    if (publisher->published == 0) {
        return IR_OUTCOME_OK;
    }
    ir_status_t status =
        publisher->connection != NULL
            ? send_some(publisher, error)
            : ir_error_set(error, IR_ERR_CONNECT, "the connection to RabbitMQ broke");
    if (status == IR_OK) {
        status = wait_until(publisher, is_confirmed, error);
    }
    if (status != IR_OK) {
        return retry(publisher, status);
    }
    if (publisher->nacked > 0 || publisher->returned > 0) {
        return refused(publisher, error);
    }
    forget_batch(publisher);
    return IR_OUTCOME_OK;
}

ir_outcome_t ir_publisher_prepare(ir_publisher_t *publisher, ir_error_t *error) {
    const ir_status_t status = make_ready(publisher, error);
    return status == IR_OK ? IR_OUTCOME_OK : retry(publisher, status);
}

ir_outcome_t ir_publisher_push(ir_publisher_t *publisher, int64_t wait_ns, ir_error_t *error) {
    if (publisher->connection == NULL) {
        return ir_publisher_flush(publisher, error);
    }
    ir_status_t status = send_some(publisher, error);
    if (status == IR_OK) {
        status = look_or_wake(publisher, wait_ns, publisher->wake_fd, error);
    }
    if (status != IR_OK) {
        return retry(publisher, status);
    }
    return publisher->nacked > 0 || publisher->returned > 0 ? ir_publisher_flush(publisher, error)
                                                            : IR_OUTCOME_OK;
}

uint64_t ir_publisher_settled(const ir_publisher_t *publisher) {
    return count_settled(publisher);
}

void ir_publisher_idle(ir_publisher_t *publisher) {
    ir_error_t error;
    if (publisher->connection != NULL && look(publisher, 0, &error) != IR_OK) {
        drop(publisher);
    }
}

bool ir_publisher_connected(const ir_publisher_t *publisher) {
    return publisher->connection != NULL;
}

bool ir_publisher_blocked(const ir_publisher_t *publisher) {
    return publisher->blocked;
}

unsigned ir_publisher_closed_code(const ir_publisher_t *publisher) {
    return publisher->closed_code;
}

void ir_publisher_wake_on(ir_publisher_t *publisher, int fd) {
    publisher->wake_fd = fd;
}

void ir_publisher_on_answer(ir_publisher_t *publisher, const ir_publisher_answers_t *answers) {
    publisher->answers = *answers;
}

uint64_t ir_publisher_open(const ir_publisher_t *publisher) {
    return publisher->confirms.open;
}

uint64_t ir_publisher_last(const ir_publisher_t *publisher) {
    return publisher->confirms.next - 1;
}

void ir_publisher_forget(ir_publisher_t *publisher, uint64_t number) {
    ir_confirms_forget(&publisher->confirms, number);
}

bool ir_publisher_doubtful(const ir_publisher_t *publisher) {
    return is_doubtful(publisher);
}

void ir_publisher_disconnect(ir_publisher_t *publisher) {
    drop(publisher);
    forget_batch(publisher);
}

/* ---- life ---- */

ir_publisher_t *ir_publisher_new(const ir_broker_options_t *options) {
    ir_publisher_t *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL) {
        return NULL;
    }
    publisher->options = *options;
    publisher->fd = publisher->wake_fd = -1;
    ir_buffer_init(&publisher->out);
    ir_confirms_init(&publisher->confirms);
    return publisher;
}

void ir_publisher_need(ir_publisher_t *publisher, const char *exchange) {
    publisher->needed = exchange;
}

void ir_publisher_inherit(ir_publisher_t *publisher, const ir_publisher_t *from) {
    publisher->bound = from->bound;
}

void ir_publisher_free(ir_publisher_t *publisher) {
    if (publisher == NULL) {
        return;
    }
    /* A close must not be sent in the middle of a frame, and a broker that blocks does not read
     * it. */
    if (publisher->connection != NULL && publisher->sent == 0 && !publisher->blocked) {
        ir_broker_disconnect(publisher->connection);
        publisher->connection = NULL;
    }
    drop(publisher);
    free(publisher);
}
