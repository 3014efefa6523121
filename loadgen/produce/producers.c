#include "loadgen/produce/producers.h"

#include <stdlib.h>
#include <string.h>

static ir_status_t start_one(ir_producers_t *producers, const ir_producers_options_t *options,
                             const ir_producer_shared_t *shared, unsigned index,
                             ir_error_t *error) {
    const ir_target_t *target = &options->targets->all[index % options->targets->count];
    const ir_producer_options_t wanted = {
        .target = target,
        .index = index,
        .producers = options->targets->count * options->threads,
        .lanes = target->sender->multiplexes ? 1 : target->connections,
        .window = options->window,
        .retry_ns = options->retry_ns,
        .stall_ns = options->stall_ns,
    };
    return ir_producer_start(&wanted, shared, &producers->all[index], error);
}

ir_status_t ir_producers_start(ir_producers_t *producers, const ir_producers_options_t *options,
                               const ir_producer_shared_t *shared, ir_error_t *error) {
    const unsigned wanted = options->targets->count * options->threads;
    ir_producer_shared_t common = *shared;
    producers->targets = options->targets;
    producers->count = 0;
    producers->all = calloc(wanted, sizeof(ir_producer_t *));
    if (producers->all == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the senders");
    }
    pthread_mutex_init(&producers->ledger_mutex, NULL);
    common.ledger_mutex = &producers->ledger_mutex;
    ir_status_t status = IR_OK;
    while (status == IR_OK && producers->count < wanted) {
        status = start_one(producers, options, &common, producers->count, error);
        producers->count += status == IR_OK;
    }
    if (status != IR_OK) {
        ir_producers_abandon(producers);
        (void)ir_producers_join(producers, NULL);
        ir_producers_free(producers);
    }
    return status;
}

/* ---- asking ---- */

typedef bool (*ir_producers_ask_fn)(const ir_producer_t *producer);

static bool all_of(const ir_producers_t *producers, ir_producers_ask_fn ask) {
    for (unsigned i = 0; i < producers->count; i++) {
        if (!ask(producers->all[i])) {
            return false;
        }
    }
    return true;
}

bool ir_producers_ready(const ir_producers_t *producers) {
    return all_of(producers, ir_producer_ready);
}

bool ir_producers_idle(const ir_producers_t *producers) {
    return all_of(producers, ir_producer_idle);
}

bool ir_producers_done(const ir_producers_t *producers) {
    return all_of(producers, ir_producer_done);
}

static bool any_of(const ir_producers_t *producers, ir_producers_ask_fn ask) {
    for (unsigned i = 0; i < producers->count; i++) {
        if (ask(producers->all[i])) {
            return true;
        }
    }
    return false;
}

bool ir_producers_any_failed(const ir_producers_t *producers) {
    return any_of(producers, ir_producer_failed);
}

bool ir_producers_any_source_ended(const ir_producers_t *producers) {
    return any_of(producers, ir_producer_source_ended);
}

bool ir_producers_any_ended_early(const ir_producers_t *producers) {
    return any_of(producers, ir_producer_ended_early);
}

bool ir_producers_any_reached(const ir_producers_t *producers) {
    return any_of(producers, ir_producer_reached);
}

void ir_producers_count(const ir_producers_t *producers, ir_producer_counts_t *counts,
                        ir_producer_counts_t *by_target) {
    *counts = (ir_producer_counts_t){0};
    if (by_target != NULL) {
        memset(by_target, 0, producers->targets->count * sizeof *by_target);
    }
    for (unsigned i = 0; i < producers->count; i++) {
        ir_producer_count(producers->all[i], counts);
        if (by_target != NULL) {
            ir_producer_count(producers->all[i], &by_target[i % producers->targets->count]);
        }
    }
}

/* ---- telling ---- */

void ir_producers_begin(ir_producers_t *producers, const ir_order_t *order) {
    for (unsigned i = 0; i < producers->count; i++) {
        ir_producer_begin(producers->all[i], order);
    }
}

void ir_producers_finish(ir_producers_t *producers) {
    for (unsigned i = 0; i < producers->count; i++) {
        ir_producer_finish(producers->all[i]);
    }
}

void ir_producers_stop(ir_producers_t *producers) {
    for (unsigned i = 0; i < producers->count; i++) {
        ir_producer_stop(producers->all[i]);
    }
}

void ir_producers_abandon(ir_producers_t *producers) {
    for (unsigned i = 0; i < producers->count; i++) {
        ir_producer_abandon(producers->all[i]);
    }
}

void ir_producers_take(ir_producers_t *producers, ir_latency_t *confirms, ir_histogram_t *late) {
    for (unsigned i = 0; i < producers->count; i++) {
        ir_producer_take(producers->all[i], confirms, late);
    }
}

/* ---- the end ---- */

ir_status_t ir_producers_join(ir_producers_t *producers, ir_error_t *error) {
    ir_status_t first = IR_OK;
    for (unsigned i = 0; i < producers->count; i++) {
        ir_error_t cause;
        const ir_status_t status = ir_producer_join(producers->all[i], &cause);
        if (status != IR_OK && first == IR_OK) {
            first = ir_error_set(error, status, "%s", cause.text);
        }
    }
    return first;
}

void ir_producers_free(ir_producers_t *producers) {
    if (producers->all == NULL) {
        return;
    }
    for (unsigned i = 0; i < producers->count; i++) {
        ir_producer_free(producers->all[i]);
    }
    free(producers->all);
    producers->all = NULL;
    producers->count = 0;
    pthread_mutex_destroy(&producers->ledger_mutex);
}
