#include "loadgen/state.h"

#include "common/log.h"

#include <pthread.h>
#include <time.h>

/* ---- signals ---- */

/* Under nohup SIGHUP is ignored, and must stay so. A blocked signal would nevertheless be received
 * with sigtimedwait. */
static bool is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Signals stay pending until this thread receives them. */
void ir_run_take_signals(ir_run_t *run) {
    sigemptyset(&run->signals);
    sigaddset(&run->signals, SIGINT);
    sigaddset(&run->signals, SIGTERM);
    if (!is_ignored(SIGHUP)) {
        sigaddset(&run->signals, SIGHUP);
    }
    pthread_sigmask(SIG_BLOCK, &run->signals, NULL);
}

/* Waits a moment; returns true when a signal came. The third signal ends the program at once. */
bool ir_run_wait_moment(ir_run_t *run, int64_t wait_ns) {
    const struct timespec moment = {.tv_nsec = wait_ns < IR_RUN_POLL_NS ? wait_ns : IR_RUN_POLL_NS};
    if (sigtimedwait(&run->signals, NULL, &moment) < 0) {
        return false;
    }
    if (++run->n_signals >= 2) {
        pthread_sigmask(SIG_UNBLOCK, &run->signals, NULL);
    }
    return true;
}

/* ---- listening ---- */

/* Logs when the subscription breaks, and when it works again. */
static void watch_listening(ir_run_t *run) {
    ir_error_t why = {.status = IR_OK};
    if (run->subscriber == NULL) {
        return;
    }
    const bool listening = ir_subscriber_ready(run->subscriber, &why);
    if (listening != run->listening) {
        ir_progress_clear(&run->progress);
        ir_log(IR_LOG_WARN, "%s",
               listening ? "subscribed again; messages republished in the meantime were not seen"
                         : why.text);
    }
    run->listening = listening;
}

/* ---- polling ---- */

void ir_run_snap(ir_run_t *run) {
    run->now.at_ns = ir_clock_monotonic();
    ir_producers_count(&run->producers, &run->now.sent, run->by_target);
    if (run->tracker != NULL) {
        ir_tracker_count(run->tracker, &run->now.back);
    }
}

/* Adds the values measured since the last call to the row, the step and the run. */
void ir_run_gather(ir_run_t *run) {
    ir_run_snap(run);
    ir_measurement_begin(&run->fresh, &run->now);
    ir_producers_take(&run->producers, &run->fresh.confirms, run->fresh.late);
    if (run->tracker != NULL) {
        ir_tracker_take(run->tracker, &run->fresh.back);
    }
    ir_measurement_t *const all[] = {&run->row, &run->step, &run->whole};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ir_measurement_add(all[i], &run->fresh);
        all[i]->end = run->now;
    }
}

void ir_run_end_row(ir_run_t *run) {
    ir_run_gather(run);
    ir_quantiles_of(run->row.confirms.corrected, &run->shown_confirms);
    ir_quantiles_of(run->row.back.corrected, &run->shown_back);
    if (run->timeline != NULL) {
        ir_timeline_write(run->timeline, &run->row, run->start_ns, run->asked);
    }
    ir_measurement_begin(&run->row, &run->now);
    run->row_ns += run->options->series_interval_ns;
    /* If this program stalls, the rows of that time are left out. */
    run->row_ns = run->row_ns > run->now.at_ns ? run->row_ns
                                               : run->now.at_ns + run->options->series_interval_ns;
}

static void show(ir_run_t *run) {
    const bool heard = run->tracker != NULL;
    const bool ends_by_count =
        run->source.messages != IR_SOURCE_UNLIMITED && run->plan.kind != IR_PLAN_SEARCH;
    const ir_progress_state_t state = {
        .now_ns = run->now.at_ns,
        .messages = heard ? run->now.back.complete : run->now.sent.messages_confirmed,
        .to_send = ends_by_count ? run->source.messages : 0,
        .length_ns = ir_plan_length(&run->plan),
        .sending = !ir_producers_idle(&run->producers),
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

void ir_run_take_signal(ir_run_t *run) {
    ir_progress_clear(&run->progress);
    if (run->n_signals == 1) {
        ir_log(IR_LOG_INFO, "stopping: waiting for the confirms of sent messages");
        ir_producers_stop(&run->producers);
    } else {
        ir_log(IR_LOG_WARN, "second signal: not waiting; a third ends the program at once");
        ir_producers_abandon(&run->producers);
    }
}

/* When one producer gives up, the others stop too. */
static void watch_producers(ir_run_t *run) {
    if (ir_producers_any_failed(&run->producers)) {
        ir_producers_stop(&run->producers);
    }
}

void ir_run_begin_results(ir_run_t *run) {
    if (!run->folder.begun && run->now.sent.messages_sent > 0 && run->trouble.status == IR_OK &&
        ir_producers_any_reached(&run->producers) &&
        ir_folder_begin(&run->folder, &run->trouble) != IR_OK) {
        ir_producers_stop(&run->producers);
    }
}

/* One round of the monitoring loop. */
void ir_run_poll(ir_run_t *run) {
    const int64_t left_ns = run->row_ns - ir_clock_monotonic();
    if (ir_run_wait_moment(run, left_ns > 0 ? left_ns : 0)) {
        ir_run_take_signal(run);
    }
    watch_producers(run);
    watch_listening(run);
    ir_run_snap(run);
    ir_run_begin_results(run);
    if (run->now.at_ns >= run->row_ns) {
        ir_run_end_row(run);
    }
    show(run);
}

bool ir_run_goes_on(const ir_run_t *run) {
    return run->n_signals == 0 && !ir_producers_any_failed(&run->producers);
}
