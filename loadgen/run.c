#include "loadgen/run.h"

#include "common/clock.h"
#include "common/log.h"
#include "loadgen/feed.h"
#include "loadgen/progress.h"
#include "loadgen/receipts.h"
#include "loadgen/source.h"
#include "loadgen/subscriber.h"
#include "loadgen/summary.h"
#include "store/ledger.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_NS (50 * IR_MILLISECOND_NS)
#define LOG_EVERY_NS (5 * IR_SECOND_NS)
#define MICROSECONDS_PER_MS 1000.0

typedef struct ir_run {
    const ir_loadgen_options_t *options;
    ir_loadgen_formats_t formats;
    ir_source_t source;
    ir_ledger_writer_t *ledger;
    ir_receipts_t *receipts;
    ir_subscriber_t *subscriber;
    ir_feed_t *feed;
    ir_progress_t progress;
    ir_feed_counts_t sent;
    ir_receipts_counts_t back;
    sigset_t signals;
    unsigned n_signals; /* that came */
    bool listening;     /* as last seen */
    uint64_t gaps;
    int64_t logged_ns;
    int64_t cpu_ns; /* of the process when sending began */
} ir_run_t;

static bool has_text(const char *text) {
    return text != NULL && text[0] != '\0';
}

/* ---- signals ---- */

/* The threads started later inherit the mask, so that only this one gets them. */
static void take_signals(ir_run_t *run) {
    sigemptyset(&run->signals);
    sigaddset(&run->signals, SIGINT);
    sigaddset(&run->signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &run->signals, NULL);
}

/* Waits a moment; true when a signal came. After the second one the next ends the program, should
 * even that not be quick enough. */
static bool wait_moment(ir_run_t *run) {
    const struct timespec moment = {.tv_nsec = LOOK_NS};
    if (sigtimedwait(&run->signals, NULL, &moment) < 0) {
        return false;
    }
    if (++run->n_signals >= 2) {
        pthread_sigmask(SIG_UNBLOCK, &run->signals, NULL);
    }
    return true;
}

/* ---- preparing ---- */

static ir_status_t open_ledger(ir_run_t *run, ir_error_t *error) {
    const char *directory = run->options->out;
    char path[IR_PATH_SIZE];
    if (!has_text(directory)) {
        return IR_OK;
    }
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        return ir_error_set(error, IR_ERR_IO, "out: cannot make directory %s: %s", directory,
                            strerror(errno));
    }
    const ir_status_t status = ir_summary_path(directory, "ledger.txt", path, error);
    return status == IR_OK ? ir_ledger_create(path, &run->ledger, error) : status;
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
        if (wait_moment(run)) {
            return ir_error_set(error, IR_ERR_STATE, "stopped before anything was sent");
        }
    }
    run->listening = true;
    return IR_OK;
}

static ir_status_t listen_back(ir_run_t *run, ir_error_t *error) {
    if (!ir_loadgen_subscribes(run->options)) {
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

/* ---- sending and waiting ---- */

static ir_status_t start_sending(ir_run_t *run, ir_error_t *error) {
    ir_feed_options_t options = {
        .sender = &ir_sender_amqp,
        .rate = run->options->rate,
        .window = (unsigned)run->options->window,
        .retry_ns = run->options->retry_for_ns,
        .stall_ns = run->options->drain_timeout_ns,
    };
    ir_loadgen_broker_options(run->options, "ir-loadgen sender", &options.broker);
    ir_progress_init(&run->progress, stderr, isatty(STDERR_FILENO) == 1, run->source.messages,
                     run->source.observations, ir_clock_monotonic());
    run->cpu_ns = ir_clock_process_cpu();
    return ir_feed_start(&options, &run->source, run->receipts, run->ledger, &run->feed, error);
}

static void show(ir_run_t *run) {
    ir_feed_count(run->feed, &run->sent);
    if (run->receipts != NULL) {
        ir_receipts_count(run->receipts, &run->back);
    }
    watch_listening(run);
    const ir_progress_state_t state = {
        .messages_sent = run->sent.messages_sent,
        .observations_sent = run->sent.observations_sent,
        .messages_done = run->receipts != NULL ? run->back.complete : run->sent.messages_confirmed,
        .now_ns = ir_clock_monotonic(),
    };
    ir_progress_show(&run->progress, &state);
}

static void take_signal(ir_run_t *run) {
    ir_progress_clear(&run->progress);
    if (run->n_signals == 1) {
        ir_log(IR_LOG_INFO, "stopping: waiting for the confirms of what was sent");
        ir_feed_stop(run->feed);
    } else {
        ir_log(IR_LOG_WARN, "second signal: waiting for nothing");
        ir_feed_abandon(run->feed);
    }
}

static void wait_sent(ir_run_t *run) {
    while (!ir_feed_done(run->feed)) {
        if (wait_moment(run)) {
            take_signal(run);
        }
        show(run);
    }
}

static uint64_t arrivals(const ir_run_t *run) {
    uint64_t count = run->back.copies + run->back.revisions + run->back.foreign;
    for (unsigned i = 0; i < run->formats.count; i++) {
        count += run->back.by_format[i];
    }
    return count;
}

static void wait_back(ir_run_t *run) {
    show(run);
    uint64_t before = arrivals(run);
    int64_t last_ns = ir_clock_monotonic();
    while (run->n_signals == 0 && run->back.complete < run->sent.messages_sent) {
        if (arrivals(run) != before) {
            before = arrivals(run);
            last_ns = ir_clock_monotonic();
        } else if (ir_clock_monotonic() - last_ns > run->options->drain_timeout_ns) {
            ir_progress_clear(&run->progress);
            ir_log(IR_LOG_WARN, "nothing came back within drain-timeout: is a worker running, and "
                                "does it publish the same formats?");
            return;
        }
        (void)wait_moment(run);
        show(run);
    }
}

/* ---- the end ---- */

static void summarise(const ir_run_t *run, ir_summary_t *summary) {
    *summary = (ir_summary_t){
        .options = run->options,
        .messages = run->source.messages,
        .observations = run->source.observations,
        .sent = run->sent,
        .formats = &run->formats,
        .receipts = run->receipts,
        .back = run->back,
        .gaps = run->gaps,
        .cpu_ns = ir_clock_process_cpu() - run->cpu_ns,
        .interrupted = run->n_signals > 0,
    };
    summary->complete = ir_summary_is_complete(summary);
}

static double ms(const ir_histogram_t *histogram, double percentile) {
    return (double)ir_histogram_percentile(histogram, percentile) / MICROSECONDS_PER_MS;
}

static void tell(const ir_run_t *run, const ir_summary_t *summary) {
    const ir_feed_counts_t *sent = &run->sent;
    ir_log(IR_LOG_INFO, "%llu of %llu messages sent (%llu observations), %llu confirmed",
           (unsigned long long)sent->messages_sent, (unsigned long long)summary->messages,
           (unsigned long long)sent->observations_sent,
           (unsigned long long)sent->messages_confirmed);
    if (run->receipts != NULL) {
        const ir_histogram_t *corrected = ir_receipts_corrected(run->receipts);
        ir_log(IR_LOG_INFO,
               "%llu came back; end to end p50 %.1f ms, p99 %.1f ms, max %.1f ms; %llu order "
               "violations",
               (unsigned long long)run->back.complete, ms(corrected, 50), ms(corrected, 99),
               ms(corrected, 100), (unsigned long long)run->back.order_violations);
    }
}

/* No more arrivals after this. */
static void stop_listening(ir_run_t *run) {
    if (run->subscriber != NULL) {
        run->gaps = ir_subscriber_gaps(run->subscriber);
        ir_subscriber_stop(run->subscriber);
        run->subscriber = NULL;
        ir_receipts_count(run->receipts, &run->back);
    }
}

static ir_status_t stop_sending(ir_run_t *run, ir_error_t *error) {
    ir_feed_count(run->feed, &run->sent);
    const ir_status_t status = ir_feed_join(run->feed, error);
    ir_error_t closing;
    const ir_status_t closed = ir_ledger_close(run->ledger, &closing);
    run->ledger = NULL;
    return status == IR_OK && closed != IR_OK ? ir_error_set(error, closed, "%s", closing.text)
                                              : status;
}

static ir_status_t write_results(const ir_run_t *run, const ir_summary_t *summary,
                                 ir_error_t *error) {
    return has_text(run->options->out) ? ir_summary_save(summary, run->options->out, error)
                                       : ir_summary_write(summary, stdout, "the summary", error);
}

/* Joins the threads and writes what there is, whatever happened; the first error counts. */
static ir_status_t finish(ir_run_t *run, bool *complete, ir_error_t *error) {
    ir_summary_t summary;
    ir_error_t writing;
    stop_listening(run);
    ir_progress_clear(&run->progress);
    const ir_status_t status = stop_sending(run, error);
    summarise(run, &summary);
    tell(run, &summary);
    const ir_status_t written = write_results(run, &summary, &writing);
    *complete = summary.complete;
    return status == IR_OK && written != IR_OK ? ir_error_set(error, written, "%s", writing.text)
                                               : status;
}

static void clean_up(ir_run_t *run) {
    ir_subscriber_stop(run->subscriber);
    (void)ir_ledger_close(run->ledger, NULL);
    ir_receipts_free(run->receipts);
    ir_source_close(&run->source);
}

ir_status_t ir_loadgen_run(const ir_loadgen_options_t *options, bool *complete, ir_error_t *error) {
    ir_run_t run = {.options = options};
    take_signals(&run);
    ir_status_t status = ir_loadgen_formats(options, &run.formats, error);
    if (status == IR_OK) {
        status = ir_loadgen_source(options, &run.source, error);
    }
    if (status == IR_OK) {
        status = open_ledger(&run, error);
    }
    if (status == IR_OK) {
        status = listen_back(&run, error);
    }
    if (status == IR_OK) {
        status = start_sending(&run, error);
    }
    if (status == IR_OK) {
        wait_sent(&run);
        if (run.receipts != NULL && !options->no_wait) {
            wait_back(&run);
        }
        status = finish(&run, complete, error);
    }
    clean_up(&run);
    return status;
}
