#include "feed/layout.h"

#include "common/legible.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_SIZE 240 /* room for the names of columns in a message */

bool ir_layout_fits(const char *pattern, const char *name) {
    const char *star = NULL; /* the last '*' of the pattern, and the end of the text that it matches
                              * so far */
    const char *mark = NULL;
    while (*name != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            mark = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star + 1;
            name = ++mark;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

/* ---- names ---- */

static ir_status_t add_name(ir_layout_t *layout, ir_view_t name, ir_error_t *error) {
    char *copy = strndup(name.size > 0 ? name.data : "", name.size);
    if (copy == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a table's columns");
    }
    layout->names[layout->n_names++] = copy;
    return IR_OK;
}

static ir_status_t take_names(ir_layout_t *layout, ir_encoding_t *encoding,
                              const ir_fields_t *names, ir_error_t *error) {
    ir_buffer_t text;
    ir_buffer_init(&text);
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < names->count && status == IR_OK; i++) {
        status = ir_encoding_utf8(encoding, names->all[i], &text)
                     ? add_name(layout, ir_buffer_view(&text), error)
                     : ir_error_set(error, IR_ERR_SYNTAX,
                                    "the name of column %zu is not in the mapping's encoding; set "
                                    "encoding, to latin-1 or windows-1252 for example",
                                    i + 1);
    }
    ir_buffer_free(&text);
    return status;
}

static ir_status_t number_names(ir_layout_t *layout, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < IR_FIELDS_MAX && status == IR_OK; i++) {
        char name[16];
        snprintf(name, sizeof name, "%zu", i + 1);
        status = add_name(layout, ir_view_text(name), error);
    }
    return status;
}

/* ---- columns ---- */

/* Returns the end of a message about a missing column: the names of the existing columns. */
static const char *columns_text(const ir_layout_t *layout, char out[static COLUMNS_SIZE]) {
    char listed[COLUMNS_SIZE - 64];
    ir_buffer_t names;
    ir_buffer_init(&names);
    for (size_t i = 0; i < layout->n_names && names.size < sizeof listed; i++) {
        ir_buffer_append_text(&names, i > 0 ? ", " : "");
        ir_buffer_append_text(&names, layout->names[i]);
    }
    (void)ir_legible_line(listed, sizeof listed, ir_buffer_view(&names));
    const char *rest = names.size >= sizeof listed ? " …" : "";
    if (layout->n_names == 1) {
        snprintf(out, COLUMNS_SIZE, "; the header has one column only, '%s%s': check separator",
                 listed, rest);
    } else {
        snprintf(out, COLUMNS_SIZE, "; the header has %s%s%s", listed, rest,
                 listed[0] == '\'' ? ": set quote = single" : "");
    }
    ir_buffer_free(&names);
    return out;
}

static ir_status_t find_exact(const ir_layout_t *layout, const char *name, size_t *field,
                              ir_error_t *error) {
    for (size_t i = 0; i < layout->n_names; i++) {
        if (strcmp(layout->names[i], name) != 0) {
            continue;
        }
        if (*field != IR_LAYOUT_NONE) {
            return ir_error_set(error, IR_ERR_SYNTAX,
                                "columns %zu and %zu are both named '%s'; with header = 0 the "
                                "columns are named 1, 2, …",
                                *field + 1, i + 1, name);
        }
        *field = i;
    }
    return IR_OK;
}

/* `field` is IR_LAYOUT_NONE when no column matches. An exact name takes precedence over a pattern.
 */
static ir_status_t find(const ir_layout_t *layout, const char *name, size_t *field,
                        ir_error_t *error) {
    *field = IR_LAYOUT_NONE;
    const ir_status_t status = find_exact(layout, name, field, error);
    if (status != IR_OK || *field != IR_LAYOUT_NONE) {
        return status;
    }
    for (size_t i = 0; i < layout->n_names; i++) {
        if (ir_layout_fits(name, layout->names[i])) {
            if (*field != IR_LAYOUT_NONE) {
                return ir_error_set(error, IR_ERR_SYNTAX,
                                    "'%s' matches both column '%s' and column '%s'", name,
                                    layout->names[*field], layout->names[i]);
            }
            *field = i;
        }
    }
    return IR_OK;
}

static ir_status_t find_needed(const ir_layout_t *layout, const char *name, const char *what,
                               size_t *field, ir_error_t *error) {
    *field = IR_LAYOUT_NONE;
    if (name == NULL) {
        return IR_OK;
    }
    char columns[COLUMNS_SIZE];
    const ir_status_t status = find(layout, name, field, error);
    return status == IR_OK && *field == IR_LAYOUT_NONE
               ? ir_error_set(error, IR_ERR_SYNTAX, "no column '%s', which %s requires%s", name,
                              what, columns_text(layout, columns))
               : status;
}

static const char *column_of(ir_row_origin_t origin) {
    return origin.column ? origin.text : NULL;
}

static ir_status_t find_values(const ir_position_t *position, ir_layout_t *layout,
                               ir_error_t *error) {
    char columns[COLUMNS_SIZE];
    ir_status_t status = IR_OK;
    size_t found = 0;
    for (size_t i = 0; i < position->n_values && status == IR_OK; i++) {
        ir_layout_value_t *value = &layout->values[layout->n_values++];
        value->value = &position->values[i];
        status = find(layout, value->value->column, &value->field, error);
        if (status == IR_OK) {
            status = find_needed(layout, column_of(value->value->sensor_from), "sensor",
                                 &value->sensor, error);
        }
        found += value->field != IR_LAYOUT_NONE;
    }
    return status == IR_OK && found == 0
               ? ir_error_set(error, IR_ERR_SYNTAX,
                              "has none of the columns of the sections [%s:…]%s", position->name,
                              columns_text(layout, columns))
               : status;
}

static ir_status_t find_all(const ir_position_t *position, ir_layout_t *layout, ir_error_t *error) {
    ir_status_t status = find_needed(layout, position->time_column, "time", &layout->time, error);
    if (status == IR_OK) {
        status = find_needed(layout, ir_setting_text(position->time_of_day), "time-of-day",
                             &layout->time_of_day, error);
    }
    if (status == IR_OK) {
        status = find_needed(layout, column_of(position->zone_from), "zone", &layout->zone, error);
    }
    if (status == IR_OK) {
        status = find_needed(layout, column_of(position->mote_from), "mote", &layout->mote, error);
    }
    return status == IR_OK ? find_values(position, layout, error) : status;
}

static void note_needed(ir_layout_t *layout) {
    for (size_t i = 0; i < layout->n_names; i++) {
        layout->n_needed = ir_layout_uses(layout, i) ? i + 1 : layout->n_needed;
    }
}

ir_status_t ir_layout_make(const ir_position_t *position, ir_encoding_t *encoding,
                           const ir_fields_t *names, ir_layout_t **layout, ir_error_t *error) {
    ir_layout_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a table's columns");
    }
    made->names = calloc(names != NULL ? names->count : IR_FIELDS_MAX, sizeof(char *));
    made->values = calloc(position->n_values, sizeof *made->values);
    if (made->names == NULL || made->values == NULL) {
        ir_layout_free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a table's columns");
    }
    ir_status_t status =
        names != NULL ? take_names(made, encoding, names, error) : number_names(made, error);
    if (status == IR_OK) {
        status = find_all(position, made, error);
    }
    if (status != IR_OK) {
        ir_layout_free(made);
        return status;
    }
    note_needed(made);
    *layout = made;
    return IR_OK;
}

void ir_layout_free(ir_layout_t *layout) {
    if (layout != NULL) {
        for (size_t i = 0; i < layout->n_names; i++) {
            free(layout->names[i]);
        }
        free(layout->names);
        free(layout->values);
        free(layout);
    }
}

bool ir_layout_uses(const ir_layout_t *layout, size_t field) {
    bool used = field == layout->time || field == layout->time_of_day || field == layout->zone ||
                field == layout->mote;
    for (size_t i = 0; i < layout->n_values && !used; i++) {
        used = field == layout->values[i].field || field == layout->values[i].sensor;
    }
    return used;
}
