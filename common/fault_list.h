/* Collects all faults of one input, so that the user can correct them together. */
#ifndef IR_COMMON_FAULT_LIST_H
#define IR_COMMON_FAULT_LIST_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

/* More are only counted. */
#define IR_FAULT_LIST_TOLD 20

/* Receives the faults, one line each. */
typedef struct ir_teller {
    void (*tell)(void *context, const char *line);
    void *context;
} ir_teller_t;

/* Starts zeroed. */
typedef struct ir_fault_list {
    uint64_t count;
    size_t kept; /* the faults with the lowest places */
    uint64_t places[IR_FAULT_LIST_TOLD];
    ir_error_t list[IR_FAULT_LIST_TOLD];
} ir_fault_list_t;

/* Adds a fault. `place` orders them: line numbers, for example. Faults at the same place keep the
 * order in which they were added. */
void ir_fault_list_add(ir_fault_list_t *faults, uint64_t place, const ir_error_t *fault);

/* IR_OK without faults, else the status of the first. A single fault goes into `error`. With
 * several, `teller` receives one line for each, at most IR_FAULT_LIST_TOLD and then "and N more",
 * and `error` says "N faults in WHAT". With `teller` NULL, `error` has the first fault. */
ir_status_t ir_fault_list_conclude(const ir_fault_list_t *faults, const char *what,
                                   const ir_teller_t *teller, ir_error_t *error);

#endif
