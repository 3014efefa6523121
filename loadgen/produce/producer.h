/* Sends its part of a source's messages to one target, on the open-loop schedule, on a thread of
 * its own: the motes whose number is `index` modulo `producers`. Keeps what has no final answer,
 * sends it again when the target failed, and writes the ledger as answers come.
 *
 * Several producers share a run: each gets the same orders and counts through the messages of all,
 * so that every message has the same intended time whoever sends it. */
#ifndef IR_LOADGEN_PRODUCE_PRODUCER_H
#define IR_LOADGEN_PRODUCE_PRODUCER_H

#include "common/histogram.h"
#include "common/status.h"
#include "loadgen/produce/schedule.h"
#include "loadgen/source/source.h"
#include "loadgen/track/latency.h"
#include "loadgen/track/tracker.h"
#include "send/sender.h"
#include "send/target.h"
#include "store/ledger.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ir_producer ir_producer_t;

#define IR_PRODUCER_WINDOW_MAX IR_SENDER_OPEN_MAX
#define IR_PRODUCER_LANES_MAX 1024

typedef struct ir_producer_options {
    const ir_target_t *target;
    unsigned index, producers;
    unsigned lanes;   /* senders, each with connections of its own; motes are spread over them */
    unsigned window;  /* 1 … IR_PRODUCER_WINDOW_MAX messages without a final answer */
    int64_t retry_ns; /* gives up when the target did not work for this long */
    int64_t stall_ns; /* … or when the receipts had no room for this long */
} ir_producer_options_t;

/* What the producers of a run have in common. */
typedef struct ir_producer_shared {
    const ir_source_t *source;
    ir_tracker_t *receipts;     /* or NULL */
    ir_ledger_writer_t *ledger; /* or NULL */
    pthread_mutex_t *ledger_mutex;
} ir_producer_shared_t;

/* Starts the thread, which connects and waits for orders. Everything given outlives the producer.
 */
ir_status_t ir_producer_start(const ir_producer_options_t *options,
                              const ir_producer_shared_t *shared, ir_producer_t **producer,
                              ir_error_t *error);

/* Whether all connections were made once, or it is over. Any thread. */
bool ir_producer_ready(const ir_producer_t *producer);

/* A stretch of load. What is due before its end and could not be sent until shortly after is not
 * sent: it counts as unsent, and its messages go out in the next stretch. */
typedef struct ir_order {
    ir_pattern_t pattern;
    int64_t start_ns, end_ns; /* INT64_MAX: until the source ends */
} ir_order_t;

/* Not before the order at hand is over. One thread gives orders. */
void ir_producer_begin(ir_producer_t *producer, const ir_order_t *order);

/* Whether the order at hand is over; answers may still be outstanding. Any thread. */
bool ir_producer_idle(const ir_producer_t *producer);

/* There will be no further orders: it ends when everything is answered. */
void ir_producer_finish(ir_producer_t *producer);

typedef struct ir_producer_counts {
    uint64_t messages_sent, observations_sent; /* once each, however often they were sent */
    uint64_t messages_confirmed, observations_confirmed;
    uint64_t messages_refused, observations_refused;
    uint64_t messages_lost, observations_lost;     /* no final answer; known when it is done */
    uint64_t messages_unsent, observations_unsent; /* of orders that are over */
    uint64_t unmeant;                              /* refused although all of it was good */
    uint64_t repeats;           /* confirmed messages that repeat an earlier one */
    uint64_t resent;            /* sent again after a failure, or because the target asked for it */
    uint64_t failures;          /* of the target: connections lost, answers that say "later" */
    double observations_behind; /* due now and not sent */
    int64_t first_send_ns, last_confirm_ns; /* monotonic; 0: none yet */
    int64_t last_due_ns, last_send_ns;      /* of messages that were due at a time; 0: none yet */
} ir_producer_counts_t;

/* Adds to `counts`; of the times, the first and the last stay. Any thread. */
void ir_producer_count(const ir_producer_t *producer, ir_producer_counts_t *counts);

/* Adds what was measured since the last call: from send to confirm, and by how many µs the producer
 * was late through its own fault. That excludes the time in which the target held it up (window
 * full, connection lost, a sending call that waited), and after it as long again, at least a
 * second, for catching up. Any thread. */
void ir_producer_take(ir_producer_t *producer, ir_latency_t *confirms, ir_histogram_t *late);

bool ir_producer_done(const ir_producer_t *producer);

/* Whether it is over because of an error, whether it has seen the end of the source, and whether
 * that came before the end of an order. Any thread. */
bool ir_producer_failed(const ir_producer_t *producer);
bool ir_producer_dry(const ir_producer_t *producer);
bool ir_producer_ran_dry(const ir_producer_t *producer);

/* Whether the target was reached once, so that what was sent may have arrived. Any thread. */
bool ir_producer_reached(const ir_producer_t *producer);

/* Sends nothing new, waits for the answers that are outstanding. Any thread. */
void ir_producer_stop(ir_producer_t *producer);

/* Does not wait for them either. Any thread. */
void ir_producer_abandon(ir_producer_t *producer);

/* Waits for the thread; then the counts are final. IR_OK also when it was stopped; else `error`
 * says what ended it. What has no answer stands in the ledger as such. */
ir_status_t ir_producer_join(ir_producer_t *producer, ir_error_t *error);

/* Takes NULL; joined before. */
void ir_producer_free(ir_producer_t *producer);

#endif
