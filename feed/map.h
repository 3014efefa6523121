/* The mapping from files and uplinks to the registry's motes and sensors: an INI file. A section
 * [POSITION] gives the location and format of files; a section [POSITION:COLUMN] assigns a column
 * to a sensor. feed/README.md explains each key. Read-only once loaded. */
#ifndef IR_FEED_MAP_H
#define IR_FEED_MAP_H

#include "common/buffer.h"
#include "common/fault_list.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/view.h"
#include "feed/format.h"
#include "feed/notation.h"
#include "observation/unit.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_MAP_POSITIONS_MAX 256
#define IR_MAP_VALUES_MAX 256 /* columns of one position */

/* A key whose value is a fixed text, or with "column:NAME" the text of that column in each row. */
typedef struct ir_row_origin {
    const char *text; /* NULL: not given */
    bool column;      /* whether `text` is the name of a column */
} ir_row_origin_t;

/* [POSITION:COLUMN] */
typedef struct ir_map_value {
    char *column; /* name of the column, in which '*' matches anything */
    char *sensor, *unit;
    ir_row_origin_t sensor_from;
    const ir_unit_t *known_unit; /* NULL: not given */
} ir_map_value_t;

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

    ir_map_value_t values[IR_MAP_VALUES_MAX];
    size_t n_values;
} ir_position_t;

typedef struct ir_map {
    char *folder;
    ir_position_t *positions[IR_MAP_POSITIONS_MAX];
    size_t n_positions;
} ir_map_t;

/* Faults name file and line; ir_fault_list_conclude reports several. Only its owner may read a file
 * that contains a password (common/secret_file.h). */
ir_status_t ir_map_load(const char *path, ir_map_t **map, const ir_teller_t *teller,
                        ir_error_t *error);
void ir_map_free(ir_map_t *map);

/* Whether a text is one of the position's `missing`; numbers are compared by value. */
bool ir_position_misses(const ir_position_t *position, ir_view_t text);
bool ir_position_misses_number(const ir_position_t *position, double number);

/* Appends every key that affects how a row becomes a pack. When this changes, files are read again.
 */
void ir_position_describe(const ir_position_t *position, ir_buffer_t *out);

/* Tables of the keys, for the test of the documents. */
extern const ir_program_t ir_position_keys, ir_value_keys;

#endif
