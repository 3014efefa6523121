/* Writes lines on a thread of its own. Whoever has a line never waits: when the output is too slow,
 * lines are left out and counted. */
#ifndef IR_TAP_PRINTER_H
#define IR_TAP_PRINTER_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct ir_printer ir_printer_t;

/* Starts the thread, which writes to `out`. */
ir_status_t ir_printer_start(FILE *out, ir_printer_t **printer, ir_error_t *error);

/* Takes a line without its end. One thread. */
void ir_printer_put(ir_printer_t *printer, ir_view_t line);

/* How many lines were left out. The putting thread. */
uint64_t ir_printer_missed(const ir_printer_t *printer);

/* Whether the output takes nothing any more, because its reader is gone or the disk is full. */
bool ir_printer_broken(ir_printer_t *printer);

/* Writes what is left; unless `patient`, it waits a second at most for a slow reader. Returns how
 * many lines were not written since they were taken. Frees; takes NULL. */
uint64_t ir_printer_stop(ir_printer_t *printer, bool patient);

#endif
