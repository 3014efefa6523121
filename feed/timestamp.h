/* The text of a time, as a logger writes it. */
#ifndef IR_FEED_TIMESTAMP_H
#define IR_FEED_TIMESTAMP_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

/* What a text says: an instant, or what a clock on the wall showed. */
typedef struct ir_timestamp {
    bool zoned;      /* it said its offset from UTC: `time_ns` is UTC */
    int64_t time_ns; /* otherwise as if the clock showed UTC */
} ir_timestamp_t;

/* A format is "iso" (2025-10-26T02:30:00.25+02:00; T or a space; seconds, fraction and offset may
 * be missing), "unix", "unix-ms", or as strptime(3) takes it, in the C locale. After the seconds at
 * its end a fraction may follow that the format does not mention. "%s" (use "unix") and "%Z" (use
 * `zone`) are refused: the library reads them by the zone of the process, or not at all. */
ir_status_t ir_timestamp_check(const char *format, ir_error_t *error);

/* False when the text does not say a time so, or a date that does not exist. Years 1900 … 2200. */
bool ir_timestamp_parse(ir_view_t text, const char *format, ir_timestamp_t *timestamp);

#endif
