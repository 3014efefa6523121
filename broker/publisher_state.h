/* The state of a publisher, shared by publisher.c (publishing and waiting) and publisher_wire.c
 * (its connection: sending and reading). */
#ifndef IR_BROKER_PUBLISHER_STATE_H
#define IR_BROKER_PUBLISHER_STATE_H

#include "broker/confirms.h"
#include "broker/publisher.h"
#include "broker/rabbitmq_c.h"
#include "broker/size_trial.h"
#include "common/buffer.h"

#define IR_PUBLISHER_CHANNEL 1

struct ir_publisher {
    ir_broker_options_t options;
    const char *needed; /* an exchange, or NULL */
    bool asks;          /* an exchange was asked for, and there is no answer yet */
    unsigned attempt;
    amqp_connection_state_t connection;
    int fd;
    bool secure; /* TLS: bytes can be sent only through the library */
    uint32_t frame_max;
    int heartbeat_s;
    int64_t heard_ns, wrote_ns, connected_ns;
    bool blocked;
    bool nacks;           /* there were nacks on this connection */
    unsigned closed_code; /* the broker's code when it closed the channel or the connection; or 0 */
    ir_size_bound_t bound;

    ir_buffer_t out; /* complete frames; the first `sent` bytes are sent */
    size_t sent;
    ir_confirms_t confirms;

    int wake_fd; /* the caller's descriptor, or -1 */
    ir_publisher_answers_t answers;

    /* since the last flush that returned OK or RETRY */
    uint64_t first; /* the number of the first message */
    uint64_t published, settled, nacked, returned;
    ir_error_t first_return;
};

/* ---- publisher_wire.c ---- */

ir_status_t ir_publisher_connect(ir_publisher_t *publisher, ir_error_t *error);

/* Closes the connection at once, and forgets what was open on it. */
void ir_publisher_drop(ir_publisher_t *publisher);

/* Sends as much as the socket accepts. */
ir_status_t ir_publisher_send_some(ir_publisher_t *publisher, ir_error_t *error);
bool ir_publisher_has_unsent(const ir_publisher_t *publisher);

/* Reads what arrived. First waits at most `wait_ns` for input, for `wake_fd` (or -1) or, if bytes
 * are unsent, for room to send. */
ir_status_t ir_publisher_receive(ir_publisher_t *publisher, int64_t wait_ns, int wake_fd,
                                 ir_error_t *error);

/* Whether each answer is reported to the caller (ir_publisher_on_answer). */
bool ir_publisher_answers_singly(const ir_publisher_t *publisher);

/* How many messages of this batch are confirmed, from its first on. */
uint64_t ir_publisher_count_settled(const ir_publisher_t *publisher);

#endif
