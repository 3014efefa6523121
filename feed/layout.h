/* Maps the mapping's columns to the fields of a table's rows, by the row of names. */
#ifndef IR_FEED_LAYOUT_H
#define IR_FEED_LAYOUT_H

#include "common/status.h"
#include "feed/encoding.h"
#include "feed/fields.h"
#include "feed/position.h"

#include <stdbool.h>
#include <stddef.h>

#define IR_LAYOUT_NONE SIZE_MAX

typedef struct ir_layout_value {
    const ir_position_value_t *value;
    size_t field;  /* IR_LAYOUT_NONE: this file has no such column */
    size_t sensor; /* field with the sensor's name; IR_LAYOUT_NONE: the name is fixed */
} ir_layout_value_t;

typedef struct ir_layout {
    size_t time, time_of_day, zone, mote;
    ir_layout_value_t *values;
    size_t n_values;
    char **names; /* names of all columns, UTF-8 */
    size_t n_names;
    size_t n_needed; /* minimum number of fields in a row */
} ir_layout_t;

/* `names` NULL: columns are named 1, 2, … Fails when the time, the zone or the mote has no column,
 * when no value has a column, or when a name fits several columns. */
ir_status_t ir_layout_make(const ir_position_t *position, ir_encoding_t *encoding,
                           const ir_fields_t *names, ir_layout_t **layout, ir_error_t *error);
void ir_layout_free(ir_layout_t *layout);

/* Whether the mapping uses a column. */
bool ir_layout_uses(const ir_layout_t *layout, size_t field);

/* Whether a name matches a pattern in which '*' matches any text. */
bool ir_layout_fits(const char *pattern, const char *name);

#endif
