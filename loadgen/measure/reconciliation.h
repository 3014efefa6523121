/* The two sums that must come out even at the end of a run, each side counted for itself:
 *   sent = confirmed + refused + lost
 *   confirmed = republished + rejected + missing   (without those that repeat an earlier message)
 * In messages. */
#ifndef IR_LOADGEN_MEASURE_RECONCILIATION_H
#define IR_LOADGEN_MEASURE_RECONCILIATION_H

#include "loadgen/produce/producer.h"
#include "loadgen/track/tracker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_reconciliation {
    uint64_t sent, confirmed, refused, lost;
    bool heard;       /* somebody listened: the rest is known */
    uint64_t repeats; /* of the confirmed: messages that repeat an earlier one */
    uint64_t republished, rejected, missing;
} ir_reconciliation_t;

/* `back` is NULL when nobody listened. */
void ir_reconciliation_make(ir_reconciliation_t *balance, const ir_producer_counts_t *sent,
                            const ir_tracker_counts_t *back);

bool ir_reconciliation_sent_is_even(const ir_reconciliation_t *balance);
bool ir_reconciliation_back_is_even(const ir_reconciliation_t *balance);

static inline bool ir_reconciliation_is_even(const ir_reconciliation_t *balance) {
    return ir_reconciliation_sent_is_even(balance) && ir_reconciliation_back_is_even(balance);
}

#define IR_BALANCE_LINE 200

/* "sent 10 = confirmed 8 + refused 1 + lost 1", with "≠" when it is not so. Return `line`. */
char *ir_reconciliation_sent_line(const ir_reconciliation_t *balance,
                                  char line[static IR_BALANCE_LINE]);
char *ir_reconciliation_back_line(const ir_reconciliation_t *balance,
                                  char line[static IR_BALANCE_LINE]);

#endif
