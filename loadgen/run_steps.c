#include "loadgen/state.h"

#include "loadgen/report.h"

#include <stdlib.h>

#define LEAD_NS (60 * IR_MILLISECOND_NS) /* time between giving an order and its start */

static void begin_measuring(ir_run_t *run) {
    ir_run_gather(run);
    ir_measurement_begin(&run->step, &run->now);
    run->backlog = (ir_trend_t){.n = 0};
}

static void order_step(ir_run_t *run, const ir_step_t *step) {
    const int64_t start_ns = ir_clock_monotonic() + LEAD_NS;
    const ir_order_t order = {
        .pattern = step->pattern,
        .start_ns = start_ns,
        .end_ns = step->length_ns > 0 ? start_ns + step->length_ns : INT64_MAX,
    };
    run->measure_ns = start_ns + step->warm_up_ns;
    run->end_ns = order.end_ns;
    run->asked = step->pattern.pace > 0 ? 0 : step->pattern.rate;
    begin_measuring(run);
    run->step.begin.at_ns = start_ns;
    ir_producers_begin(&run->producers, &order);
}

/* Waits until everything due is sent, or until the time is over. */
static void watch_step(ir_run_t *run, bool warms_up) {
    bool measuring = !warms_up;
    while (!ir_producers_idle(&run->producers)) {
        ir_run_poll(run);
        if (!measuring && run->now.at_ns >= run->measure_ns) {
            begin_measuring(run);
            measuring = true;
        }
        ir_trend_add(&run->backlog, (double)(run->now.at_ns - run->start_ns) / (double)IR_SECOND_NS,
                     ir_snapshot_backlog(&run->now));
    }
}

static ir_result_t *new_result(ir_run_t *run) {
    if (run->n_results == run->results_capacity) {
        const size_t capacity = run->results_capacity > 0 ? 2 * run->results_capacity : 16;
        ir_result_t *grown = realloc(run->results, capacity * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        run->results = grown;
        run->results_capacity = capacity;
    }
    return &run->results[run->n_results++];
}

static ir_status_t end_step(ir_run_t *run, ir_error_t *error) {
    ir_trial_t trial;
    ir_result_t *result = new_result(run);
    if (result == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the results");
    }
    ir_run_gather(run);
    /* The end is noticed a moment later. Nothing is sent in that moment. */
    run->step.end.at_ns = run->now.at_ns < run->end_ns ? run->now.at_ns : run->end_ns;
    ir_result_make(result, &run->step, &run->backlog, run->asked, run->tracker != NULL,
                   (double)run->options->late_bound_ns / (double)IR_MILLISECOND_NS);
    ir_result_trial(result, &trial);
    result->verdict = ir_plan_report(&run->plan, &trial);
    if (run->plan.kind != IR_PLAN_WHOLE) {
        ir_progress_clear(&run->progress);
        ir_report_step(result);
    }
    return IR_OK;
}

static uint64_t arrivals(const ir_run_t *run) {
    const ir_tracker_counts_t *back = &run->now.back;
    uint64_t count = back->copies + back->revisions + back->foreign +
                     back->by_fate[IR_FATE_REJECTED] + back->partly_rejected +
                     run->now.sent.messages_confirmed + run->now.sent.messages_refused;
    for (unsigned i = 0; i < run->formats.count; i++) {
        count += back->by_format[i];
    }
    return count;
}

static bool has_open(const ir_run_t *run) {
    const ir_producer_counts_t *sent = &run->now.sent;
    return run->now.back.waiting > 0 ||
           sent->messages_sent - sent->messages_confirmed - sent->messages_refused > 0;
}

/* Waits until every sent message is answered and has come back, or until nothing has changed for
 * too long. */
void ir_run_wait_drained(ir_run_t *run) {
    run->note = "waiting for outstanding messages";
    ir_run_poll(run);
    uint64_t before = arrivals(run);
    int64_t last_ns = run->now.at_ns;
    while (ir_run_goes_on(run) && has_open(run)) {
        if (arrivals(run) != before) {
            before = arrivals(run);
            last_ns = run->now.at_ns;
        } else if (run->now.at_ns - last_ns > run->options->drain_timeout_ns) {
            break;
        }
        ir_run_poll(run);
    }
    run->note = NULL;
}

static ir_status_t run_step(ir_run_t *run, const ir_step_t *step, ir_error_t *error) {
    order_step(run, step);
    watch_step(run, step->warm_up_ns > 0);
    const ir_status_t status = end_step(run, error);
    if (step->drains) {
        ir_run_wait_drained(run);
    }
    return status;
}

static ir_status_t check_source(const ir_run_t *run, ir_error_t *error) {
    return ir_producers_any_source_ended(&run->producers) && ir_run_goes_on(run)
               ? ir_error_set(error, IR_ERR_RANGE,
                              "the source ran out of messages before the last step: use a larger "
                              "--repeat, or --messages 0")
               : IR_OK;
}

ir_status_t ir_run_steps(ir_run_t *run, ir_error_t *error) {
    ir_step_t step;
    ir_status_t status = IR_OK;
    while (status == IR_OK && ir_run_goes_on(run) && ir_plan_next(&run->plan, &step)) {
        status = run->plan.given > 1 ? check_source(run, error) : IR_OK;
        if (status == IR_OK) {
            status = run_step(run, &step, error);
        }
    }
    return status;
}
