/* All producers of a run: a number of threads for each target, with the motes spread over them.
 * Call from one thread. */
#ifndef IR_LOADGEN_PRODUCE_PRODUCERS_H
#define IR_LOADGEN_PRODUCE_PRODUCERS_H

#include "common/status.h"
#include "loadgen/produce/producer.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_producers {
    const ir_targets_t *targets;
    ir_producer_t **all; /* producer I sends to target I modulo the number of targets */
    unsigned count;
    pthread_mutex_t ledger_mutex;
} ir_producers_t;

typedef struct ir_producers_options {
    const ir_targets_t *targets;
    unsigned threads; /* number of threads for each target */
    unsigned window;
    int64_t retry_ns, stall_ns; /* as those of a producer */
} ir_producers_options_t;

/* Starts the threads; if one cannot start, ends the others. Sets the mutex of `shared`. All
 * arguments must outlive the producers. */
ir_status_t ir_producers_start(ir_producers_t *producers, const ir_producers_options_t *options,
                               const ir_producer_shared_t *shared, ir_error_t *error);

/* Like the functions for one producer, applied to all. */
bool ir_producers_ready(const ir_producers_t *producers);
void ir_producers_begin(ir_producers_t *producers, const ir_order_t *order);
bool ir_producers_idle(const ir_producers_t *producers);
void ir_producers_finish(ir_producers_t *producers);
void ir_producers_stop(ir_producers_t *producers);
void ir_producers_abandon(ir_producers_t *producers);
void ir_producers_take(ir_producers_t *producers, ir_latency_t *confirms, ir_histogram_t *late);

bool ir_producers_done(const ir_producers_t *producers);
bool ir_producers_any_failed(const ir_producers_t *producers);
bool ir_producers_any_source_ended(const ir_producers_t *producers);
bool ir_producers_any_ended_early(const ir_producers_t *producers);
bool ir_producers_any_reached(const ir_producers_t *producers);

/* The sums for all producers and, in `by_target` (may be NULL), for each target. */
void ir_producers_count(const ir_producers_t *producers, ir_producer_counts_t *counts,
                        ir_producer_counts_t *by_target);

/* Waits for the threads; then the counts are final. Returns the first error. */
ir_status_t ir_producers_join(ir_producers_t *producers, ir_error_t *error);

/* Call after join. Accepts producers that never started. */
void ir_producers_free(ir_producers_t *producers);

#endif
