/* A run's state, shared by the files that make it up: run.c (its life), run_monitor.c (what it sees
 * meanwhile) and run_steps.c (the stretches of its load). One thread, the one that called
 * ir_loadgen_run. */
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

#define IR_RUN_LOOK_NS (50 * IR_MILLISECOND_NS)

typedef struct ir_run {
    const ir_loadgen_options_t *options;
    ir_loadgen_formats_t formats;
    ir_mote_tokens_t *tokens;
    ir_targets_t targets;
    ir_plan_t plan;
    ir_source_t source;
    ir_folder_t folder;
    ir_error_t trouble; /* with the folder, while the run went on */
    ir_ledger_writer_t *ledger;
    ir_timeline_t *series;
    ir_motes_t *motes; /* NULL: all raw ids are known beforehand */
    ir_tracker_t *receipts;
    ir_subscriber_t *subscriber;
    ir_producers_t producers;
    ir_progress_t progress;

    ir_snapshot_t now;
    ir_producer_counts_t by_target[IR_TARGETS_MAX];
    ir_measurement_t fresh, row, step, whole;  /* since the last look; of a row, a step, the run */
    ir_quantiles_t shown_confirms, shown_back; /* of the last row */
    ir_trend_t backlog;                        /* of the step */
    double asked;
    int64_t start_ns, row_ns;
    int64_t measure_ns, end_ns; /* of the step: when measuring begins, and when it is over */
    const char *note;

    ir_result_t *results;
    size_t n_results, results_capacity;

    sigset_t signals;
    unsigned n_signals; /* that came */
    bool listening;     /* as last seen */
    bool sees_rejected;
    uint64_t gaps;
    int64_t logged_ns;
    int64_t cpu_ns; /* of the process when sending began */
} ir_run_t;

/* run_monitor.c: from now on INT, TERM and HUP are seen by the next function only, whatever threads
 * are started. */
void ir_run_take_signals(ir_run_t *run);

/* Waits for this long, at most IR_RUN_LOOK_NS; true when a signal came. */
bool ir_run_wait_moment(ir_run_t *run, int64_t wait_ns);

/* Does what the signal asks for. */
void ir_run_take_signal(ir_run_t *run);

/* Counts from zero again. */
void ir_run_snap(ir_run_t *run);

/* Counts from zero again, and adds what was measured since the last time to the row, the step and
 * the run. */
void ir_run_gather(ir_run_t *run);

/* Writes the row of the series and begins the next. */
void ir_run_end_row(ir_run_t *run);

/* Makes the folder's results this run's, as soon as anything that was sent may have arrived. */
void ir_run_begin_results(ir_run_t *run);

/* A moment of the run: waits, counts, shows, writes the row that is over. */
void ir_run_look(ir_run_t *run);

/* False after a signal, or when a sender has given up. */
bool ir_run_goes_on(const ir_run_t *run);

/* run_steps.c: all stretches of the plan, as long as the run goes on. IR_ERR_RANGE: the messages
 * ended too soon; IR_ERR_MEMORY. */
ir_status_t ir_run_steps(ir_run_t *run, ir_error_t *error);

/* Until everything that went out is answered and back, or nothing has moved for too long. */
void ir_run_wait_drained(ir_run_t *run);

#endif
