/* All producers of a run: so many threads for each target, the motes spread over them. Calls from
 * one thread. */
#ifndef IR_LOADGEN_PRODUCE_PRODUCERS_H
#define IR_LOADGEN_PRODUCE_PRODUCERS_H

#include "common/status.h"
#include "loadgen/produce/producer.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_producers {
    const ir_targets_t *targets;
    ir_producer_t **all; /* number I sends to target I modulo their count */
    unsigned count;
    pthread_mutex_t ledger_mutex;
} ir_producers_t;

typedef struct ir_producers_options {
    const ir_targets_t *targets;
    unsigned threads; /* for each target */
    unsigned window;
    int64_t retry_ns, stall_ns; /* as those of a producer */
} ir_producers_options_t;

/* Starts the threads; when one cannot be started, the others are ended again. `shared`: its mutex
 * is filled in here. Everything given outlives the producers. */
ir_status_t ir_producers_start(ir_producers_t *producers, const ir_producers_options_t *options,
                               const ir_producer_shared_t *shared, ir_error_t *error);

/* As those of one producer, to or about all of them. */
bool ir_producers_ready(const ir_producers_t *producers);
void ir_producers_begin(ir_producers_t *producers, const ir_order_t *order);
bool ir_producers_idle(const ir_producers_t *producers);
void ir_producers_finish(ir_producers_t *producers);
void ir_producers_stop(ir_producers_t *producers);
void ir_producers_abandon(ir_producers_t *producers);
void ir_producers_take(ir_producers_t *producers, ir_latency_t *confirms, ir_histogram_t *late);

bool ir_producers_done(const ir_producers_t *producers);
bool ir_producers_any_failed(const ir_producers_t *producers);
bool ir_producers_any_dry(const ir_producers_t *producers);
bool ir_producers_any_ran_dry(const ir_producers_t *producers);
bool ir_producers_any_reached(const ir_producers_t *producers);

/* The sums of all, and of each target (as many as there are; may be NULL). */
void ir_producers_count(const ir_producers_t *producers, ir_producer_counts_t *counts,
                        ir_producer_counts_t *by_target);

/* Waits for the threads; the first error counts. Then counts are final. */
ir_status_t ir_producers_join(ir_producers_t *producers, ir_error_t *error);

/* After join. Takes what was never started. */
void ir_producers_free(ir_producers_t *producers);

#endif
