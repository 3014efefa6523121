/* Searches for the highest rate that the target sustains. The caller runs the trials. Pure logic,
 * one thread.
 *
 * The first trial sends as fast as possible, which gives an upper bound. Bisection then narrows the
 * bounds; a rate counts as failed only after two failed trials. After that, the rate goes up by a
 * small step after each kept trial and down after each failed one. The steps grow while the
 * direction stays the same (the up-and-down method: Dixon and Mood, 1948). The result is the median
 * of the rates kept at the turns, so a single disturbed trial changes it little. */
#ifndef IR_LOADGEN_MEASURE_SEARCH_H
#define IR_LOADGEN_MEASURE_SEARCH_H

#include <stdbool.h>

#define IR_SEARCH_TRIALS_MAX 80
#define IR_SEARCH_TURNS 11 /* odd, for the median */

/* The outcome of a trial; rates in observations/s. */
typedef struct ir_trial {
    double asked;      /* 0: as fast as possible */
    double sent_share; /* the share of due observations that were sent, 0 … 1 */
    double reached;    /* rate of finished observations (measurement.h) */
    double growth;     /* growth of the backlog, observations/s */
    double p99_ms;     /* corrected */
    bool valid;        /* the generator kept its own schedule */
} ir_trial_t;

typedef enum ir_verdict {
    IR_VERDICT_KEPT,
    IR_VERDICT_BEHIND,    /* the run did not keep up: too few due messages were sent */
    IR_VERDICT_BACKLOG,   /* the backlog grows */
    IR_VERDICT_SLOW,      /* the 99th percentile exceeds its bound */
    IR_VERDICT_GENERATOR, /* the generator is too slow for this rate */
    IR_VERDICT_COUNT
} ir_verdict_t;

/* "kept", "behind", … */
const char *ir_verdict_text(ir_verdict_t verdict);

ir_verdict_t ir_trial_judge(const ir_trial_t *trial, double p99_bound_ms);

typedef struct ir_search {
    double rate;      /* rate of the next trial; 0: as fast as possible */
    double low, high; /* bounds of the rate; while stepping, `low` is the last kept rate; 0: none */
    double turns[IR_SEARCH_TURNS]; /* rates kept at the turns, ascending */
    unsigned n_turns;
    bool stepping; /* the bounds are close, and the up-and-down method has begun */
    bool kept;     /* the last trial kept its rate */
    unsigned same; /* while stepping: the number of successive steps in the same direction; while
                    * bisecting: the number of failed trials at `rate` */
    bool done;
    unsigned trials;
    ir_verdict_t limit; /* why the last failed trial failed */
} ir_search_t;

void ir_search_init(ir_search_t *search);

/* Receives the outcome of a trial at `search->rate`. */
void ir_search_report(ir_search_t *search, const ir_trial_t *trial, ir_verdict_t verdict);

/* The highest sustained rate found so far; 0: none. `low` and `high` are the quartiles of the rates
 * kept at the turns: they show how steady the target is. */
typedef struct ir_search_result {
    double rate, low, high;
} ir_search_result_t;

ir_search_result_t ir_search_result(const ir_search_t *search);

#endif
