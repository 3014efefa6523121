/* Parses the text of a time, as loggers write it. */
#ifndef IR_FEED_TIMESTAMP_H
#define IR_FEED_TIMESTAMP_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

/* The meaning of a text: an instant, or the reading of a local clock. */
typedef struct ir_timestamp {
    bool zoned;      /* the text has an offset from UTC: `time_ns` is UTC */
    int64_t time_ns; /* otherwise local time, counted as if it were UTC */
} ir_timestamp_t;

/* A format is "iso" (2025-10-26T02:30:00.25+02:00; T or a space; seconds, fraction and offset are
 * optional), "unix", "unix-ms", or a format of strptime(3) in the C locale. If the format ends with
 * seconds, a fraction may follow. 24:00 is 00:00 of the next day. "%s" (use "unix") and "%Z" (use
 * `zone`) are refused: the library reads them in the process's zone, or not at all. */
ir_status_t ir_timestamp_check(const char *format, ir_error_t *error);

/* False if the text does not match the format, or the date does not exist. Years 1900 … 2200. */
bool ir_timestamp_parse(ir_view_t text, const char *format, ir_timestamp_t *timestamp);

/* The end of a message about a text that does not match its format: the usual formats that it does
 * match, as "; did you mean …?", or another remedy, or "". It names several formats if day and
 * month cannot be told apart. */
#define IR_TIMESTAMP_LIKE_SIZE 96
const char *ir_timestamp_like(ir_view_t text, char out[static IR_TIMESTAMP_LIKE_SIZE]);

#endif
