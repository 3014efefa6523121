/* The state of a run, shared by run.c (start and end), run_monitor.c (what happens meanwhile) and
 * run_steps.c (the load phases). Only the thread that called ir_loadgen_run uses it. */
#ifndef IR_LOADGEN_STATE_H
#define IR_LOADGEN_STATE_H

#include "common/clock.h"
#include "loadgen/folder.h"
#include "loadgen/measure/measurement.h"
#include "loadgen/measure/progress.h"
#include "loadgen/measure/result.h"
#include "loadgen/measure/timeline.h"
#include "loadgen/options.h"
#include "loadgen/plan.h"
#include "loadgen/produce/producers.h"
#include "loadgen/source/source.h"
#include "loadgen/track/subscriber.h"
#include "loadgen/track/tracker.h"
#include "send/mote_tokens.h"
#include "store/ledger.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define IR_RUN_POLL_NS (50 * IR_MILLISECOND_NS)

typedef struct ir_run {
    const ir_loadgen_options_t *options;
    ir_loadgen_formats_t formats;
    ir_mote_tokens_t *tokens;
    ir_targets_t targets;
    ir_plan_t plan;
    ir_source_t source;
    ir_folder_t folder;
    ir_error_t trouble; /* an error with the folder during the run */
    ir_ledger_writer_t *ledger;
    ir_timeline_t *timeline;
    ir_motes_t *motes; /* NULL: all raw ids are known in advance */
    ir_tracker_t *tracker;
    ir_subscriber_t *subscriber;
    ir_producers_t producers;
    ir_progress_t progress;

    ir_snapshot_t now;
    ir_producer_counts_t by_target[IR_TARGETS_MAX];
    ir_measurement_t fresh, row, step,
        whole; /* values since the last poll, and those of the row, the step and the run */
    ir_quantiles_t shown_confirms, shown_back; /* latencies in the last row */
    ir_trend_t backlog;                        /* the backlog during the step */
    double asked;
    int64_t start_ns, row_ns;
    int64_t measure_ns, end_ns; /* for the step: when measuring begins, and when the step ends */
    const char *note;

    ir_result_t *results;
    size_t n_results, results_capacity;

    sigset_t signals;
    unsigned n_signals; /* received so far */
    bool listening;     /* state at the last poll */
    bool sees_rejected;
    uint64_t gaps;
    int64_t logged_ns;
    int64_t cpu_ns; /* the process's CPU time when sending began */
} ir_run_t;

/* run_monitor.c: from now on only ir_run_wait_moment receives SIGINT, SIGTERM and SIGHUP, also when
 * more threads start. */
void ir_run_take_signals(ir_run_t *run);

/* Waits for up to `wait_ns`, at most IR_RUN_POLL_NS; true when a signal came. */
bool ir_run_wait_moment(ir_run_t *run, int64_t wait_ns);

/* Acts on the signal. */
void ir_run_take_signal(ir_run_t *run);

/* Updates all counts. */
void ir_run_snap(ir_run_t *run);

/* Updates all counts, and adds the values measured since the last call to the row, the step and the
 * run. */
void ir_run_gather(ir_run_t *run);

/* Writes the row of the timeline and begins the next. */
void ir_run_end_row(ir_run_t *run);

/* Replaces the folder's earlier results, as soon as a sent message may have arrived. */
void ir_run_begin_results(ir_run_t *run);

/* One round of the monitoring loop: waits, counts, updates the display, writes a finished row. */
void ir_run_poll(ir_run_t *run);

/* False after a signal, or when a producer has given up. */
bool ir_run_goes_on(const ir_run_t *run);

/* run_steps.c: runs all phases of the plan, until the run stops. IR_ERR_RANGE: the source ran out
 * of messages too soon; IR_ERR_MEMORY. */
ir_status_t ir_run_steps(ir_run_t *run, ir_error_t *error);

/* Waits until every sent message is answered and has come back, or until nothing has changed for
 * too long. */
void ir_run_wait_drained(ir_run_t *run);

#endif
