#include "loadgen/run.h"

#include "common/clock.h"
#include "common/log.h"
#include "loadgen/bearers.h"
#include "loadgen/feeds.h"
#include "loadgen/plan.h"
#include "loadgen/progress.h"
#include "loadgen/receipts.h"
#include "loadgen/report.h"
#include "loadgen/result.h"
#include "loadgen/series.h"
#include "loadgen/source.h"
#include "loadgen/stretch.h"
#include "loadgen/subscriber.h"
#include "loadgen/summary.h"
#include "store/ledger.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_NS (50 * IR_MILLISECOND_NS)
#define LEAD_NS (60 * IR_MILLISECOND_NS) /* from an order to its start */
#define LOG_EVERY_NS (5 * IR_SECOND_NS)
#define REASON_SIZE 200

typedef struct ir_run {
    const ir_loadgen_options_t *options;
    ir_loadgen_formats_t formats;
    ir_bearers_t *tokens;
    ir_targets_t targets;
    ir_plan_t plan;
    ir_source_t source;
    ir_ledger_writer_t *ledger;
    ir_series_t *series;
    ir_receipts_t *receipts;
    ir_subscriber_t *subscriber;
    ir_feeds_t feeds;
    ir_progress_t progress;

    ir_snapshot_t now;
    ir_feed_counts_t by_target[IR_TARGETS_MAX];
    ir_stretch_t fresh, row, step, whole;      /* since the last look; of a row, a step, the run */
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
    char invalid[REASON_SIZE];
} ir_run_t;

static bool has_text(const char *text) {
    return text != NULL && text[0] != '\0';
}

static double to_ms(int64_t duration_ns) {
    return (double)duration_ns / (double)IR_MILLISECOND_NS;
}

/* ---- signals ---- */

/* The threads started later inherit the mask, so that only this one gets them. A connection that
 * broke is an error of its call, not the end of the program. */
static void take_signals(ir_run_t *run) {
    sigemptyset(&run->signals);
    sigaddset(&run->signals, SIGINT);
    sigaddset(&run->signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &run->signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Waits a moment; true when a signal came. After the second one the next ends the program, should
 * even that not be quick enough. */
static bool wait_moment(ir_run_t *run, int64_t wait_ns) {
    const struct timespec moment = {.tv_nsec = wait_ns < LOOK_NS ? wait_ns : LOOK_NS};
    if (sigtimedwait(&run->signals, NULL, &moment) < 0) {
        return false;
    }
    if (++run->n_signals >= 2) {
        pthread_sigmask(SIG_UNBLOCK, &run->signals, NULL);
    }
    return true;
}

/* ---- preparing ---- */

static ir_status_t make_directory(const char *directory, ir_error_t *error) {
    return mkdir(directory, 0777) == 0 || errno == EEXIST
               ? IR_OK
               : ir_error_set(error, IR_ERR_IO, "out: cannot make directory %s: %s", directory,
                              strerror(errno));
}

static ir_status_t open_ledger(ir_run_t *run, ir_error_t *error) {
    char path[IR_PATH_SIZE];
    if (run->options->no_ledger) {
        return IR_OK;
    }
    const ir_status_t status = ir_summary_path(run->options->out, "ledger.txt", path, error);
    return status == IR_OK ? ir_ledger_create(path, &run->ledger, error) : status;
}

static ir_status_t open_series(ir_run_t *run, ir_error_t *error) {
    char path[IR_PATH_SIZE];
    const ir_status_t status = ir_summary_path(run->options->out, "series.csv", path, error);
    return status == IR_OK ? ir_series_create(path, &run->series, error) : status;
}

static ir_status_t open_files(ir_run_t *run, ir_error_t *error) {
    if (!has_text(run->options->out)) {
        return IR_OK;
    }
    ir_status_t status = make_directory(run->options->out, error);
    if (status == IR_OK) {
        status = open_ledger(run, error);
    }
    return status == IR_OK ? open_series(run, error) : status;
}

static ir_status_t find_targets(ir_run_t *run, ir_error_t *error) {
    const char *tokens = run->options->mote_tokens;
    const ir_status_t status =
        has_text(tokens) ? ir_bearers_load(tokens, &run->tokens, error) : IR_OK;
    return status == IR_OK ? ir_loadgen_targets(run->options, run->tokens, &run->targets, error)
                           : status;
}

static ir_status_t make_stretches(ir_run_t *run, ir_error_t *error) {
    return ir_stretch_init(&run->fresh) && ir_stretch_init(&run->row) &&
                   ir_stretch_init(&run->step) && ir_stretch_init(&run->whole)
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
        status = make_stretches(run, error);
    }
    return status == IR_OK ? open_files(run, error) : status;
}

/* ---- listening ---- */

static ir_status_t start_listening(ir_run_t *run, ir_error_t *error) {
    const uint64_t messages = run->source.messages;
    const uint64_t most = (uint64_t)run->options->outstanding;
    ir_subscriber_options_t options = {
        .formats = run->formats.names, .n_formats = run->formats.count, .any = run->formats.any};
    ir_loadgen_broker_options(run->options, "ir-loadgen subscriber", &options.broker);
    run->receipts = ir_receipts_new((size_t)(messages < most ? messages : most), run->source.motes,
                                    run->formats.count, run->formats.any);
    if (run->receipts == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY,
                            "out of memory for the receipts of %llu messages; try a smaller "
                            "'outstanding'",
                            (unsigned long long)(messages < most ? messages : most));
    }
    return ir_subscriber_start(&options, run->receipts, &run->subscriber, error);
}

static ir_status_t wait_until_listening(ir_run_t *run, ir_error_t *error) {
    const int64_t end_ns = ir_clock_monotonic() + run->options->retry_for_ns;
    ir_error_t why = {.status = IR_OK};
    while (!ir_subscriber_ready(run->subscriber, &why)) {
        if (why.status != IR_OK && !ir_feed_is_final(why.status)) {
            ir_log_limited(&run->logged_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s; trying again",
                           why.text);
        }
        if (ir_clock_monotonic() > end_ns || ir_feed_is_final(why.status)) {
            return why.status != IR_OK
                       ? ir_error_set(error, why.status, "%s", why.text)
                       : ir_error_set(error, IR_ERR_TIMEOUT, "cannot subscribe within retry-for");
        }
        if (wait_moment(run, LOOK_NS)) {
            return ir_error_set(error, IR_ERR_STATE, "stopped before anything was sent");
        }
    }
    run->listening = true;
    run->sees_rejected = ir_subscriber_sees_rejected(run->subscriber);
    if (!run->sees_rejected) {
        ir_log(IR_LOG_WARN, "this user may not listen to ir.rejected: what is rejected will count "
                            "as missing");
    }
    return IR_OK;
}

/* Nothing comes back of what goes nowhere. */
static ir_status_t listen_back(ir_run_t *run, ir_error_t *error) {
    if (!ir_loadgen_subscribes(run->options) || ir_targets_are_null(&run->targets)) {
        return IR_OK;
    }
    const ir_status_t status = start_listening(run, error);
    return status == IR_OK ? wait_until_listening(run, error) : status;
}

/* Says once when the subscription breaks and once when it is back. */
static void watch_listening(ir_run_t *run) {
    ir_error_t why = {.status = IR_OK};
    if (run->subscriber == NULL) {
        return;
    }
    const bool listening = ir_subscriber_ready(run->subscriber, &why);
    if (listening != run->listening) {
        ir_progress_clear(&run->progress);
        ir_log(IR_LOG_WARN, "%s",
               listening ? "subscribed again; what was republished meanwhile was not seen"
                         : why.text);
    }
    run->listening = listening;
}

/* ---- looking ---- */

static void snap(ir_run_t *run) {
    run->now.at_ns = ir_clock_monotonic();
    ir_feeds_count(&run->feeds, &run->now.sent, run->by_target);
    if (run->receipts != NULL) {
        ir_receipts_count(run->receipts, &run->now.back);
    }
}

/* What was measured since the last time goes to the row, the step and the run. */
static void gather(ir_run_t *run) {
    snap(run);
    ir_stretch_begin(&run->fresh, &run->now);
    ir_feeds_take(&run->feeds, &run->fresh.confirms, run->fresh.late);
    if (run->receipts != NULL) {
        ir_receipts_take(run->receipts, &run->fresh.back);
    }
    ir_stretch_t *const all[] = {&run->row, &run->step, &run->whole};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ir_stretch_add(all[i], &run->fresh);
        all[i]->end = run->now;
    }
}

static void end_row(ir_run_t *run) {
    gather(run);
    ir_quantiles_of(run->row.confirms.corrected, &run->shown_confirms);
    ir_quantiles_of(run->row.back.corrected, &run->shown_back);
    if (run->series != NULL) {
        ir_series_write(run->series, &run->row, run->start_ns, run->asked);
    }
    ir_stretch_begin(&run->row, &run->now);
    run->row_ns += run->options->series_interval_ns;
    /* Rows that a stall of this program left out stay out. */
    run->row_ns = run->row_ns > run->now.at_ns ? run->row_ns
                                               : run->now.at_ns + run->options->series_interval_ns;
}

static void show(ir_run_t *run) {
    const bool heard = run->receipts != NULL;
    const ir_progress_state_t state = {
        .now_ns = run->now.at_ns,
        .messages = heard ? run->now.back.complete : run->now.sent.messages_confirmed,
        .to_send = run->source.messages != IR_SOURCE_UNLIMITED ? run->source.messages : 0,
        .length_ns = ir_plan_length(&run->plan),
        .asked = run->asked,
        .sent = run->now.sent.observations_sent,
        .done = heard ? run->now.back.complete_records : run->now.sent.observations_confirmed,
        .backlog = ir_snapshot_backlog(&run->now),
        .refused = run->now.sent.messages_refused,
        .failures = run->now.sent.failures,
        .heard = heard,
        .confirms = &run->shown_confirms,
        .back = &run->shown_back,
        .targets = &run->targets,
        .by_target = run->by_target,
        .note = run->note,
    };
    ir_progress_show(&run->progress, &state);
}

static void take_signal(ir_run_t *run) {
    ir_progress_clear(&run->progress);
    if (run->n_signals == 1) {
        ir_log(IR_LOG_INFO, "stopping: waiting for the confirms of what was sent");
        ir_feeds_stop(&run->feeds);
    } else {
        ir_log(IR_LOG_WARN, "second signal: waiting for nothing");
        ir_feeds_abandon(&run->feeds);
    }
}

/* One of the senders gave up: the others need not go on. */
static void watch_feeds(ir_run_t *run) {
    if (ir_feeds_any_failed(&run->feeds)) {
        ir_feeds_stop(&run->feeds);
    }
}

/* A moment of the run. */
static void look(ir_run_t *run) {
    const int64_t left_ns = run->row_ns - ir_clock_monotonic();
    if (wait_moment(run, left_ns > 0 ? left_ns : 0)) {
        take_signal(run);
    }
    watch_feeds(run);
    watch_listening(run);
    snap(run);
    if (run->now.at_ns >= run->row_ns) {
        end_row(run);
    }
    show(run);
}

/* ---- sending ---- */

static ir_status_t start_sending(ir_run_t *run, ir_error_t *error) {
    const ir_feeds_options_t options = {
        .targets = &run->targets,
        .threads = (unsigned)run->options->threads,
        .window = (unsigned)run->options->window,
        .retry_ns = run->options->retry_for_ns,
        .stall_ns = run->options->drain_timeout_ns,
    };
    const ir_feed_shared_t shared = {
        .source = &run->source, .receipts = run->receipts, .ledger = run->ledger};
    return ir_feeds_start(&run->feeds, &options, &shared, error);
}

static void begin_run(ir_run_t *run) {
    run->cpu_ns = ir_clock_process_cpu();
    run->start_ns = ir_clock_monotonic();
    run->row_ns = run->start_ns + run->options->series_interval_ns;
    ir_progress_init(&run->progress, stderr, isatty(STDERR_FILENO) == 1, run->start_ns);
    snap(run);
    ir_stretch_begin(&run->row, &run->now);
    ir_stretch_begin(&run->step, &run->now);
    ir_stretch_begin(&run->whole, &run->now);
}

static bool goes_on(const ir_run_t *run) {
    return run->n_signals == 0 && !ir_feeds_any_failed(&run->feeds);
}

static void wait_connected(ir_run_t *run) {
    while (!ir_feeds_ready(&run->feeds) && goes_on(run)) {
        if (wait_moment(run, LOOK_NS)) {
            take_signal(run);
        }
    }
}

/* ---- steps ---- */

static void begin_measuring(ir_run_t *run) {
    gather(run);
    ir_stretch_begin(&run->step, &run->now);
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
    ir_feeds_begin(&run->feeds, &order);
}

/* Until all that is due went out, or the time is over. */
static void watch_step(ir_run_t *run, bool warms_up) {
    bool measuring = !warms_up;
    while (!ir_feeds_idle(&run->feeds)) {
        look(run);
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
    gather(run);
    /* It takes a moment to see that the time is over; nothing is sent in it. */
    run->step.end.at_ns = run->now.at_ns < run->end_ns ? run->now.at_ns : run->end_ns;
    ir_result_make(result, &run->step, &run->backlog, run->asked, run->receipts != NULL,
                   to_ms(run->options->late_bound_ns));
    ir_result_trial(result, &trial);
    result->verdict = ir_plan_tell(&run->plan, &trial);
    if (run->plan.kind != IR_PLAN_WHOLE) {
        ir_progress_clear(&run->progress);
        ir_report_step(result);
    }
    return IR_OK;
}

static uint64_t arrivals(const ir_run_t *run) {
    const ir_receipts_counts_t *back = &run->now.back;
    uint64_t count = back->copies + back->revisions + back->foreign +
                     back->by_fate[IR_FATE_REJECTED] + back->partly_rejected +
                     run->now.sent.messages_confirmed + run->now.sent.messages_refused;
    for (unsigned i = 0; i < run->formats.count; i++) {
        count += back->by_format[i];
    }
    return count;
}

static bool has_open(const ir_run_t *run) {
    const ir_feed_counts_t *sent = &run->now.sent;
    return run->now.back.waiting > 0 ||
           sent->messages_sent - sent->messages_confirmed - sent->messages_refused > 0;
}

/* Until everything that went out is answered and back, or nothing has moved for too long. */
static void wait_drained(ir_run_t *run) {
    run->note = "waiting for what is outstanding";
    look(run);
    uint64_t before = arrivals(run);
    int64_t last_ns = run->now.at_ns;
    while (goes_on(run) && has_open(run)) {
        if (arrivals(run) != before) {
            before = arrivals(run);
            last_ns = run->now.at_ns;
        } else if (run->now.at_ns - last_ns > run->options->drain_timeout_ns) {
            break;
        }
        look(run);
    }
    run->note = NULL;
}

static ir_status_t run_step(ir_run_t *run, const ir_step_t *step, ir_error_t *error) {
    order_step(run, step);
    watch_step(run, step->warm_up_ns > 0);
    const ir_status_t status = end_step(run, error);
    if (step->drains) {
        wait_drained(run);
    }
    return status;
}

static ir_status_t check_source(const ir_run_t *run, ir_error_t *error) {
    return ir_feeds_any_dry(&run->feeds) && goes_on(run)
               ? ir_error_set(error, IR_ERR_RANGE,
                              "the messages ended before the last step: say a larger --repeat, or "
                              "--messages 0")
               : IR_OK;
}

static ir_status_t run_steps(ir_run_t *run, ir_error_t *error) {
    ir_step_t step;
    ir_status_t status = IR_OK;
    while (status == IR_OK && goes_on(run) && ir_plan_next(&run->plan, &step)) {
        status = run->plan.given > 1 ? check_source(run, error) : IR_OK;
        if (status == IR_OK) {
            status = run_step(run, &step, error);
        }
    }
    return status;
}

/* ---- waiting ---- */

static void wait_answered(ir_run_t *run) {
    ir_feeds_finish(&run->feeds);
    while (!ir_feeds_done(&run->feeds)) {
        look(run);
    }
}

static void wait_back(ir_run_t *run) {
    if (run->receipts == NULL || run->options->no_wait) {
        return;
    }
    wait_drained(run);
    if (run->now.back.waiting > 0 && run->n_signals == 0) {
        ir_progress_clear(&run->progress);
        ir_log(IR_LOG_WARN, "nothing came back within drain-timeout: is a worker running, and "
                            "does it publish the same formats?");
    }
}

/* ---- the end ---- */

static const char *judge_validity(ir_run_t *run) {
    if (run->plan.kind == IR_PLAN_SEARCH) {
        if (run->plan.search.limit == IR_VERDICT_GENERATOR) {
            snprintf(run->invalid, REASON_SIZE,
                     "the generator is the limit, not the target: more threads may help");
        }
        return run->invalid[0] != '\0' ? run->invalid : NULL;
    }
    for (size_t i = 0; i < run->n_results && run->invalid[0] == '\0'; i++) {
        if (!run->results[i].valid) {
            snprintf(run->invalid, REASON_SIZE,
                     "the generator could not keep its own schedule at %.0f/s: 1 %% of the "
                     "messages went out more than %.1f ms late, bound %.1f ms",
                     run->results[i].asked, run->results[i].late.p99,
                     to_ms(run->options->late_bound_ns));
        }
    }
    return run->invalid[0] != '\0' ? run->invalid : NULL;
}

/* What there was to send: with a time that ends it, what was sent. */
static bool is_open_ended(const ir_run_t *run) {
    return run->source.messages == IR_SOURCE_UNLIMITED || run->plan.kind != IR_PLAN_WHOLE ||
           run->plan.options.duration_ns > 0;
}

static void summarise(ir_run_t *run, ir_summary_t *summary) {
    const bool open_ended = is_open_ended(run);
    *summary = (ir_summary_t){
        .options = run->options,
        .targets = &run->targets,
        .by_target = run->by_target,
        .formats = &run->formats,
        .plan = &run->plan,
        .messages = open_ended ? run->now.sent.messages_sent : run->source.messages,
        .observations = open_ended ? run->now.sent.observations_sent : run->source.observations,
        .whole = &run->whole,
        .results = run->results,
        .n_results = run->n_results,
        .heard = run->receipts != NULL,
        .sees_rejected = run->sees_rejected,
        .gaps = run->gaps,
        .cpu_ns = ir_clock_process_cpu() - run->cpu_ns,
        .interrupted = run->n_signals > 0,
        .invalid = judge_validity(run),
    };
    ir_balance_make(&summary->balance, &run->now.sent,
                    run->receipts != NULL ? &run->now.back : NULL);
    summary->complete = ir_summary_is_complete(summary);
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
    status = also(status, ir_series_close(run->series, &cause), &cause, error);
    run->series = NULL;
    return status;
}

static ir_status_t write_results(const ir_run_t *run, const ir_summary_t *summary,
                                 ir_error_t *error) {
    const bool saves = has_text(run->options->out);
    ir_status_t status = saves ? ir_summary_save(summary, run->options->out, error) : IR_OK;
    if (status == IR_OK && (!saves || run->options->json)) {
        status = ir_summary_write(summary, stdout, "the summary", error);
    }
    return status;
}

/* Joins the threads and writes what there is, whatever happened; the first error counts. */
static ir_status_t finish(ir_run_t *run, ir_status_t status, bool *complete, ir_error_t *error) {
    ir_summary_t summary;
    ir_error_t cause = {.status = IR_OK};
    stop_listening(run);
    ir_progress_clear(&run->progress);
    status = also(status, ir_feeds_join(&run->feeds, &cause), &cause, error);
    end_row(run);
    status = close_files(run, status, error);
    summarise(run, &summary);
    ir_report_tell(&summary);
    status = also(status, write_results(run, &summary, &cause), &cause, error);
    *complete = summary.complete && summary.invalid == NULL && ir_balance_is_even(&summary.balance);
    return status;
}

static void clean_up(ir_run_t *run) {
    ir_subscriber_stop(run->subscriber);
    ir_feeds_free(&run->feeds);
    (void)ir_ledger_close(run->ledger, NULL);
    (void)ir_series_close(run->series, NULL);
    ir_receipts_free(run->receipts);
    ir_source_close(&run->source);
    ir_targets_free(&run->targets);
    ir_bearers_free(run->tokens);
    ir_stretch_free(&run->fresh);
    ir_stretch_free(&run->row);
    ir_stretch_free(&run->step);
    ir_stretch_free(&run->whole);
    free(run->results);
}

ir_status_t ir_loadgen_run(const ir_loadgen_options_t *options, bool *complete, ir_error_t *error) {
    ir_run_t run = {.options = options};
    take_signals(&run);
    ir_status_t status = prepare(&run, error);
    if (status == IR_OK) {
        status = listen_back(&run, error);
    }
    if (status == IR_OK) {
        status = start_sending(&run, error);
    }
    if (status == IR_OK) {
        wait_connected(&run);
        begin_run(&run);
        status = run_steps(&run, error);
        wait_answered(&run);
        wait_back(&run);
        status = finish(&run, status, complete, error);
    }
    clean_up(&run);
    return status;
}
