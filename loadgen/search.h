/* Looks for the highest rate that is kept: bisection over trials that someone else makes. Pure
 * logic, one thread.
 *
 * The first trial has no rate and says what is reached without one; from then on a rate counts as
 * kept or not when two trials of it agree (the best of three), so that one disturbance decides
 * nothing. When the bounds are close enough, the result is tried once more in the same way; if it
 * does not hold, the search goes on below. */
#ifndef IR_LOADGEN_SEARCH_H
#define IR_LOADGEN_SEARCH_H

#include <stdbool.h>

#define IR_SEARCH_TRIALS_MAX 60

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
    double low, high; /* the highest rate kept, the lowest one not kept */
    double rate;      /* of the next trial; 0: without one */
    bool high_tried;  /* `high` was really tried */
    bool confirming;  /* the bounds are close; `low` is being tried again */
    bool done;
    unsigned kept, failed; /* votes on `rate` */
    unsigned trials;
    ir_verdict_t limit; /* why the lowest rate that was not kept was not */
} ir_search_t;

void ir_search_init(ir_search_t *search);

/* What came of a trial at `search->rate`. */
void ir_search_tell(ir_search_t *search, const ir_trial_t *trial, ir_verdict_t verdict);

/* The highest rate that is kept, when it is done; 0: none was. */
static inline double ir_search_result(const ir_search_t *search) {
    return search->low;
}

#endif
