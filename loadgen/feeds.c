#include "loadgen/feeds.h"

#include <stdlib.h>
#include <string.h>

static ir_status_t start_one(ir_feeds_t *feeds, const ir_feeds_options_t *options,
                             const ir_feed_shared_t *shared, unsigned index, ir_error_t *error) {
    const ir_target_t *target = &options->targets->all[index % options->targets->count];
    const ir_feed_options_t wanted = {
        .target = target,
        .index = index,
        .feeds = options->targets->count * options->threads,
        .lanes = target->sender->multiplexes ? 1 : target->connections,
        .window = options->window,
        .retry_ns = options->retry_ns,
        .stall_ns = options->stall_ns,
    };
    return ir_feed_start(&wanted, shared, &feeds->all[index], error);
}

ir_status_t ir_feeds_start(ir_feeds_t *feeds, const ir_feeds_options_t *options,
                           const ir_feed_shared_t *shared, ir_error_t *error) {
    const unsigned wanted = options->targets->count * options->threads;
    ir_feed_shared_t common = *shared;
    feeds->targets = options->targets;
    feeds->count = 0;
    feeds->all = calloc(wanted, sizeof(ir_feed_t *));
    if (feeds->all == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the senders");
    }
    pthread_mutex_init(&feeds->ledger_mutex, NULL);
    common.ledger_mutex = &feeds->ledger_mutex;
    ir_status_t status = IR_OK;
    while (status == IR_OK && feeds->count < wanted) {
        status = start_one(feeds, options, &common, feeds->count, error);
        feeds->count += status == IR_OK;
    }
    if (status != IR_OK) {
        ir_feeds_abandon(feeds);
        (void)ir_feeds_join(feeds, NULL);
        ir_feeds_free(feeds);
    }
    return status;
}

/* ---- asking ---- */

typedef bool (*ir_feeds_ask_fn)(const ir_feed_t *feed);

static bool all_of(const ir_feeds_t *feeds, ir_feeds_ask_fn ask) {
    for (unsigned i = 0; i < feeds->count; i++) {
        if (!ask(feeds->all[i])) {
            return false;
        }
    }
    return true;
}

bool ir_feeds_ready(const ir_feeds_t *feeds) {
    return all_of(feeds, ir_feed_ready);
}

bool ir_feeds_idle(const ir_feeds_t *feeds) {
    return all_of(feeds, ir_feed_idle);
}

bool ir_feeds_done(const ir_feeds_t *feeds) {
    return all_of(feeds, ir_feed_done);
}

static bool any_of(const ir_feeds_t *feeds, ir_feeds_ask_fn ask) {
    for (unsigned i = 0; i < feeds->count; i++) {
        if (ask(feeds->all[i])) {
            return true;
        }
    }
    return false;
}

bool ir_feeds_any_failed(const ir_feeds_t *feeds) {
    return any_of(feeds, ir_feed_failed);
}

bool ir_feeds_any_dry(const ir_feeds_t *feeds) {
    return any_of(feeds, ir_feed_dry);
}

bool ir_feeds_any_ran_dry(const ir_feeds_t *feeds) {
    return any_of(feeds, ir_feed_ran_dry);
}

bool ir_feeds_any_reached(const ir_feeds_t *feeds) {
    return any_of(feeds, ir_feed_reached);
}

void ir_feeds_count(const ir_feeds_t *feeds, ir_feed_counts_t *counts,
                    ir_feed_counts_t *by_target) {
    *counts = (ir_feed_counts_t){0};
    if (by_target != NULL) {
        memset(by_target, 0, feeds->targets->count * sizeof *by_target);
    }
    for (unsigned i = 0; i < feeds->count; i++) {
        ir_feed_count(feeds->all[i], counts);
        if (by_target != NULL) {
            ir_feed_count(feeds->all[i], &by_target[i % feeds->targets->count]);
        }
    }
}

/* ---- telling ---- */

void ir_feeds_begin(ir_feeds_t *feeds, const ir_order_t *order) {
    for (unsigned i = 0; i < feeds->count; i++) {
        ir_feed_begin(feeds->all[i], order);
    }
}

void ir_feeds_finish(ir_feeds_t *feeds) {
    for (unsigned i = 0; i < feeds->count; i++) {
        ir_feed_finish(feeds->all[i]);
    }
}

void ir_feeds_stop(ir_feeds_t *feeds) {
    for (unsigned i = 0; i < feeds->count; i++) {
        ir_feed_stop(feeds->all[i]);
    }
}

void ir_feeds_abandon(ir_feeds_t *feeds) {
    for (unsigned i = 0; i < feeds->count; i++) {
        ir_feed_abandon(feeds->all[i]);
    }
}

void ir_feeds_take(ir_feeds_t *feeds, ir_latency_t *confirms, ir_histogram_t *late) {
    for (unsigned i = 0; i < feeds->count; i++) {
        ir_feed_take(feeds->all[i], confirms, late);
    }
}

/* ---- the end ---- */

ir_status_t ir_feeds_join(ir_feeds_t *feeds, ir_error_t *error) {
    ir_status_t first = IR_OK;
    for (unsigned i = 0; i < feeds->count; i++) {
        ir_error_t cause;
        const ir_status_t status = ir_feed_join(feeds->all[i], &cause);
        if (status != IR_OK && first == IR_OK) {
            first = ir_error_set(error, status, "%s", cause.text);
        }
    }
    return first;
}

void ir_feeds_free(ir_feeds_t *feeds) {
    if (feeds->all == NULL) {
        return;
    }
    for (unsigned i = 0; i < feeds->count; i++) {
        ir_feed_free(feeds->all[i]);
    }
    free(feeds->all);
    feeds->all = NULL;
    feeds->count = 0;
    pthread_mutex_destroy(&feeds->ledger_mutex);
}
