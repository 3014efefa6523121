#include "loadgen/measure/reconciliation.h"

#include <stdio.h>

void ir_reconciliation_make(ir_reconciliation_t *reconciliation, const ir_producer_counts_t *sent,
                            const ir_tracker_counts_t *back) {
    *reconciliation = (ir_reconciliation_t){
        .sent = sent->messages_sent,
        .confirmed = sent->messages_confirmed,
        .refused = sent->messages_refused,
        .lost = sent->messages_lost,
        .repeats = sent->repeats,
        .heard = back != NULL,
    };
    if (back != NULL) {
        reconciliation->republished = back->by_fate[IR_FATE_REPUBLISHED];
        reconciliation->rejected = back->by_fate[IR_FATE_REJECTED];
        reconciliation->missing = back->by_fate[IR_FATE_MISSING];
    }
}

bool ir_reconciliation_sent_is_even(const ir_reconciliation_t *reconciliation) {
    return reconciliation->sent ==
           reconciliation->confirmed + reconciliation->refused + reconciliation->lost;
}

bool ir_reconciliation_back_is_even(const ir_reconciliation_t *reconciliation) {
    return !reconciliation->heard ||
           reconciliation->confirmed - reconciliation->repeats ==
               reconciliation->republished + reconciliation->rejected + reconciliation->missing;
}

static const char *sign(bool even) {
    return even ? "=" : "≠";
}

char *ir_reconciliation_sent_line(const ir_reconciliation_t *reconciliation,
                                  char line[static IR_RECONCILIATION_LINE]) {
    snprintf(line, IR_RECONCILIATION_LINE, "sent %llu %s confirmed %llu + refused %llu + lost %llu",
             (unsigned long long)reconciliation->sent,
             sign(ir_reconciliation_sent_is_even(reconciliation)),
             (unsigned long long)reconciliation->confirmed,
             (unsigned long long)reconciliation->refused, (unsigned long long)reconciliation->lost);
    return line;
}

char *ir_reconciliation_back_line(const ir_reconciliation_t *reconciliation,
                                  char line[static IR_RECONCILIATION_LINE]) {
    const int size = snprintf(line, IR_RECONCILIATION_LINE,
                              "confirmed %llu %s republished %llu + rejected %llu + missing %llu",
                              (unsigned long long)reconciliation->confirmed,
                              sign(ir_reconciliation_back_is_even(reconciliation)),
                              (unsigned long long)reconciliation->republished,
                              (unsigned long long)reconciliation->rejected,
                              (unsigned long long)reconciliation->missing);
    if (reconciliation->repeats > 0 && size > 0 && size < IR_RECONCILIATION_LINE) {
        snprintf(line + size, IR_RECONCILIATION_LINE - (size_t)size, " + repeated %llu",
                 (unsigned long long)reconciliation->repeats);
    }
    return line;
}
