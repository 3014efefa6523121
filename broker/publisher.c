#include "broker/publisher_state.h"

#include "broker/frames.h"
#include "broker/replies.h"
#include "common/clock.h"

#include <stdlib.h>

#define GATHER_BYTES (64 * 1024)
#define FIND_NS IR_SECOND_NS
#define RENEW_NS (5 * IR_SECOND_NS)
#define RECEIVE_EVERY                                                                              \
    64 /* a number of messages; used only with TLS, where messages are not                         \
        * collected */
#define BLOCKED_TEXT "broker blocks publishers (memory or disk alarm)"

_Static_assert(IR_PUBLISHER_OPEN_MESSAGES <= IR_CONFIRMS_WINDOW, "every open message has a place");

/* ---- waiting ---- */

static void ir_publisher_forget_batch(ir_publisher_t *publisher) {
    publisher->published = publisher->settled = 0;
    publisher->nacked = publisher->returned = 0;
    publisher->first = publisher->confirms.next;
}

/* RabbitMQ 3.10: if a channel was opened while a quorum queue had no leader, that queue refuses all
 * its messages for ever. A nack does not show whether this is the reason, or a full queue. So a
 * connection with nacks is replaced, but not too often. */
static bool is_doubtful(const ir_publisher_t *publisher) {
    return publisher->nacks && ir_clock_monotonic() - publisher->connected_ns >= RENEW_NS;
}

static ir_status_t receive(ir_publisher_t *publisher, int64_t wait_ns, ir_error_t *error) {
    return ir_publisher_receive(publisher, wait_ns, -1, error);
}

typedef bool (*ir_publisher_done_fn)(const ir_publisher_t *publisher);

static bool is_sent(const ir_publisher_t *publisher) {
    return !ir_publisher_has_unsent(publisher);
}

static bool is_confirmed(const ir_publisher_t *publisher) {
    return !ir_publisher_has_unsent(publisher) && publisher->confirms.open == 0;
}

/* True when half of the window is free, so that half a window can be published before the next
 * wait. */
static bool is_half_confirmed(const ir_publisher_t *publisher) {
    return publisher->confirms.open <= IR_PUBLISHER_OPEN_MESSAGES / 2 &&
           publisher->confirms.bytes <= IR_PUBLISHER_OPEN_BYTES / 2;
}

static bool is_unblocked(const ir_publisher_t *publisher) {
    return !publisher->blocked;
}

/* Measures progress: if the result does not change within the time-out, the wait ends. */
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
        const ir_status_t status = receive(publisher, left_ns, error);
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

/* Keeps the connection to a broker that only blocks publishers: it confirms the messages once it
 * continues. With a new connection they would be sent again. `status` is the reason why the batch
 * ended. */
static ir_outcome_t retry(ir_publisher_t *publisher, ir_status_t status) {
    const bool only_blocks = publisher->blocked && status == IR_ERR_TIMEOUT;
    if (publisher->connection != NULL && !only_blocks) {
        ir_publisher_drop(publisher);
    }
    ir_publisher_forget_batch(publisher);
    return IR_OUTCOME_RETRY;
}

/* ---- publishing ---- */

static bool is_quiet(const ir_publisher_t *publisher) {
    return publisher->confirms.open == 0 && publisher->out.size == 0;
}

/* Does not wait for the answer: a broker that does not answer may still accept messages. If it
 * refuses later, it closes the connection. */
static ir_status_t find_exchange(ir_publisher_t *publisher, ir_error_t *error) {
    const int64_t end_ns = publisher->connected_ns + FIND_NS;
    ir_status_t status = IR_OK;
    for (int64_t left_ns = FIND_NS; status == IR_OK && publisher->asks && left_ns > 0;
         left_ns = end_ns - ir_clock_monotonic()) {
        status = receive(publisher, left_ns, error);
    }
    publisher->asks = false;
    return status;
}

/* Replaces a connection that was closed since the last batch. Call it before the first message of a
 * batch. */
static ir_status_t make_ready(ir_publisher_t *publisher, ir_error_t *error) {
    ir_error_t stale;
    if (publisher->connection != NULL && is_quiet(publisher) &&
        (is_doubtful(publisher) || receive(publisher, 0, &stale) != IR_OK)) {
        ir_publisher_drop(publisher);
    }
    if (publisher->connection == NULL) {
        const ir_status_t status = ir_publisher_connect(publisher, error);
        return status == IR_OK ? find_exchange(publisher, error) : status;
    }
    return publisher->blocked ? wait_until(publisher, is_unblocked, error) : IR_OK;
}

/* Processes the answers that still arrive, then ends the batch. Call it in the middle of a
 * batch. */
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
        publisher->connection, IR_PUBLISHER_CHANNEL, amqp_cstring_bytes(publication->exchange),
        ir_broker_bytes(publication->routing_key), publication->mandatory, 0, &properties.basic,
        ir_broker_bytes(publication->body));
    if (sent != AMQP_STATUS_OK) {
        return ir_broker_fault(sent, "publishing failed", error);
    }
    publisher->wrote_ns = ir_clock_monotonic();
    count_open(publisher, publication);
    return publisher->confirms.next % RECEIVE_EVERY == 0 ? receive(publisher, 0, error) : IR_OK;
}

static ir_status_t write_plain(ir_publisher_t *publisher, const ir_publication_t *publication,
                               ir_error_t *error) {
    const ir_status_t status = ir_frames_append(&publisher->out, publication, IR_PUBLISHER_CHANNEL,
                                                publisher->frame_max, error);
    if (status != IR_OK) {
        return status;
    }
    count_open(publisher, publication);
    if (publisher->out.size < GATHER_BYTES) {
        return IR_OK;
    }
    const ir_status_t sent = ir_publisher_send_some(publisher, error);
    const ir_status_t seen = sent == IR_OK ? receive(publisher, 0, error) : sent;
    /* Callers that receive the result of each message do not wait here: they check
     * ir_publisher_full. */
    return seen == IR_OK && !ir_publisher_answers_singly(publisher)
               ? wait_until(publisher, is_sent, error)
               : seen;
}

/* The broker's limit on the size of frames is known only after connecting. */
static bool can_go(const ir_publisher_t *publisher, const ir_publication_t *publication,
                   ir_error_t *error) {
    return ir_frames_check(publication, publisher->frame_max, error) == IR_OK &&
           ir_size_check(&publisher->bound, &publisher->options, publication->body.size, error) ==
               IR_OK;
}

ir_outcome_t ir_publisher_publish(ir_publisher_t *publisher, const ir_publication_t *publication,
                                  ir_error_t *error) {
    if (publisher->published > 0 && !ir_publisher_answers_singly(publisher) &&
        is_doubtful(publisher)) {
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
    ir_publisher_forget_batch(publisher);
    return IR_OUTCOME_RETRY;
}

ir_outcome_t ir_publisher_flush(ir_publisher_t *publisher, ir_error_t *error) {
    if (publisher->published == 0) {
        return IR_OUTCOME_OK;
    }
    ir_status_t status =
        publisher->connection != NULL
            ? ir_publisher_send_some(publisher, error)
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
    ir_publisher_forget_batch(publisher);
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
    ir_status_t status = ir_publisher_send_some(publisher, error);
    if (status == IR_OK) {
        status = ir_publisher_receive(publisher, wait_ns, publisher->wake_fd, error);
    }
    if (status != IR_OK) {
        return retry(publisher, status);
    }
    return publisher->nacked > 0 || publisher->returned > 0 ? ir_publisher_flush(publisher, error)
                                                            : IR_OUTCOME_OK;
}

uint64_t ir_publisher_settled(const ir_publisher_t *publisher) {
    return ir_publisher_count_settled(publisher);
}

void ir_publisher_idle(ir_publisher_t *publisher) {
    ir_error_t error;
    if (publisher->connection != NULL && receive(publisher, 0, &error) != IR_OK) {
        ir_publisher_drop(publisher);
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
    ir_publisher_drop(publisher);
    ir_publisher_forget_batch(publisher);
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
    /* A close must not be sent in the middle of a frame. A broker that blocks publishers would not
     * read it. */
    if (publisher->connection != NULL && publisher->sent == 0 && !publisher->blocked) {
        ir_broker_disconnect(publisher->connection);
        publisher->connection = NULL;
    }
    ir_publisher_drop(publisher);
    free(publisher);
}
