/* The content of a row or uplink: a mote, a time, and values of its sensors. */
#ifndef IR_FEED_READING_H
#define IR_FEED_READING_H

#include "common/arena.h"
#include "common/view.h"
#include "feed/position.h"
#include "feed/report.h"
#include "feed/track.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_reading_value {
    ir_view_t sensor;      /* full name, NUL-terminated */
    const ir_unit_t *unit; /* NULL: the registered one */
    double number;
} ir_reading_value_t;

typedef struct ir_reading {
    ir_view_t mote;
    int64_t time_ns;   /* whole microseconds */
    ir_track_t before; /* the state of the mote's track before this row */
    ir_reading_value_t values[IR_POSITION_VALUES_MAX];
    size_t n_values;
} ir_reading_t;

/* Shared by the readers of a file. `arena` holds names until it is reset. */
typedef struct ir_reading_context {
    const ir_position_t *position;
    ir_arena_t *arena;
    ir_tracks_t *tracks;
    ir_report_t *report;
} ir_reading_context_t;

/* SenML interprets times below this as relative to now (RFC 8428, 4.5.3). */
#define IR_READING_TIME_MIN_NS ((INT64_C(1) << 28) * 1000000000)

/* Sets the reading's mote. `text` is UTF-8. False if it is not a valid mote id; this is reported.
 */
bool ir_reading_set_mote(const ir_reading_context_t *context, ir_view_t text,
                         ir_reading_t *reading);

/* Sets the reading's time. False if SenML cannot express it; this is reported. */
bool ir_reading_set_time(const ir_reading_context_t *context, int64_t time_ns,
                         ir_reading_t *reading);

/* Adds a value. `name` is the sensor's name from a column (UTF-8), or empty. */
void ir_reading_add(const ir_reading_context_t *context, const ir_position_value_t *value,
                    ir_view_t name, double number, ir_reading_t *reading);

#endif
