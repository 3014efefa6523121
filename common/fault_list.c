#include "common/fault_list.h"

#include <inttypes.h>
#include <stdio.h>

#define MORE_SIZE 40

void ir_fault_list_add(ir_fault_list_t *faults, uint64_t place, const ir_error_t *fault) {
    size_t at = faults->kept;
    faults->count++;
    while (at > 0 && faults->places[at - 1] > place) {
        at--;
    }
    if (at == IR_FAULT_LIST_TOLD) {
        return;
    }
    faults->kept += faults->kept < IR_FAULT_LIST_TOLD;
    for (size_t i = faults->kept - 1; i > at; i--) {
        faults->places[i] = faults->places[i - 1];
        faults->list[i] = faults->list[i - 1];
    }
    faults->places[at] = place;
    faults->list[at] = *fault;
}

ir_status_t ir_fault_list_conclude(const ir_fault_list_t *faults, const char *what,
                                   const ir_teller_t *teller, ir_error_t *error) {
    if (faults->count == 0) {
        return IR_OK;
    }
    const ir_error_t *first = &faults->list[0];
    if (faults->count == 1 || teller == NULL) {
        return ir_error_set(error, first->status, "%s", first->text);
    }
    for (size_t i = 0; i < faults->kept; i++) {
        teller->tell(teller->context, faults->list[i].text);
    }
    if (faults->count > faults->kept) {
        char more[MORE_SIZE];
        snprintf(more, sizeof more, "and %" PRIu64 " more", faults->count - faults->kept);
        teller->tell(teller->context, more);
    }
    return ir_error_set(error, first->status, "%" PRIu64 " faults in %s", faults->count, what);
}
