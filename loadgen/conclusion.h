/* Decides whether a run did what was asked and whether its figures are valid. No other file decides
 * this.
 *
 *   A run is complete when it ran for the whole duration or to the last message, kept the rate, had
 * every message answered and, if it waited for that, saw every message come back as intended. It is
 * valid when the figures describe the target: the generator kept its own schedule and saw what came
 * back. The exit status is 0 when the run is complete and valid, else 1.
 *
 * Pure logic, any thread. */
#ifndef IR_LOADGEN_CONCLUSION_H
#define IR_LOADGEN_CONCLUSION_H

#include "loadgen/measure/reconciliation.h"
#include "loadgen/measure/result.h"
#include "loadgen/plan.h"
#include "loadgen/produce/producer.h"
#include "loadgen/track/tracker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The request and the outcome. */
typedef struct ir_evidence {
    const ir_plan_t *plan;
    uint64_t messages;         /* messages to send; 0: all that are due in the requested duration */
    double late_bound_ms;      /* limit for the generator's own lateness (99th percentile) */
    bool failed;               /* an error ended the run */
    bool interrupted;          /* a signal ended the run */
    bool ended_early;          /* the source ran out of messages before the requested duration */
    bool waited;               /* the run waited for messages to be republished */
    uint64_t gaps;             /* interruptions of the subscription */
    ir_producer_counts_t sent; /* counts for the whole run */
    const ir_tracker_counts_t *back; /* NULL: no subscription */
    const ir_result_t *results;      /* one for each phase */
    size_t n_results;
} ir_evidence_t;

#define IR_CONCLUSION_REASONS 12
#define IR_CONCLUSION_LINE 200

typedef struct ir_conclusion {
    bool complete, valid;
    ir_reconciliation_t reconciliation;
    unsigned
        n_reasons; /* reasons why it is incomplete; only the first IR_CONCLUSION_REASONS are kept */
    char reasons[IR_CONCLUSION_REASONS][IR_CONCLUSION_LINE];
    char invalid[IR_CONCLUSION_LINE]; /* why it is invalid; empty: valid */
} ir_conclusion_t;

void ir_conclusion_draw(ir_conclusion_t *conclusion, const ir_evidence_t *evidence);

static inline bool ir_conclusion_is_good(const ir_conclusion_t *conclusion) {
    return conclusion->complete && conclusion->valid;
}

#endif
