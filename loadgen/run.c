#include "loadgen/run.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/messages.h"
#include "loadgen/conclusion.h"
#include "loadgen/folder.h"
#include "loadgen/report.h"
#include "loadgen/state.h"
#include "loadgen/summary.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define LOG_EVERY_NS (5 * IR_SECOND_NS)

static bool has_text(const char *text) {
    return text != NULL && text[0] != '\0';
}

/* ---- preparing ---- */

static ir_status_t open_ledger(ir_run_t *run, ir_error_t *error) {
    char path[IR_PATH_SIZE];
    if (run->options->no_ledger) {
        return IR_OK;
    }
    ir_status_t status = ir_folder_new(&run->folder, "ledger.txt", path, error);
    if (status == IR_OK) {
        status = ir_ledger_create(path, &run->ledger, error);
    }
    const ir_source_t *source = &run->source;
    for (unsigned i = 0; i < source->motes && status == IR_OK; i++) {
        status = ir_ledger_write_mote(run->ledger, source->kind->mote(source->object, i), error);
    }
    return status;
}

static ir_status_t open_series(ir_run_t *run, ir_error_t *error) {
    char path[IR_PATH_SIZE];
    const ir_status_t status = ir_folder_new(&run->folder, "series.csv", path, error);
    return status == IR_OK ? ir_timeline_create(path, &run->timeline, error) : status;
}

static ir_status_t open_files(ir_run_t *run, ir_error_t *error) {
    ir_status_t status = ir_folder_open(&run->folder, ir_setting_text(run->options->out), error);
    if (status != IR_OK || run->folder.path == NULL) {
        return status;
    }
    status = open_ledger(run, error);
    return status == IR_OK ? open_series(run, error) : status;
}

static ir_status_t find_targets(ir_run_t *run, ir_error_t *error) {
    const char *tokens = run->options->send.mote_tokens;
    const ir_status_t status =
        has_text(tokens) ? ir_mote_tokens_load(tokens, &run->tokens, error) : IR_OK;
    return status == IR_OK ? ir_loadgen_targets(run->options, run->tokens, &run->targets, error)
                           : status;
}

static ir_status_t make_measurements(ir_run_t *run, ir_error_t *error) {
    return ir_measurement_init(&run->fresh) && ir_measurement_init(&run->row) &&
                   ir_measurement_init(&run->step) && ir_measurement_init(&run->whole)
               ? IR_OK
               : ir_error_set(error, IR_ERR_MEMORY, "out of memory for the histograms");
}

static ir_status_t prepare(ir_run_t *run, ir_error_t *error) {
    ir_status_t status = ir_loadgen_formats(run->options, &run->formats, error);
    if (status == IR_OK) {
        status = ir_loadgen_plan(run->options, &run->plan, error);
    }
    if (status == IR_OK) {
        status = find_targets(run, error);
    }
    if (status == IR_OK) {
        status = ir_loadgen_source(run->options, &run->source, error);
    }
    if (status == IR_OK) {
        status = make_measurements(run, error);
    }
    return status == IR_OK ? open_files(run, error) : status;
}

/* ---- listening ---- */

/* Messages whose raw ids are not known in advance are identified by their mote. */
static bool match_arrivals(ir_run_t *run) {
    const ir_timings_t *timings = &run->options->timings;
    if (timings->relative + timings->clockless <= 0) {
        return true;
    }
    run->motes = ir_motes_new(&run->source);
    return run->motes != NULL && ir_tracker_match(run->tracker, run->motes);
}

static ir_status_t start_listening(ir_run_t *run, ir_error_t *error) {
    const uint64_t messages = run->source.messages;
    const uint64_t most = (uint64_t)run->options->outstanding;
    ir_subscriber_options_t options = {
        .formats = run->formats.names, .n_formats = run->formats.count, .any = run->formats.any};
    ir_loadgen_broker_options(run->options, "ir-loadgen subscriber", &options.broker);
    run->tracker = ir_tracker_new((size_t)(messages < most ? messages : most), run->source.motes,
                                  run->formats.count, run->formats.any);
    if (run->tracker == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY,
                            "out of memory for the tracker of %llu messages; try a smaller "
                            "'outstanding'",
                            (unsigned long long)(messages < most ? messages : most));
    }
    if (!match_arrivals(run)) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the names of the motes");
    }
    return ir_subscriber_start(&options, run->tracker, &run->subscriber, error);
}

static ir_status_t wait_until_listening(ir_run_t *run, ir_error_t *error) {
    const int64_t end_ns = ir_clock_monotonic() + run->options->retry_for_ns;
    ir_error_t why = {.status = IR_OK};
    while (!ir_subscriber_ready(run->subscriber, &why)) {
        if (why.status != IR_OK && !ir_sender_is_final(why.status)) {
            ir_log_limited(&run->logged_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s; trying again",
                           why.text);
        }
        if (ir_clock_monotonic() > end_ns || ir_sender_is_final(why.status)) {
            return why.status != IR_OK
                       ? ir_error_set(error, why.status, "%s", why.text)
                       : ir_error_set(error, IR_ERR_TIMEOUT, "cannot subscribe within retry-for");
        }
        ir_clock_sleep(IR_RUN_POLL_NS);
    }
    run->listening = true;
    run->sees_rejected = ir_subscriber_sees_rejected(run->subscriber);
    if (!run->sees_rejected) {
        ir_log(IR_LOG_WARN, IR_TEXT_LOADGEN_BLIND);
    }
    return IR_OK;
}

/* A run with a null target does not subscribe, because nothing is republished. */
static ir_status_t listen_back(ir_run_t *run, ir_error_t *error) {
    if (!ir_loadgen_subscribes(run->options) || ir_targets_are_null(&run->targets)) {
        return IR_OK;
    }
    const ir_status_t status = start_listening(run, error);
    return status == IR_OK ? wait_until_listening(run, error) : status;
}

/* ---- sending ---- */

static ir_status_t start_sending(ir_run_t *run, ir_error_t *error) {
    const ir_producers_options_t options = {
        .targets = &run->targets,
        .threads = (unsigned)run->options->threads,
        .window = (unsigned)run->options->window,
        .retry_ns = run->options->retry_for_ns,
        .stall_ns = run->options->drain_timeout_ns,
    };
    const ir_producer_shared_t shared = {
        .source = &run->source, .tracker = run->tracker, .ledger = run->ledger};
    return ir_producers_start(&run->producers, &options, &shared, error);
}

static void begin_run(ir_run_t *run) {
    run->cpu_ns = ir_clock_process_cpu();
    run->start_ns = ir_clock_monotonic();
    run->row_ns = run->start_ns + run->options->series_interval_ns;
    ir_progress_init(&run->progress, stderr, isatty(STDERR_FILENO) == 1, run->start_ns);
    ir_run_snap(run);
    ir_measurement_begin(&run->row, &run->now);
    ir_measurement_begin(&run->step, &run->now);
    ir_measurement_begin(&run->whole, &run->now);
}

static void wait_connected(ir_run_t *run) {
    while (!ir_producers_ready(&run->producers) && ir_run_goes_on(run)) {
        ir_clock_sleep(IR_RUN_POLL_NS);
    }
}

/* ---- waiting ---- */

static void wait_answered(ir_run_t *run) {
    ir_producers_finish(&run->producers);
    while (!ir_producers_done(&run->producers)) {
        ir_run_poll(run);
    }
}

static void wait_back(ir_run_t *run) {
    if (run->tracker == NULL || run->options->no_wait) {
        return;
    }
    ir_run_wait_drained(run);
    if (run->now.back.waiting > 0 && run->n_signals == 0) {
        ir_progress_clear(&run->progress);
        ir_log(IR_LOG_WARN, IR_TEXT_NOTHING_BACK);
    }
}

/* ---- the end ---- */

/* Returns the number of messages to send; 0: all that are due in the run's duration. */
static uint64_t messages_asked(const ir_run_t *run) {
    const bool timed = run->plan.kind != IR_PLAN_WHOLE || run->plan.options.duration_ns > 0;
    return timed || run->source.messages == IR_SOURCE_UNLIMITED ? 0 : run->source.messages;
}

/* If both a number of messages and a duration are given, the run ends when it reaches either of
 * them. */
static bool ended_early(const ir_run_t *run) {
    const bool bounded = run->plan.kind == IR_PLAN_WHOLE && run->options->messages > 0;
    return !bounded && ir_producers_any_ended_early(&run->producers);
}

static void conclude(const ir_run_t *run, bool failed, ir_conclusion_t *conclusion) {
    const ir_evidence_t evidence = {
        .plan = &run->plan,
        .messages = messages_asked(run),
        .late_bound_ms = (double)run->options->late_bound_ns / (double)IR_MILLISECOND_NS,
        .failed = failed,
        .interrupted = run->n_signals > 0,
        .ended_early = ended_early(run),
        .waited = !run->options->no_wait,
        .gaps = run->gaps,
        .sent = run->now.sent,
        .back = run->tracker != NULL ? &run->now.back : NULL,
        .results = run->results,
        .n_results = run->n_results,
    };
    ir_conclusion_draw(conclusion, &evidence);
}

static void summarise(ir_run_t *run, bool failed, ir_summary_t *summary) {
    const ir_producer_counts_t *sent = &run->now.sent;
    const bool counted = messages_asked(run) > 0;
    const bool due = run->plan.kind == IR_PLAN_WHOLE; /* with several steps, each sends what the
                                                       * previous one left unsent */
    *summary = (ir_summary_t){
        .options = run->options,
        .targets = &run->targets,
        .by_target = run->by_target,
        .formats = &run->formats,
        .plan = &run->plan,
        .messages = counted ? run->source.messages
                            : sent->messages_sent + (due ? sent->messages_unsent : 0),
        .observations = counted ? run->source.observations
                                : sent->observations_sent + (due ? sent->observations_unsent : 0),
        .whole = &run->whole,
        .results = run->results,
        .n_results = run->n_results,
        .heard = run->tracker != NULL,
        .sees_rejected = run->sees_rejected,
        .gaps = run->gaps,
        .cpu_ns = ir_clock_process_cpu() - run->cpu_ns,
        .interrupted = run->n_signals > 0,
    };
    conclude(run, failed, &summary->conclusion);
}

/* No more arrivals after this. */
static void stop_listening(ir_run_t *run) {
    if (run->subscriber != NULL) {
        run->gaps = ir_subscriber_gaps(run->subscriber);
        ir_subscriber_stop(run->subscriber);
        run->subscriber = NULL;
    }
}

/* Keeps the first error. */
static ir_status_t also(ir_status_t first, ir_status_t then, const ir_error_t *cause,
                        ir_error_t *error) {
    return first == IR_OK && then != IR_OK ? ir_error_set(error, then, "%s", cause->text) : first;
}

static ir_status_t close_files(ir_run_t *run, ir_status_t status, ir_error_t *error) {
    ir_error_t cause = {.status = IR_OK};
    status = also(status, ir_ledger_close(run->ledger, &cause), &cause, error);
    run->ledger = NULL;
    status = also(status, ir_timeline_close(run->timeline, &cause), &cause, error);
    run->timeline = NULL;
    return status;
}

static ir_status_t write_results(const ir_run_t *run, const ir_summary_t *summary,
                                 ir_error_t *error) {
    const bool saves = run->folder.path != NULL;
    ir_status_t status = run->folder.begun ? ir_summary_save(summary, &run->folder, error) : IR_OK;
    if (status == IR_OK && (!saves || run->options->json)) {
        status = ir_summary_write(summary, stdout, "the summary", error);
    }
    return status;
}

/* Joins the threads and writes all results, even after an error. Returns the first error. */
static ir_status_t finish(ir_run_t *run, ir_status_t status, bool *good, ir_error_t *error) {
    ir_summary_t summary;
    ir_error_t cause = {.status = IR_OK};
    stop_listening(run);
    ir_progress_clear(&run->progress);
    status = also(status, ir_producers_join(&run->producers, &cause), &cause, error);
    ir_run_end_row(run);
    ir_run_begin_results(run);
    status = also(status, run->trouble.status, &run->trouble, error);
    status = close_files(run, status, error);
    summarise(run, status != IR_OK, &summary);
    ir_report_tell(&summary);
    status = also(status, write_results(run, &summary, &cause), &cause, error);
    *good = ir_conclusion_is_good(&summary.conclusion);
    return status;
}

static void clean_up(ir_run_t *run) {
    ir_subscriber_stop(run->subscriber);
    ir_producers_free(&run->producers);
    (void)ir_ledger_close(run->ledger, NULL);
    (void)ir_timeline_close(run->timeline, NULL);
    ir_folder_close(&run->folder);
    ir_tracker_free(run->tracker);
    ir_motes_free(run->motes);
    ir_source_close(&run->source);
    ir_targets_free(&run->targets);
    ir_mote_tokens_free(run->tokens);
    ir_measurement_free(&run->fresh);
    ir_measurement_free(&run->row);
    ir_measurement_free(&run->step);
    ir_measurement_free(&run->whole);
    free(run->results);
}

ir_status_t ir_loadgen_run(const ir_loadgen_options_t *options, bool *good, ir_error_t *error) {
    ir_run_t run = {.options = options, .folder = {.lock = -1}, .trouble = {.status = IR_OK}};
    (void)signal(SIGPIPE, SIG_IGN); /* a broken connection is an error of the call */
    ir_status_t status = prepare(&run, error);
    if (status == IR_OK) {
        status = listen_back(&run, error);
    }
    if (status == IR_OK) {
        status = start_sending(&run, error);
    }
    if (status == IR_OK) {
        wait_connected(&run);
        ir_run_take_signals(&run); /* before that, a signal ends the program: nothing was sent */
        begin_run(&run);
        status = ir_run_steps(&run, error);
        wait_answered(&run);
        wait_back(&run);
        status = finish(&run, status, good, error);
    }
    clean_up(&run);
    return status;
}
