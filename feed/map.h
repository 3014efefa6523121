/* The mapping: how files and uplinks spell what the registry defines. An INI file; a section
 * [POSITION] says where the files are and how they are written, a section [POSITION:COLUMN] which
 * sensor a column belongs to. feed/README.md explains each key. Read-only once loaded. */
#ifndef IR_FEED_MAP_H
#define IR_FEED_MAP_H

#include "common/buffer.h"
#include "common/fault_list.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/view.h"
#include "feed/format.h"
#include "observation/unit.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_MAP_POSITIONS_MAX 256
#define IR_MAP_VALUES_MAX 256 /* columns of one position */

/* A key whose value is a text, or that of a column in each row: "column:NAME". */
typedef struct ir_row_origin {
    const char *text; /* NULL: not given */
    bool column;      /* `text` is the column's name */
} ir_row_origin_t;

/* [POSITION:COLUMN] */
typedef struct ir_map_value {
    char *column; /* a '*' in it stands for anything */
    char *sensor, *unit;
    ir_row_origin_t sensor_from;
    const ir_unit_t *known_unit; /* NULL: none is said */
} ir_map_value_t;

/* [POSITION] */
typedef struct ir_position {
    char *name;
    char *files, *encoding, *comment, *time, *time_of_day, *time_format, *zone, *missing;
    char *mote, *mote_prefix;
    char *subscribe, *topic, *client_id, *ca;
    int kind, separator, decimal;
    int64_t header;

    /* what follows from these */
    const char *folder; /* names of files count from here: that of the mapping */
    const ir_input_format_t *format;
    ir_dialect_t dialect;
    char comment_char; /* 0: none */
    unsigned head_rows, name_row;
    bool decimal_comma;
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

/* Faults name file and line; several are told as ir_fault_list_conclude says it. A file with a
 * password in it must be its owner's alone (common/secret_file.h). */
ir_status_t ir_map_load(const char *path, ir_map_t **map, const ir_teller_t *teller,
                        ir_error_t *error);
void ir_map_free(ir_map_t *map);

/* Whether a text, or a number however it was written, is one of the position's `missing`. */
bool ir_position_misses(const ir_position_t *position, ir_view_t text);
bool ir_position_misses_number(const ir_position_t *position, double number);

/* Appends all that decides how a row becomes a pack: files that were read by another mapping are
 * read again. */
void ir_position_describe(const ir_position_t *position, ir_buffer_t *out);

/* Tables of the keys, for the documents' test. */
extern const ir_program_t ir_position_keys, ir_value_keys;

#endif
