/* Turns messages into lines: of observations, of rejections, or of figures. */
#ifndef IR_TAP_SHOW_H
#define IR_TAP_SHOW_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"
#include "tap/options.h"
#include "tap/printer.h"

#include <stdbool.h>
#include <stdint.h>

/* Counts since the last line of figures. */
typedef struct ir_tap_counts {
    uint64_t messages, observations, suspect, fail, rejected, bytes;
} ir_tap_counts_t;

typedef struct ir_show {
    const ir_tap_options_t *options;
    ir_printer_t *printer;
    uint64_t lines;
    ir_tap_counts_t counts;
    ir_buffer_t text;
    ir_view_t format, mote; /* format and mote of the current message */
} ir_show_t;

/* A message of ir.processed. */
void ir_show_processed(ir_show_t *show, ir_view_t format, ir_view_t mote, ir_view_t body,
                       uint64_t bytes);

/* Shows a message of ir.rejected. `refused`: the number of refused records; `detail`: of the first
 * one. */
void ir_show_rejected(ir_show_t *show, ir_view_t mote, ir_view_t reason, ir_view_t detail,
                      int64_t refused, uint64_t bytes);

/* Writes a line of figures for the last `seconds` and resets them. */
void ir_show_rate(ir_show_t *show, double seconds, uint64_t missed);

/* Whether a list of the settings contains the name; the empty list contains every name. */
bool ir_listed(const char *list, ir_view_t name);

#endif
