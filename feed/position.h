/* One position of the mapping: the keys of its sections, and what follows from them. feed/README.md
 * explains each key. Read-only once the mapping is loaded (feed/map.h). */
#ifndef IR_FEED_POSITION_H
#define IR_FEED_POSITION_H

#include "common/buffer.h"
#include "common/settings.h"
#include "common/view.h"
#include "feed/format.h"
#include "feed/notation.h"
#include "observation/unit.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_POSITION_VALUES_MAX 256 /* columns of one position */

/* A key whose value is a fixed text, or with "column:NAME" the text of that column in each row. */
typedef struct ir_row_origin {
    const char *text; /* NULL: not given */
    bool column;      /* whether `text` is the name of a column */
} ir_row_origin_t;

/* [POSITION:COLUMN] */
typedef struct ir_position_value {
    char *column; /* name of the column, in which '*' matches anything */
    char *sensor, *unit;
    ir_row_origin_t sensor_from;
    const ir_unit_t *known_unit; /* NULL: not given */
} ir_position_value_t;

/* [POSITION] */
typedef struct ir_position {
    char *name;
    char *files, *encoding, *comment, *time, *time_of_day, *time_format, *zone, *missing;
    char *mote, *mote_prefix;
    char *subscribe, *topic, *client_id, *ca;
    int kind, separator, quote, decimal, thousands;
    int64_t header, after_header;

    /* values derived from these */
    const char *folder; /* the mapping's folder; file names are relative to it */
    const ir_input_format_t *format;
    ir_dialect_t dialect;
    char comment_char; /* 0: none */
    unsigned head_rows, name_row;
    ir_notation_t notation;
    const char *time_column; /* NULL with uplinks */
    ir_row_origin_t zone_from, mote_from;

    ir_position_value_t values[IR_POSITION_VALUES_MAX];
    size_t n_values;
} ir_position_t;

/* Whether a text is one of the position's `missing`; numbers are compared by value. */
bool ir_position_misses(const ir_position_t *position, ir_view_t text);
bool ir_position_misses_number(const ir_position_t *position, double number);

/* Appends every key that affects how a row becomes a pack. When this changes, files are read again.
 */
void ir_position_describe(const ir_position_t *position, ir_buffer_t *out);

/* Tables of the keys, for the test of the documents. */
extern const ir_program_t ir_position_keys, ir_value_keys;

#endif
