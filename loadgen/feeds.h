/* All feeds of a run: so many threads for each target, the motes spread over them. Calls from one
 * thread. */
#ifndef IR_LOADGEN_FEEDS_H
#define IR_LOADGEN_FEEDS_H

#include "common/status.h"
#include "loadgen/feed.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_feeds {
    const ir_targets_t *targets;
    ir_feed_t **all; /* number I sends to target I modulo their count */
    unsigned count;
    pthread_mutex_t ledger_mutex;
} ir_feeds_t;

typedef struct ir_feeds_options {
    const ir_targets_t *targets;
    unsigned threads; /* for each target */
    unsigned window;
    int64_t retry_ns, stall_ns; /* as those of a feed */
} ir_feeds_options_t;

/* Starts the threads; when one cannot be started, the others are ended again. `shared`: its mutex
 * is filled in here. Everything given outlives the feeds. */
ir_status_t ir_feeds_start(ir_feeds_t *feeds, const ir_feeds_options_t *options,
                           const ir_feed_shared_t *shared, ir_error_t *error);

/* As those of one feed, to or about all of them. */
bool ir_feeds_ready(const ir_feeds_t *feeds);
void ir_feeds_begin(ir_feeds_t *feeds, const ir_order_t *order);
bool ir_feeds_idle(const ir_feeds_t *feeds);
void ir_feeds_finish(ir_feeds_t *feeds);
void ir_feeds_stop(ir_feeds_t *feeds);
void ir_feeds_abandon(ir_feeds_t *feeds);
void ir_feeds_take(ir_feeds_t *feeds, ir_latency_t *confirms, ir_histogram_t *late);

bool ir_feeds_done(const ir_feeds_t *feeds);
bool ir_feeds_any_failed(const ir_feeds_t *feeds);
bool ir_feeds_any_dry(const ir_feeds_t *feeds);
bool ir_feeds_any_ran_dry(const ir_feeds_t *feeds);
bool ir_feeds_any_reached(const ir_feeds_t *feeds);

/* The sums of all, and of each target (as many as there are; may be NULL). */
void ir_feeds_count(const ir_feeds_t *feeds, ir_feed_counts_t *counts, ir_feed_counts_t *by_target);

/* Waits for the threads; the first error counts. Then counts are final. */
ir_status_t ir_feeds_join(ir_feeds_t *feeds, ir_error_t *error);

/* After join. Takes what was never started. */
void ir_feeds_free(ir_feeds_t *feeds);

#endif
