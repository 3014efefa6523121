/* The state of a producer, shared by producer.c (its thread: what is sent when), orders.c (phases
 * of load), lanes.c (its connections) and answers.c (what became of a message). */
#ifndef IR_LOADGEN_PRODUCE_PRODUCER_STATE_H
#define IR_LOADGEN_PRODUCE_PRODUCER_STATE_H

#include "common/backoff.h"
#include "common/clock.h"
#include "loadgen/produce/lateness.h"
#include "loadgen/produce/producer.h"
#include "send/window.h"

#include <stdatomic.h>

#define IR_PRODUCER_GRACE_NS                                                                       \
    (200 * IR_MILLISECOND_NS) /* time after an order's end for sending messages that were due      \
                                 before it */
#define IR_PRODUCER_LOG_NS (5 * IR_SECOND_NS)

/* One sender with its connections. */
typedef struct ir_lane {
    ir_producer_t *producer;
    void *sender;
    bool up;
    int64_t retry_ns;   /* time of the next attempt to connect, while it is down */
    int64_t trouble_ns; /* since when it fails; 0: it works */
    ir_backoff_t backoff;
    unsigned given;   /* messages passed to the sender and not yet answered */
    unsigned kept;    /* messages to pass again, because they got no answer */
    unsigned allowed; /* limit for `given`: halved by a loss and raised by one after `allowed`
                         confirms, so that a failure affects few messages */
    unsigned credit;  /* confirms since `allowed` last changed */
} ir_lane_t;

typedef struct ir_answered {
    uint64_t place;
    ir_sender_answer_t answer;
} ir_answered_t;

struct ir_producer {
    ir_producer_options_t options;
    ir_producer_shared_t shared;
    pthread_t thread;
    atomic_bool stop, abandon, finish, ready, idle, source_ended, ended_early, failed, done;
    atomic_bool reached; /* the target was reached, so sent messages may have arrived */

    pthread_mutex_t mutex; /* protects the following members */
    ir_order_t order;
    bool ordered; /* an order was given, and has not been started */
    ir_latency_t confirms;
    ir_histogram_t *late;

    /* the thread's */
    ir_lane_t *lanes;
    ir_window_t *window;
    ir_answered_t *answered;
    unsigned n_answered;
    ir_schedule_t schedule;
    bool active; /* there is a current order */
    int64_t end_ns;
    uint64_t next; /* number of the next message */
    ir_source_message_t message;
    bool loaded;        /* `message` holds the next message */
    bool full;          /* the window was full, and has not drained enough to send again */
    int64_t blocked_ns; /* since when the tracker has had no room; 0: it has room */
    ir_lateness_t lateness;
    ir_id_t *observation_ids;
    int64_t logged_ns, logged_again_ns, logged_refused_ns;
    ir_status_t status;
    ir_error_t error;

    /* written by the thread, read by any thread */
    atomic_uint_fast64_t messages_sent, observations_sent;
    atomic_uint_fast64_t messages_confirmed, observations_confirmed;
    atomic_uint_fast64_t messages_refused, observations_refused;
    atomic_uint_fast64_t messages_lost, observations_lost;
    atomic_uint_fast64_t messages_unsent, observations_unsent;
    atomic_uint_fast64_t unmeant, repeats, resent, failures;
    atomic_int_fast64_t first_send_ns, last_confirm_ns;
    atomic_int_fast64_t last_due_ns, last_send_ns;
    atomic_int_fast64_t due_ns, due_end_ns; /* due time of the next message; 0: none */
    _Atomic double rate;                    /* this producer's, on average */
};

/* Only one thread writes, so an atomic addition is not necessary. */
static inline void ir_producer_add(atomic_uint_fast64_t *counter, uint64_t by) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

static inline bool ir_producer_goes_on(const ir_producer_t *producer) {
    return producer->status == IR_OK && !atomic_load(&producer->abandon);
}

static inline bool ir_producer_has_more(const ir_producer_t *producer) {
    return producer->next < producer->shared.source->messages &&
           producer->options.index < producer->shared.source->motes &&
           !atomic_load(&producer->stop);
}

static inline bool ir_producer_owns(const ir_producer_t *producer,
                                    const ir_source_message_t *message) {
    return message->mote_number % producer->options.producers == producer->options.index;
}

static inline bool ir_producer_has_confirmed(const ir_producer_t *producer) {
    return atomic_load(&producer->messages_confirmed) > 0;
}

/* ---- producer.c ---- */

/* The first error ends the producer. */
void ir_producer_fail(ir_producer_t *producer, const ir_error_t *error);

/* ---- orders.c ---- */

/* Starts a new order, and ends the current one when it is over. */
void ir_producer_take_order(ir_producer_t *producer);

/* Loads the next message; returns the time at which it is due. */
int64_t ir_producer_next_due(ir_producer_t *producer);

void ir_producer_note_source_end(ir_producer_t *producer);

/* ---- lanes.c ---- */

bool ir_producer_open_lanes(ir_producer_t *producer); /* false: no memory */
void ir_producer_close_lanes(ir_producer_t *producer);

/* The lane of a mote's messages. */
ir_lane_t *ir_producer_lane_of(ir_producer_t *producer, unsigned mote_number);

/* Passes a message to the sender of its lane. One that can never be sent counts as refused. */
void ir_producer_give(ir_producer_t *producer, ir_open_t *open, const ir_source_message_t *message);

/* Connects the lanes that are due for an attempt. */
void ir_producer_mend_lanes(ir_producer_t *producer);

/* Lets all senders write and read, for at most `wait_ns`; takes their answers. */
void ir_producer_push(ir_producer_t *producer, int64_t wait_ns);

/* ---- answers.c ---- */

/* The senders' callbacks (ir_answers_t); `context` is the lane. */
void ir_producer_answer(void *context, uint64_t number, ir_sender_answer_t answer, const char *why);
void ir_producer_reach(void *context);

/* Acts on the answers since the last call. */
void ir_producer_take_answers(ir_producer_t *producer);

/* The message has its final answer: counts it, writes the ledger, and frees its place. */
void ir_producer_settle(ir_producer_t *producer, ir_open_t *open, bool confirmed);

/* Writes the message into the ledger, if there is one. */
void ir_producer_record(ir_producer_t *producer, const ir_open_t *open, bool confirmed);

#endif
