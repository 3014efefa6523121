/* Publishing with confirms on a separate connection: publish many messages, then flush. Belongs to
 * one thread. Calls block, each at most for the time-out. */
#ifndef IR_BROKER_PUBLISHER_H
#define IR_BROKER_PUBLISHER_H

#include "broker/connection.h"
#include "broker/publication.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_publisher ir_publisher_t;

/* Limits on unconfirmed messages: their number, and the bytes of their bodies. */
#define IR_PUBLISHER_OPEN_MESSAGES 5000
#define IR_PUBLISHER_OPEN_BYTES (8 * 1024 * 1024)

/* Prepares a publisher; the first publish connects. Returns NULL when memory is exhausted. */
ir_publisher_t *ir_publisher_new(const ir_broker_options_t *options);
void ir_publisher_free(ir_publisher_t *publisher);

/* Connecting fails as long as this exchange does not exist. `exchange` is not copied. */
void ir_publisher_need(ir_publisher_t *publisher, const char *exchange);

/* Takes over what `from`, a publisher to the same broker, has learned about it. */
void ir_publisher_inherit(ir_publisher_t *publisher, const ir_publisher_t *from);

/* Connects if necessary, then writes the message to a buffer. The message is sent by the next
 * flush, or when the buffer has enough messages. Also processes confirms that have arrived. RETRY:
 * the connection broke or the broker blocks publishers; publish everything since the last good
 * flush again. REFUSED: AMQP cannot carry this message, or the broker does not accept its size; it
 * was not sent, and all others are unaffected. */
ir_outcome_t ir_publisher_publish(ir_publisher_t *publisher, const ir_publication_t *publication,
                                  ir_error_t *error);

/* Codes with which a broker closes a channel or a connection (AMQP 0-9-1, reply codes). */
#define IR_CLOSED_FORCED 320 /* the broker shuts down, or an operator closed the connection */
#define IR_CLOSED_ACCESS_REFUSED 403

/* After RETRY: the code with which the broker closed the channel or the connection; 0 if it did
 * not. RabbitMQ closes it because of one message that it refuses, but does not say which one. */
unsigned ir_publisher_closed_code(const ir_publisher_t *publisher);

/* Waits until every message since the last good flush is confirmed. RETRY as above, and also when a
 * message was nacked, returned as unroutable, or not confirmed within the time-out. */
ir_outcome_t ir_publisher_flush(ir_publisher_t *publisher, ir_error_t *error);

/* For senders that cannot stop at a flush, because they publish on a schedule. */

/* Connects if necessary. RETRY: it failed, or the broker blocks publishers. */
ir_outcome_t ir_publisher_prepare(ir_publisher_t *publisher, ir_error_t *error);

/* Sends everything written and processes the broker's answers. Waits at most `wait_ns` for an
 * answer, but not for outstanding confirms. Drives heartbeats. RETRY as for flush (and waits as
 * long as flush when a message was nacked or returned). */
ir_outcome_t ir_publisher_push(ir_publisher_t *publisher, int64_t wait_ns, ir_error_t *error);

/* From now on ir_publisher_push also returns when `fd` (an eventfd of the caller) becomes readable;
 * -1 ends that. */
void ir_publisher_wake_on(ir_publisher_t *publisher, int fd);

/* How many messages are done since the last flush that returned OK or RETRY. Counts from the first
 * message up to the first that is not done. */
uint64_t ir_publisher_settled(const ir_publisher_t *publisher);

/* Callbacks for senders that need the result of each message. Both are called from within the calls
 * above. */
typedef struct ir_publisher_answers {
    /* Called once for each ticket, in any order; `confirmed` is false for a nack. Not called for
     * messages that a RETRY leaves open. */
    void (*on_answer)(void *context, void *ticket, bool confirmed);

    /* A message with this routing key was unroutable. AMQP does not say which one. It is still
     * open, and its confirm is still to come. */
    void (*on_return)(void *context, ir_view_t routing_key, const ir_error_t *why);

    void *context;
} ir_publisher_answers_t;

/* Requests these calls. A nack or a return then affects only its own message, not push and flush;
 * and the caller decides when to give up a doubtful connection. */
void ir_publisher_on_answer(ir_publisher_t *publisher, const ir_publisher_answers_t *answers);

/* Whether the next publish would wait, for confirms or for the socket. If so, call push first. */
bool ir_publisher_full(const ir_publisher_t *publisher);

/* The number of open messages. */
uint64_t ir_publisher_open(const ir_publisher_t *publisher);

/* ir_publisher_last: the number of the message published last. ir_publisher_forget: stops waiting
 * for the answer to a message, and frees its room. */
uint64_t ir_publisher_last(const ir_publisher_t *publisher);
void ir_publisher_forget(ir_publisher_t *publisher, uint64_t number);

/* Whether there were nacks on this connection and it is not new. A new connection may then
 * succeed. */
bool ir_publisher_doubtful(const ir_publisher_t *publisher);

/* Closes the connection, as after RETRY. */
void ir_publisher_disconnect(ir_publisher_t *publisher);

/* Drives heartbeats while nothing is published; call at least every few seconds. */
void ir_publisher_idle(ir_publisher_t *publisher);

bool ir_publisher_connected(const ir_publisher_t *publisher);

/* Whether the broker blocks publishers. The next publish would then wait until the block ends. */
bool ir_publisher_blocked(const ir_publisher_t *publisher);

#endif
