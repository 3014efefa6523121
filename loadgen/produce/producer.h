/* A thread that sends its share of a source's messages to one target, on the open-loop schedule.
 * Its share is the motes whose number is `index` modulo `producers`. It keeps messages until their
 * final answer, sends them again when the target fails, and writes the ledger as answers arrive.
 *
 * All producers of a run get the same orders, and each counts through the messages of all. So a
 * message has the same intended time no matter which producer sends it. */
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
    unsigned lanes;   /* senders, each with its own connections; motes are spread over them */
    unsigned window;  /* maximum number of messages without a final answer, at most
                       * IR_PRODUCER_WINDOW_MAX */
    int64_t retry_ns; /* the producer gives up when the target has failed for this long */
    int64_t stall_ns; /* … or when the tracker has had no room for this long */
} ir_producer_options_t;

/* Data that all producers of a run share. */
typedef struct ir_producer_shared {
    const ir_source_t *source;
    ir_tracker_t *tracker;      /* or NULL */
    ir_ledger_writer_t *ledger; /* or NULL */
    pthread_mutex_t *ledger_mutex;
} ir_producer_shared_t;

/* Starts the thread, which connects and waits for orders. All arguments must outlive the producer.
 * */
ir_status_t ir_producer_start(const ir_producer_options_t *options,
                              const ir_producer_shared_t *shared, ir_producer_t **producer,
                              ir_error_t *error);

/* Whether all connections were made at least once, or the producer has ended. Any thread. */
bool ir_producer_ready(const ir_producer_t *producer);

/* A phase of load. Messages that were due before its end but could not be sent until shortly after
 * it count as unsent; the next phase sends them. */
typedef struct ir_order {
    ir_pattern_t pattern;
    int64_t start_ns, end_ns; /* INT64_MAX: until the source ends */
} ir_order_t;

/* Call only when the current order is over. One thread gives orders. */
void ir_producer_begin(ir_producer_t *producer, const ir_order_t *order);

/* Whether the current order is over; answers may still be outstanding. Any thread. */
bool ir_producer_idle(const ir_producer_t *producer);

/* No more orders follow: the producer ends when everything is answered. */
void ir_producer_finish(ir_producer_t *producer);

typedef struct ir_producer_counts {
    uint64_t messages_sent, observations_sent; /* each message counts once */
    uint64_t messages_confirmed, observations_confirmed;
    uint64_t messages_refused, observations_refused;
    uint64_t messages_lost,
        observations_lost; /* messages without a final answer; known when the producer is done */
    uint64_t messages_unsent, observations_unsent; /* due in orders that are over */
    uint64_t unmeant;                              /* refused although every record was good */
    uint64_t repeats;  /* confirmed messages that repeat an earlier one */
    uint64_t resent;   /* sent again after a failure or at the target's request */
    uint64_t failures; /* the target's failures: lost connections, answers that ask to retry */
    double observations_behind;             /* observations that are due now but not sent */
    int64_t first_send_ns, last_confirm_ns; /* monotonic; 0: none yet */
    int64_t last_due_ns, last_send_ns;      /* of messages with a due time; 0: none yet */
} ir_producer_counts_t;

/* Adds to `counts`; keeps the first and the last of the times. Any thread. */
void ir_producer_count(const ir_producer_t *producer, ir_producer_counts_t *counts);

/* Adds the values measured since the last call: the latency from send to confirm, and the
 * producer's own lateness in µs (lateness.h says which delays are the target's). Any thread. */
void ir_producer_take(ir_producer_t *producer, ir_latency_t *confirms, ir_histogram_t *late);

bool ir_producer_done(const ir_producer_t *producer);

/* Whether it ended because of an error, whether the source has ended, and whether the source ended
 * before the end of an order. Any thread. */
bool ir_producer_failed(const ir_producer_t *producer);
bool ir_producer_source_ended(const ir_producer_t *producer);
bool ir_producer_ended_early(const ir_producer_t *producer);

/* Whether the target was reached at least once, so that sent messages may have arrived. Any thread.
 */
bool ir_producer_reached(const ir_producer_t *producer);

/* Stops sending new messages and waits for outstanding answers. Any thread. */
void ir_producer_stop(ir_producer_t *producer);

/* Stops without waiting for them. Any thread. */
void ir_producer_abandon(ir_producer_t *producer);

/* Waits for the thread; then the counts are final. IR_OK also when it was stopped; otherwise
 * `error` has the cause. The ledger lists messages without an answer as such. */
ir_status_t ir_producer_join(ir_producer_t *producer, ir_error_t *error);

/* Takes NULL; joined before. */
void ir_producer_free(ir_producer_t *producer);

#endif
