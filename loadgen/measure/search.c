#include "loadgen/measure/search.h"

#define CLOSE 0.1       /* relative distance of the bounds at which the stepping begins */
#define FURTHER 1.5     /* factor for the next rate while every rate is kept */
#define STEP 0.03       /* size of a step, relative to the rate */
#define LOWEST_RATE 0.5 /* observations/s; the search gives up below this rate */
#define SENT_SHARE 0.98
#define GROWTH_SHARE 0.02

const char *ir_verdict_text(ir_verdict_t verdict) {
    static const char *const texts[IR_VERDICT_COUNT] = {
        [IR_VERDICT_KEPT] = "kept",           [IR_VERDICT_BEHIND] = "behind",
        [IR_VERDICT_BACKLOG] = "backlog",     [IR_VERDICT_SLOW] = "slow",
        [IR_VERDICT_GENERATOR] = "generator",
    };
    return verdict < IR_VERDICT_COUNT ? texts[verdict] : "unknown";
}

ir_verdict_t ir_trial_judge(const ir_trial_t *trial, double p99_bound_ms) {
    if (!trial->valid) {
        return IR_VERDICT_GENERATOR;
    }
    if (trial->sent_share < SENT_SHARE) {
        return IR_VERDICT_BEHIND;
    }
    if (trial->growth > trial->asked * GROWTH_SHARE) {
        return IR_VERDICT_BACKLOG;
    }
    return trial->p99_ms > p99_bound_ms ? IR_VERDICT_SLOW : IR_VERDICT_KEPT;
}

void ir_search_init(ir_search_t *search) {
    *search = (ir_search_t){.rate = 0, .limit = IR_VERDICT_KEPT};
}

static void bisect(ir_search_t *search, bool kept) {
    if (!kept && search->same++ == 0) {
        return;
    }
    search->same = 0;
    *(kept ? &search->low : &search->high) = search->rate;
    if (search->high <= 0) {
        search->rate *= FURTHER;
        return;
    }
    search->rate = search->low + (search->high - search->low) / 2;
    search->stepping = search->high - search->low <= search->high * CLOSE;
    search->done = search->high < LOWEST_RATE;
}

static void add_turn(ir_search_t *search, double rate) {
    unsigned at = search->n_turns++;
    for (; at > 0 && search->turns[at - 1] > rate; at--) {
        search->turns[at] = search->turns[at - 1];
    }
    search->turns[at] = rate;
    search->done = search->n_turns == IR_SEARCH_TURNS;
}

static void step(ir_search_t *search, bool kept) {
    if (kept) {
        search->low = search->rate;
    }
    if (search->same > 0 && kept != search->kept) {
        add_turn(search, search->low);
        search->same = 0;
    }
    search->same++;
    search->kept = kept;
    const double factor = 1 + STEP * search->same;
    search->rate = kept ? search->rate * factor : search->rate / factor;
}

void ir_search_report(ir_search_t *search, const ir_trial_t *trial, ir_verdict_t verdict) {
    const bool kept = verdict == IR_VERDICT_KEPT;
    search->trials++;
    if (search->rate <= 0) {
        search->rate = trial->reached;
        search->done = trial->reached <= 0;
        search->limit = IR_VERDICT_BACKLOG;
        return;
    }
    search->limit = kept ? search->limit : verdict;
    if (search->stepping) {
        step(search, kept);
    } else {
        bisect(search, kept);
    }
    search->done = search->done || search->trials >= IR_SEARCH_TRIALS_MAX;
}

ir_search_result_t ir_search_result(const ir_search_t *search) {
    const double *turns = search->turns;
    const unsigned n = search->n_turns;
    return n > 0 ? (ir_search_result_t){turns[n / 2], turns[n / 4], turns[n - 1 - n / 4]}
                 : (ir_search_result_t){search->low, search->low, search->low};
}
