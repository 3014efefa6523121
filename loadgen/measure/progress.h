/* Progress for people on standard error: a view that stays in one place on a terminal, a plain line
 * every few seconds otherwise. One thread. */
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
    unsigned lines; /* of the view that stands on the terminal */
    int64_t start_ns, last_shown_ns, last_rated_ns;
    uint64_t last_sent, last_done; /* observations */
    double sent_rate, done_rate;   /* observations/s, smoothed */
} ir_progress_t;

/* Where things are. */
typedef struct ir_progress_state {
    int64_t now_ns;             /* monotonic */
    uint64_t messages, to_send; /* done, and in all; 0: nobody knows how many in all */
    int64_t length_ns;          /* of the whole run; 0: until all is sent */
    bool sending;               /* false: nothing goes out any more, so there is no rate of it */
    double asked;               /* observations/s now; 0: as fast as it goes */
    uint64_t sent, done;        /* observations; done: come back, or confirmed if nobody listens */
    double backlog;             /* observations */
    uint64_t refused, failures;
    bool heard;
    const ir_quantiles_t *confirms, *back; /* of the last interval */
    const ir_targets_t *targets;
    const ir_producer_counts_t *by_target;
    const char *note; /* what is being done, or NULL */
} ir_progress_state_t;

void ir_progress_init(ir_progress_t *progress, FILE *out, bool terminal, int64_t now_ns);

/* Shows where things are, unless it was shown just now. */
void ir_progress_show(ir_progress_t *progress, const ir_progress_state_t *state);

/* Takes the view away, so that others can write. */
void ir_progress_clear(ir_progress_t *progress);

#endif
