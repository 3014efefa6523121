#include "loadgen/search.h"

#define VOTES 2         /* that agree */
#define PRECISION 0.03  /* of the bounds when the search is close enough */
#define HEADROOM 1.25   /* over what was reached without a rate */
#define FURTHER 1.5     /* when even that is kept */
#define RETREAT 0.8     /* where to go on when the result does not hold */
#define LOWEST_RATE 0.5 /* observations/s; below it there is nothing to find */
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

static bool is_close(const ir_search_t *search) {
    return search->high - search->low <= search->high * PRECISION;
}

static void choose(ir_search_t *search) {
    search->kept = search->failed = 0;
    if (!is_close(search)) {
        search->rate = search->low + (search->high - search->low) / 2;
        search->done = search->high < LOWEST_RATE;
    } else if (!search->high_tried) {
        search->high *= FURTHER;
        search->rate = search->high;
    } else {
        search->confirming = true;
        search->rate = search->low;
    }
}

static void decide_confirmation(ir_search_t *search, bool kept) {
    search->confirming = false;
    if (kept) {
        search->done = true;
        return;
    }
    search->high = search->low;
    search->low = 0;
    search->kept = search->failed = 0;
    search->rate = search->high * RETREAT;
}

static void decide(ir_search_t *search, bool kept, ir_verdict_t verdict) {
    if (!kept) {
        search->limit = verdict;
    }
    if (search->confirming) {
        decide_confirmation(search, kept);
        return;
    }
    if (kept) {
        search->low = search->rate;
        search->high = search->high > search->low ? search->high : search->low;
        search->high_tried = search->high_tried && search->high > search->low;
    } else {
        search->high = search->rate;
        search->high_tried = true;
    }
    choose(search);
}

void ir_search_tell(ir_search_t *search, const ir_trial_t *trial, ir_verdict_t verdict) {
    search->trials++;
    if (search->rate <= 0) {
        search->high = trial->reached * HEADROOM;
        choose(search);
        return;
    }
    const bool kept = verdict == IR_VERDICT_KEPT;
    search->kept += kept;
    search->failed += !kept;
    if (search->kept == VOTES || search->failed == VOTES) {
        decide(search, kept, verdict);
    }
    search->done = search->done || search->trials >= IR_SEARCH_TRIALS_MAX;
}
