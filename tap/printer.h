/* A thread that writes lines. The caller never waits: when the output is too slow, lines are
 * dropped and counted. */
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

/* Queues a line, given without its line end. One thread. */
void ir_printer_put(ir_printer_t *printer, ir_view_t line);

/* How many lines were dropped. Call from the thread that puts lines. */
uint64_t ir_printer_missed(const ir_printer_t *printer);

/* Whether the output has failed, because its reader ended or the disk is full. */
bool ir_printer_broken(ir_printer_t *printer);

/* Writes the queued lines. Unless `patient`, it waits no longer than one second for a slow reader.
 * Returns the number of queued lines that were not written. Frees everything. Takes NULL. */
uint64_t ir_printer_stop(ir_printer_t *printer, bool patient);

#endif
