/* Two sums that must match at the end of a run. Each side is counted independently:
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
    bool heard;       /* whether the run subscribed, so that the following are known */
    uint64_t repeats; /* confirmed messages that repeat an earlier one */
    uint64_t republished, rejected, missing;
} ir_reconciliation_t;

/* `back` is NULL without a subscription. */
void ir_reconciliation_make(ir_reconciliation_t *reconciliation, const ir_producer_counts_t *sent,
                            const ir_tracker_counts_t *back);

bool ir_reconciliation_sent_is_even(const ir_reconciliation_t *reconciliation);
bool ir_reconciliation_back_is_even(const ir_reconciliation_t *reconciliation);

static inline bool ir_reconciliation_is_even(const ir_reconciliation_t *reconciliation) {
    return ir_reconciliation_sent_is_even(reconciliation) &&
           ir_reconciliation_back_is_even(reconciliation);
}

#define IR_RECONCILIATION_LINE 200

/* "sent 10 = confirmed 8 + refused 1 + lost 1", or with "≠" if the sums differ. Both return `line`.
 */
char *ir_reconciliation_sent_line(const ir_reconciliation_t *reconciliation,
                                  char line[static IR_RECONCILIATION_LINE]);
char *ir_reconciliation_back_line(const ir_reconciliation_t *reconciliation,
                                  char line[static IR_RECONCILIATION_LINE]);

#endif
