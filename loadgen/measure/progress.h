/* Shows progress on standard error: on a terminal, a view that is redrawn in place; otherwise, a
 * plain line every few seconds. One thread. */
#ifndef IR_LOADGEN_MEASURE_PROGRESS_H
#define IR_LOADGEN_MEASURE_PROGRESS_H

#include "loadgen/measure/result.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct ir_progress {
    FILE *out;
    bool terminal;
    unsigned lines; /* number of lines of the view now on the terminal */
    int64_t start_ns, last_shown_ns, last_rated_ns;
    uint64_t last_sent, last_done; /* observations */
    double sent_rate, done_rate;   /* observations/s, smoothed */
} ir_progress_t;

/* The present state of the run. */
typedef struct ir_progress_state {
    int64_t now_ns;             /* monotonic */
    uint64_t messages, to_send; /* number of messages done, and in total (0: unknown) */
    int64_t length_ns;          /* length of the whole run; 0: until everything is sent */
    bool sending;               /* false: sending has ended, so no sending rate is shown */
    double asked;               /* current target rate, observations/s; 0: as fast as possible */
    uint64_t sent, done; /* numbers of observations; done: republished or, without a subscription,
                          * confirmed */
    double backlog;      /* observations */
    uint64_t refused, failures;
    bool heard;
    const ir_quantiles_t *confirms, *back; /* latencies in the last interval */
    const ir_targets_t *targets;
    const ir_producer_counts_t *by_target;
    const char *note; /* the current activity, or NULL */
} ir_progress_state_t;

void ir_progress_init(ir_progress_t *progress, FILE *out, bool terminal, int64_t now_ns);

/* Updates the display, at most once in each interval. */
void ir_progress_show(ir_progress_t *progress, const ir_progress_state_t *state);

/* Clears the view, so that other output can be written. */
void ir_progress_clear(ir_progress_t *progress);

#endif
