/* Looks for the highest rate that is kept, over trials that someone else makes. Pure logic, one
 * thread.
 *
 * The first trial has no rate and says what is reached without one. From there bisection brings the
 * bounds close together; a rate is not kept when two trials of it say so. Then the rate goes up in
 * small steps after each trial that is kept and down after each that is not, in larger ones the
 * longer it goes the same way (the up-and-down method: Dixon and Mood, 1948). The result is the
 * median of the rates that were kept where it turned: a disturbed trial moves it little, wherever
 * it falls. */
#ifndef IR_LOADGEN_MEASURE_SEARCH_H
#define IR_LOADGEN_MEASURE_SEARCH_H

#include <stdbool.h>

#define IR_SEARCH_TRIALS_MAX 80
#define IR_SEARCH_TURNS 11 /* odd, for the median */

/* What a trial showed; rates in observations/s. */
typedef struct ir_trial {
    double asked;      /* 0: as fast as it went */
    double sent_share; /* how much of what was due went out, 0 … 1 */
    double reached;    /* rate of what was done: republished, or confirmed when nobody listens */
    double growth;     /* of the backlog of what is due and not done, observations a second */
    double p99_ms;     /* corrected */
    bool valid;        /* the generator kept its own schedule */
} ir_trial_t;

typedef enum ir_verdict {
    IR_VERDICT_KEPT,
    IR_VERDICT_BEHIND,    /* messages did not go out as they were due */
    IR_VERDICT_BACKLOG,   /* the backlog grows */
    IR_VERDICT_SLOW,      /* the 99th percentile is over its bound */
    IR_VERDICT_GENERATOR, /* the generator itself is too slow for it */
    IR_VERDICT_COUNT
} ir_verdict_t;

/* "kept", "behind", … */
const char *ir_verdict_text(ir_verdict_t verdict);

ir_verdict_t ir_trial_judge(const ir_trial_t *trial, double p99_bound_ms);

typedef struct ir_search {
    double rate;                   /* of the next trial; 0: without one */
    double low, high;              /* bounds; when stepping, `low` is the rate last kept; 0: none */
    double turns[IR_SEARCH_TURNS]; /* rates kept there, in order of size */
    unsigned n_turns;
    bool stepping; /* the bounds are close; from here on up and down */
    bool kept;     /* the last trial was */
    unsigned same; /* trials that went the same way as the last, with it; bisecting: not kept at
                      `rate` */
    bool done;
    unsigned trials;
    ir_verdict_t limit; /* why the last rate that was not kept was not */
} ir_search_t;

void ir_search_init(ir_search_t *search);

/* What came of a trial at `search->rate`. */
void ir_search_tell(ir_search_t *search, const ir_trial_t *trial, ir_verdict_t verdict);

/* The highest rate that is kept, as far as it is known; 0: none was. Half of the turns lay between
 * `low` and `high`, which tells how steady the target is. */
typedef struct ir_search_result {
    double rate, low, high;
} ir_search_result_t;

ir_search_result_t ir_search_result(const ir_search_t *search);

#endif
