/* Confirmed publishing on a connection of its own: publish many, then flush. Belongs to one thread;
 * calls block, each within the time-out. */
#ifndef IR_BROKER_PUBLISHER_H
#define IR_BROKER_PUBLISHER_H

#include "broker/connection.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_publisher ir_publisher_t;

/* Most messages, and bytes of their bodies, that are published and not confirmed. */
#define IR_PUBLISHER_OPEN_MESSAGES 5000
#define IR_PUBLISHER_OPEN_BYTES (8 * 1024 * 1024)

/* Prepares; the first publish connects. NULL when memory is out. */
ir_publisher_t *ir_publisher_new(const ir_broker_options_t *options);
void ir_publisher_free(ir_publisher_t *publisher);

/* Connecting fails while this exchange is not there. `exchange` is not copied. */
void ir_publisher_need(ir_publisher_t *publisher, const char *exchange);

/* Takes over what `from`, a publisher to the same broker, knows of it. */
void ir_publisher_inherit(ir_publisher_t *publisher, const ir_publisher_t *from);

typedef struct ir_header {
    const char *name;
    enum { IR_HEADER_TEXT, IR_HEADER_INTEGER, IR_HEADER_FLAG } kind;
    ir_view_t text;
    int64_t integer; /* INTEGER; FLAG: 0 or 1 */
} ir_header_t;

#define IR_HEADERS_MAX 12

typedef struct ir_publication {
    const char *exchange;
    ir_view_t routing_key; /* at most 255 bytes */
    const char *content_type;
    ir_view_t message_id; /* or empty */
    ir_view_t user_id;    /* or empty; the broker takes that of the connection's user only */
    int64_t timestamp_s;  /* property timestamp, seconds since 1970; 0: none */
    const ir_header_t *headers;
    size_t n_headers;
    ir_view_t body;
    bool mandatory; /* unroutable counts as a failure, not as done */
    bool transient; /* delivery mode 1 instead of 2 */
    void *ticket;   /* comes back with the answer, see ir_publisher_on_answer */
} ir_publication_t;

/* Connects when not connected, then writes the message; it is not sent before the next flush or
 * until enough has gathered. Confirms that arrived are taken in passing. RETRY: the connection
 * broke or the broker blocks publishers; everything since the last good flush must be published
 * again. REFUSED: AMQP cannot carry this message, or the broker does not take its size; it was not
 * sent, and all others stand. */
ir_outcome_t ir_publisher_publish(ir_publisher_t *publisher, const ir_publication_t *publication,
                                  ir_error_t *error);

/* After RETRY: the code with which the broker ended the channel or the connection (RabbitMQ does so
 * over one message that it does not take, and then says nothing of which one); 0: it did not. */
unsigned ir_publisher_closed_code(const ir_publisher_t *publisher);

/* Waits until every message since the last good flush is confirmed. RETRY as above, also when one
 * was nacked, returned as unroutable, or not confirmed within the time-out. */
ir_outcome_t ir_publisher_flush(ir_publisher_t *publisher, ir_error_t *error);

/* For senders that cannot stop at a flush, because they publish on a schedule. */

/* Connects when not connected. RETRY: cannot, or the broker blocks publishers. */
ir_outcome_t ir_publisher_prepare(ir_publisher_t *publisher, ir_error_t *error);

/* Sends what is written and takes what the broker answers; waits at most `wait_ns` for an answer,
 * not at all for confirms that are outstanding. Drives heartbeats. RETRY as flush (waits as long as
 * flush when a message was nacked or returned). */
ir_outcome_t ir_publisher_push(ir_publisher_t *publisher, int64_t wait_ns, ir_error_t *error);

/* From now on ir_publisher_push also comes back when `fd` (an eventfd of the caller's) becomes
 * readable; -1: no more. */
void ir_publisher_wake_on(ir_publisher_t *publisher, int fd);

/* How many of the messages published since the last flush that said OK or RETRY are done, counted
 * from the first one without a gap. */
uint64_t ir_publisher_settled(const ir_publisher_t *publisher);

/* For senders that are told of each message. Both are called inside the calls above. */
typedef struct ir_publisher_answers {
    /* Once for each ticket, in any order; `confirmed` is false for a nack. What a RETRY leaves open
     * is not told of. */
    void (*on_answer)(void *context, void *ticket, bool confirmed);

    /* A message with this routing key was unroutable. AMQP does not say which one; it is open, and
     * its (good) answer is still to come. */
    void (*on_return)(void *context, ir_view_t routing_key, const ir_error_t *why);

    void *context;
} ir_publisher_answers_t;

/* Asks for that. A nack or a return then fails only its own message and no longer push and flush,
 * and a doubtful connection is the caller's to give up. */
void ir_publisher_on_answer(ir_publisher_t *publisher, const ir_publisher_answers_t *answers);

/* The next publish would wait for confirms, or the socket does not take what is written: push
 * first. */
bool ir_publisher_full(const ir_publisher_t *publisher);

/* How many messages are open. */
uint64_t ir_publisher_open(const ir_publisher_t *publisher);

/* The number of the message published last; and waiting no longer for the answer to one: its room
 * is free again. */
uint64_t ir_publisher_last(const ir_publisher_t *publisher);
void ir_publisher_forget(ir_publisher_t *publisher, uint64_t number);

/* There were nacks on this connection, and it is not new: a new one might do better. */
bool ir_publisher_doubtful(const ir_publisher_t *publisher);

/* Ends the connection, as a RETRY does. */
void ir_publisher_disconnect(ir_publisher_t *publisher);

/* Idle upkeep: drives heartbeats; call at least every few seconds when nothing is published. */
void ir_publisher_idle(ir_publisher_t *publisher);

bool ir_publisher_connected(const ir_publisher_t *publisher);

/* The broker has said that it blocks publishers: the next publish would wait for its end. */
bool ir_publisher_blocked(const ir_publisher_t *publisher);

#endif
