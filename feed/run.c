#include "feed/run.h"

#include "common/clock.h"
#include "common/log.h"
#include "feed/cursor.h"
#include "feed/delivery.h"
#include "feed/report.h"
#include "feed/round.h"
#include "feed/spool.h"
#include "feed/subscription.h"
#include "feed/zone.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_NS (50 * IR_MILLISECOND_NS) /* maximum wait in one turn */
#define SPOOL_PREFIX "spool-"
#define SUMMARY_EVERY_NS (60 * IR_SECOND_NS)

/* The state of one position. */
typedef struct ir_feed_line {
    ir_round_t *round;
    ir_feed_subscription_t *subscription; /* or NULL */
    char *folder;                         /* folder of the spool, or NULL */
    int64_t look_ns;                      /* when to check the files again */
    bool idle;                            /* at the last check, nothing was left to do */
} ir_feed_line_t;

typedef struct ir_feed_run {
    const ir_feed_options_t *options;
    const ir_map_t *map;
    int lock;
    ir_zones_t *zones;
    ir_mote_tokens_t *tokens;
    ir_targets_t targets;
    ir_report_t report;
    ir_feed_line_t *lines;
    ir_round_t **rounds;
    ir_feed_delivery_t *delivery;
    int64_t stop_ns; /* when to stop waiting for confirms; 0: not stopping */
    int64_t said_ns;
    uint64_t said;
} ir_feed_run_t;

/* ---- signals ---- */

static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

/* A second signal ends the program at once. Packs that were sent but not recorded are then sent
 * again by the next run. */
static void take_signals(void) {
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- beginning ---- */

static ir_status_t open_line(ir_feed_run_t *run, size_t i, ir_error_t *error) {
    const ir_position_t *position = run->map->positions[i];
    const char *state = ir_setting_text(run->options->state);
    ir_feed_line_t *line = &run->lines[i];
    if (ir_setting_text(position->subscribe) != NULL) {
        if (state == NULL) {
            return ir_error_set(error, IR_ERR_USAGE, "state: [%s] subscribes, which needs --state",
                                position->name);
        }
        if (asprintf(&line->folder, "%s/" SPOOL_PREFIX "%s", state, position->name) < 0) {
            return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a spool's name");
        }
    }
    const ir_round_options_t options = {.position = position,
                                        .state = state,
                                        .spool = line->folder,
                                        .packs = (size_t)run->options->round_packs,
                                        .zones = run->zones,
                                        .report = &run->report};
    const ir_status_t status = ir_round_open(&options, &line->round, error);
    run->rounds[i] = line->round;
    return status;
}

static ir_status_t start_subscription(ir_feed_run_t *run, size_t i, ir_error_t *error) {
    const ir_subscription_options_t options = {.position = run->map->positions[i],
                                               .spool = run->lines[i].folder,
                                               .spool_bytes = run->options->spool_bytes,
                                               .timeout_ns = run->options->timeout_ns};
    return run->lines[i].folder != NULL && run->options->follow
               ? ir_subscription_start(&options, &run->lines[i].subscription, error)
               : IR_OK;
}

static ir_status_t open_target(ir_feed_run_t *run, ir_error_t *error) {
    const char *tokens = ir_setting_text(run->options->send.mote_tokens);
    const ir_status_t status =
        tokens != NULL ? ir_mote_tokens_load(tokens, &run->tokens, error) : IR_OK;
    return status == IR_OK ? ir_feed_target(run->options, run->tokens, &run->targets, error)
                           : status;
}

static ir_status_t open_delivery(ir_feed_run_t *run, ir_error_t *error) {
    const ir_delivery_options_t options = {.target = &run->targets.all[0],
                                           .rounds = run->rounds,
                                           .n_rounds = run->map->n_positions,
                                           .window = (size_t)run->options->window,
                                           .retry_ns = run->options->retry_for_ns};
    run->delivery = ir_delivery_open(&options);
    return run->delivery != NULL
               ? IR_OK
               : ir_error_set(error, IR_ERR_MEMORY, "out of memory for the sender");
}

static ir_status_t begin(ir_feed_run_t *run, ir_error_t *error) {
    const size_t count = run->map->n_positions;
    const char *state = ir_setting_text(run->options->state);
    run->zones = ir_zones_new();
    run->lines = calloc(count, sizeof run->lines[0]);
    run->rounds = calloc(count, sizeof(ir_round_t *));
    if (run->zones == NULL || run->lines == NULL || run->rounds == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the positions");
    }
    ir_status_t status = state != NULL ? ir_cursors_lock(state, &run->lock, error) : IR_OK;
    if (status == IR_OK) {
        status = open_target(run, error);
    }
    for (size_t i = 0; i < count && status == IR_OK; i++) {
        status = open_line(run, i, error);
    }
    if (status == IR_OK) {
        status = open_delivery(run, error);
    }
    for (size_t i = 0; i < count && status == IR_OK; i++) {
        status = start_subscription(run, i, error);
    }
    return status;
}

static void finish(ir_feed_run_t *run) {
    for (size_t i = 0; run->lines != NULL && i < run->map->n_positions; i++) {
        ir_subscription_stop(run->lines[i].subscription);
    }
    ir_delivery_close(run->delivery);
    for (size_t i = 0; run->lines != NULL && i < run->map->n_positions; i++) {
        ir_round_close(run->lines[i].round);
        free(run->lines[i].folder);
    }
    ir_targets_free(&run->targets);
    ir_mote_tokens_free(run->tokens);
    ir_zones_free(run->zones);
    free(run->lines);
    free(run->rounds);
    if (run->lock >= 0) {
        (void)close(run->lock);
    }
}

/* ---- turns ---- */

/* Saves a finished round and reads the next one, unless the program ends. */
static ir_status_t advance(ir_feed_run_t *run, ir_feed_line_t *line, ir_error_t *error) {
    if (!ir_round_is_done(line->round)) {
        return IR_OK;
    }
    ir_status_t status = ir_round_confirm(line->round, error);
    const int64_t now_ns = ir_clock_monotonic();
    if (status != IR_OK || stopping || now_ns < line->look_ns) {
        return status;
    }
    status = ir_round_fill(line->round, error);
    line->idle =
        status == IR_OK && ir_round_count(line->round) == 0 && !ir_round_has_more(line->round);
    line->look_ns = line->idle ? now_ns + run->options->poll_ns : 0;
    return status;
}

/* Whether nothing is left to do: everything was read or, if the program is ending, everything was
 * answered. */
static bool is_over(ir_feed_run_t *run) {
    bool idle = true;
    bool answered = true;
    for (size_t i = 0; i < run->map->n_positions; i++) {
        idle = idle && run->lines[i].idle && ir_round_is_done(run->lines[i].round);
        answered = answered && ir_round_open_packs(run->lines[i].round) == 0;
    }
    if (stopping && run->stop_ns == 0) {
        run->stop_ns = ir_clock_monotonic() + run->options->timeout_ns;
    }
    return stopping ? answered || ir_clock_monotonic() > run->stop_ns
                    : idle && !run->options->follow;
}

static void say_counts(ir_feed_run_t *run) {
    const ir_delivery_counts_t counts = ir_delivery_counts(run->delivery);
    ir_log(IR_LOG_INFO,
           "%llu packs confirmed (%llu of them partly), %llu refused; %llu rows or values not used",
           (unsigned long long)counts.confirmed, (unsigned long long)counts.partly,
           (unsigned long long)counts.refused, (unsigned long long)run->report.unusable);
    run->said = counts.confirmed;
    run->said_ns = ir_clock_monotonic();
}

static void say_progress(ir_feed_run_t *run) {
    if (ir_delivery_counts(run->delivery).confirmed != run->said &&
        ir_clock_monotonic() - run->said_ns > SUMMARY_EVERY_NS) {
        say_counts(run);
    }
}

static ir_status_t take_turn(ir_feed_run_t *run, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < run->map->n_positions && status == IR_OK; i++) {
        const ir_feed_subscription_t *subscription = run->lines[i].subscription;
        status = subscription != NULL && ir_subscription_gave_up(subscription, error)
                     ? error->status
                     : advance(run, &run->lines[i], error);
    }
    say_progress(run);
    return status == IR_OK ? ir_delivery_turn(run->delivery, stopping != 0, LOOK_NS, error)
                           : status;
}

/* ---- the end ---- */

/* Saves the confirmed part of the last rounds, for whatever reason the run ended. */
static ir_status_t keep(ir_feed_run_t *run, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < run->map->n_positions && status == IR_OK; i++) {
        status = ir_round_confirm(run->lines[i].round, error);
    }
    return status;
}

/* Only a run that ends by itself has read everything. */
static void report_waiting(const ir_feed_run_t *run) {
    for (size_t i = 0; i < run->map->n_positions && !run->options->follow && !stopping; i++) {
        ir_round_report_waiting(run->lines[i].round);
    }
}

static bool is_good(const ir_feed_run_t *run) {
    const ir_delivery_counts_t counts = ir_delivery_counts(run->delivery);
    bool good = run->report.unusable == 0 && counts.refused == 0 && counts.partly == 0;
    for (size_t i = 0; i < run->map->n_positions; i++) {
        good = good && !ir_round_failed(run->lines[i].round);
    }
    return good;
}

ir_status_t ir_feed_run(const ir_feed_options_t *options, const ir_map_t *map, bool *good,
                        ir_error_t *error) {
    ir_feed_run_t run = {
        .options = options, .map = map, .lock = -1, .said_ns = ir_clock_monotonic()};
    take_signals();
    ir_status_t status = begin(&run, error);
    if (status == IR_OK) {
        while (status == IR_OK && !is_over(&run)) {
            status = take_turn(&run, error);
        }
        const ir_status_t kept = keep(&run, status == IR_OK ? error : NULL);
        status = status == IR_OK ? kept : status;
        report_waiting(&run);
        say_counts(&run);
        *good = is_good(&run);
    }
    finish(&run);
    return status;
}
