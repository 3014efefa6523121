/* What a run may say of itself, held against what was asked for. It is decided here and nowhere
 * else:
 *
 *   complete     all that was asked for was done: for the whole time, or to the last message; at
 * the rate; all of it answered; and, if that was waited for, all of it back as was meant valid the
 * figures are the target's: the generator kept its own schedule, and saw what came back exit status
 * 0 when it is complete and valid, else 1
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

/* What was asked for, and what came of it. */
typedef struct ir_evidence {
    const ir_plan_t *plan;
    uint64_t messages;    /* that were to be sent; 0: as many as are due in the time asked for */
    double late_bound_ms; /* that 99 of 100 messages may be late by the generator's own fault */
    bool failed;          /* an error ended the run */
    bool interrupted;     /* a signal did */
    bool ran_dry;         /* the messages ended before the time that was asked for */
    bool waited;          /* until what is republished was back */
    uint64_t gaps;        /* in the subscription */
    ir_producer_counts_t sent;       /* of the whole run */
    const ir_tracker_counts_t *back; /* NULL: nobody listened */
    const ir_result_t *results;      /* of its stretches */
    size_t n_results;
} ir_evidence_t;

#define IR_CONCLUSION_REASONS 12
#define IR_CONCLUSION_LINE 200

typedef struct ir_conclusion {
    bool complete, valid;
    ir_reconciliation_t balance;
    unsigned n_reasons; /* why it is not complete; above as many lines as there are: the first */
    char reasons[IR_CONCLUSION_REASONS][IR_CONCLUSION_LINE];
    char invalid[IR_CONCLUSION_LINE]; /* why it is not valid; empty: it is */
} ir_conclusion_t;

void ir_conclusion_draw(ir_conclusion_t *conclusion, const ir_evidence_t *evidence);

static inline bool ir_conclusion_is_good(const ir_conclusion_t *conclusion) {
    return conclusion->complete && conclusion->valid;
}

#endif
