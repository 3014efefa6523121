#include "loadgen/measure/reconciliation.h"

#include <stdio.h>

void ir_reconciliation_make(ir_reconciliation_t *balance, const ir_producer_counts_t *sent,
                            const ir_tracker_counts_t *back) {
    *balance = (ir_reconciliation_t){
        .sent = sent->messages_sent,
        .confirmed = sent->messages_confirmed,
        .refused = sent->messages_refused,
        .lost = sent->messages_lost,
        .repeats = sent->repeats,
        .heard = back != NULL,
    };
    if (back != NULL) {
        balance->republished = back->by_fate[IR_FATE_REPUBLISHED];
        balance->rejected = back->by_fate[IR_FATE_REJECTED];
        balance->missing = back->by_fate[IR_FATE_MISSING];
    }
}

bool ir_reconciliation_sent_is_even(const ir_reconciliation_t *balance) {
    return balance->sent == balance->confirmed + balance->refused + balance->lost;
}

bool ir_reconciliation_back_is_even(const ir_reconciliation_t *balance) {
    return !balance->heard || balance->confirmed - balance->repeats ==
                                  balance->republished + balance->rejected + balance->missing;
}

static const char *sign(bool even) {
    return even ? "=" : "≠";
}

char *ir_reconciliation_sent_line(const ir_reconciliation_t *balance,
                                  char line[static IR_BALANCE_LINE]) {
    snprintf(line, IR_BALANCE_LINE, "sent %llu %s confirmed %llu + refused %llu + lost %llu",
             (unsigned long long)balance->sent, sign(ir_reconciliation_sent_is_even(balance)),
             (unsigned long long)balance->confirmed, (unsigned long long)balance->refused,
             (unsigned long long)balance->lost);
    return line;
}

char *ir_reconciliation_back_line(const ir_reconciliation_t *balance,
                                  char line[static IR_BALANCE_LINE]) {
    const int size = snprintf(
        line, IR_BALANCE_LINE, "confirmed %llu %s republished %llu + rejected %llu + missing %llu",
        (unsigned long long)balance->confirmed, sign(ir_reconciliation_back_is_even(balance)),
        (unsigned long long)balance->republished, (unsigned long long)balance->rejected,
        (unsigned long long)balance->missing);
    if (balance->repeats > 0 && size > 0 && size < IR_BALANCE_LINE) {
        snprintf(line + size, IR_BALANCE_LINE - (size_t)size, " + repeated %llu",
                 (unsigned long long)balance->repeats);
    }
    return line;
}
