#include "feed/map.h"

#include "common/ini.h"
#include "common/secret_file.h"
#include "common/view.h"
#include "feed/encoding.h"
#include "feed/timestamp.h"
#include "feed/zone.h"
#include "observation/registry/registry.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTION_MAX 48 /* libinih truncates section names to this */
#define COLUMN_PREFIX "column:"
#define SEMICOLON "semicolon" /* the sign would begin a comment in the mapping */
#define ZONE_FOLDER "/usr/share/zoneinfo"
#define MASKED_SIZE 4200
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* ---- life ---- */

static void free_position(ir_position_t *position) {
    for (size_t i = 0; i < position->n_values; i++) {
        ir_settings_free(&ir_value_keys, &position->values[i]);
        free(position->values[i].column);
    }
    ir_settings_free(&ir_position_keys, position);
    free(position->name);
    free(position);
}

void ir_map_free(ir_map_t *map) {
    if (map != NULL) {
        for (size_t i = 0; i < map->n_positions; i++) {
            free_position(map->positions[i]);
        }
        free(map->folder);
        free(map);
    }
}

static ir_status_t out_of_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the mapping");
}

static ir_status_t set_defaults(const ir_program_t *keys, void *target, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < keys->n_settings && status == IR_OK; i++) {
        const ir_setting_t *key = &keys->settings[i];
        if (key->initial != NULL) {
            status = ir_settings_set(keys, target, key->name, key->initial, error);
        }
    }
    return status;
}

/* ---- lines ---- */

static ir_position_t *find_position(const ir_map_t *map, ir_view_t name) {
    for (size_t i = 0; i < map->n_positions; i++) {
        if (ir_view_equal(ir_view_text(map->positions[i]->name), name)) {
            return map->positions[i];
        }
    }
    return NULL;
}

static ir_status_t add_position(ir_map_t *map, const char *name, ir_position_t **position,
                                ir_error_t *error) {
    if (name[0] == '\0' || name[strspn(name, NAME_CHARACTERS)] != '\0') {
        return ir_error_set(error, IR_ERR_NOT_FOUND,
                            "position '%s': the name must be letters, digits, - and _", name);
    }
    if (map->n_positions == IR_MAP_POSITIONS_MAX) {
        return ir_error_set(error, IR_ERR_NOT_FOUND, "more than %d positions",
                            IR_MAP_POSITIONS_MAX);
    }
    ir_position_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return out_of_memory(error);
    }
    map->positions[map->n_positions++] = made;
    made->name = strdup(name);
    made->folder = map->folder;
    *position = made;
    return made->name != NULL ? set_defaults(&ir_position_keys, made, error) : out_of_memory(error);
}

static ir_status_t find_value(ir_position_t *position, const char *column,
                              ir_position_value_t **value, ir_error_t *error) {
    for (size_t i = 0; i < position->n_values; i++) {
        if (strcmp(position->values[i].column, column) == 0) {
            *value = &position->values[i];
            return IR_OK;
        }
    }
    if (column[0] == '\0' || position->n_values == IR_POSITION_VALUES_MAX) {
        return ir_error_set(error, IR_ERR_USAGE, "position '%s': %s", position->name,
                            column[0] == '\0' ? "no column after the colon" : "too many columns");
    }
    *value = &position->values[position->n_values];
    (*value)->column = strdup(column);
    if ((*value)->column == NULL) {
        return out_of_memory(error);
    }
    position->n_values++;
    return IR_OK;
}

/* `other`: the keys of the other kind of section, for a better error message. */
static ir_status_t set_key(const ir_program_t *keys, const ir_program_t *other, void *target,
                           const char *name, const char *value, ir_error_t *error) {
    return ir_settings_find(keys, name) == NULL && ir_settings_find(other, name) != NULL
               ? ir_error_set(error, IR_ERR_USAGE, "%s: belongs to a section [%s]", name,
                              other->name)
               : ir_settings_set(keys, target, name, value, error);
}

static ir_status_t take_line(void *context, const char *section, const char *name,
                             const char *value, ir_error_t *error) {
    ir_map_t *map = context;
    const char *colon = strchr(section, ':');
    const ir_view_t owner =
        colon != NULL ? ir_view(section, (size_t)(colon - section)) : ir_view_text(section);
    ir_position_t *position = find_position(map, owner);
    ir_position_value_t *column = NULL;
    ir_status_t status = IR_OK;
    if (strlen(section) > SECTION_MAX) {
        return ir_error_set(error, IR_ERR_NOT_FOUND,
                            "the section's name is longer than %d bytes; a * can stand for a part "
                            "of the column's name",
                            SECTION_MAX);
    }
    if (colon == NULL) {
        status = position == NULL ? add_position(map, section, &position, error) : IR_OK;
        return status == IR_OK
                   ? set_key(&ir_position_keys, &ir_value_keys, position, name, value, error)
                   : status;
    }
    if (position == NULL) {
        return ir_error_set(error, IR_ERR_NOT_FOUND, "[%s]: must follow a section [%.*s]", section,
                            IR_VIEW_ARG(owner));
    }
    status = find_value(position, colon + 1, &column, error);
    return status == IR_OK ? set_key(&ir_value_keys, &ir_position_keys, column, name, value, error)
                           : status;
}

/* ---- checks of the whole mapping ---- */

static ir_row_origin_t origin_of(const char *text) {
    const size_t size = strlen(COLUMN_PREFIX);
    text = ir_setting_text(text);
    const bool column = text != NULL && strncmp(text, COLUMN_PREFIX, size) == 0;
    return (ir_row_origin_t){.text = column ? text + size : text, .column = column};
}

/* The context in which a complete mapping is checked. Faults are added to `faults`. */
typedef struct completion {
    const char *path;
    ir_fault_list_t *faults;
} completion_t;

static void wrong(const completion_t *completion, const char *section, const char *column,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* `column`: the column of a section [POSITION:COLUMN]; NULL: the section is [POSITION]. */
static void wrong(const completion_t *completion, const char *section, const char *column,
                  const char *format, ...) {
    ir_error_t what;
    ir_error_t fault;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what.text, sizeof what.text, format, arguments);
    va_end(arguments);
    ir_error_set(&fault, IR_ERR_USAGE, "%s: [%s%s%s]: %s", completion->path, section,
                 column != NULL ? ":" : "", column != NULL ? column : "", what.text);
    ir_fault_list_add(completion->faults, 0, &fault);
}

static void derive_table(ir_position_t *position) {
    static const char separators[] = {',', ';', '\t', ' ', '|'};
    static const char quotes[] = {'"', '\'', '\0'};
    const char *comment = ir_setting_text(position->comment);
    position->dialect = position->format->dialect;
    position->comment_char = position->format->comment;
    position->head_rows = position->format->head_rows;
    position->name_row = position->format->name_row;
    if (position->kind == IR_INPUT_CSV) {
        position->dialect = (ir_dialect_t){.separator = separators[position->separator],
                                           .quote = quotes[position->quote]};
        position->comment_char = comment == NULL                   ? '\0'
                                 : strcmp(comment, SEMICOLON) == 0 ? ';'
                                                                   : comment[0];
        position->name_row = (unsigned)position->header;
        position->head_rows = position->name_row + (unsigned)position->after_header;
    }
}

static void derive(ir_position_t *position) {
    position->format = ir_input_format((ir_input_kind_t)position->kind);
    position->notation =
        (ir_notation_t){(ir_decimal_t)position->decimal, (ir_thousands_t)position->thousands};
    position->mote_from = origin_of(position->mote);
    position->zone_from = origin_of(position->zone);
    position->time_column = ir_setting_text(position->time);
    if (position->time_column == NULL) {
        position->time_column = position->format->time;
    }
    if (position->zone_from.text == NULL) {
        position->zone_from = origin_of(position->format->zone);
    }
    for (size_t i = 0; i < position->n_values; i++) {
        ir_position_value_t *value = &position->values[i];
        value->sensor_from = origin_of(value->sensor);
        value->known_unit = ir_unit_find(ir_view_text(value->unit));
    }
    derive_table(position);
}

static void check_mote(const completion_t *completion, const ir_position_t *position) {
    const ir_row_origin_t *mote = &position->mote_from;
    const ir_view_t prefix = ir_view_text(ir_setting_text(position->mote_prefix));
    if (prefix.size > 0 && !ir_mote_id_valid(prefix)) {
        wrong(completion, position->name, NULL,
              "mote-prefix must be letters, digits, - : and _, beginning with a letter or digit");
    }
    if (mote->text == NULL) {
        wrong(completion, position->name, NULL, "needs a mote");
    } else if (!mote->column && !ir_mote_id_valid(ir_view_text(mote->text))) {
        wrong(completion, position->name, NULL,
              "mote must be letters, digits, - : and _, beginning with a letter or digit");
    }
}

static void check_zone(const completion_t *completion, const ir_position_t *position) {
    const ir_row_origin_t *zone = &position->zone_from;
    ir_zones_t *zones = zone->text != NULL && !zone->column ? ir_zones_new() : NULL;
    if (zones != NULL && ir_zones_find(zones, ir_view_text(zone->text)) == NULL) {
        wrong(completion, position->name, NULL,
              access(ZONE_FOLDER, R_OK) == 0
                  ? "unknown zone '%.60s'; write a name like Europe/Berlin (the folder " ZONE_FOLDER
                    " has them), an offset like +01:00, or column:NAME"
                  : "unknown zone '%.60s'; the package tzdata, which has the zones, is not "
                    "installed",
              zone->text);
    }
    ir_zones_free(zones);
}

static void check_source(const completion_t *completion, const ir_position_t *position) {
    const bool files = ir_setting_text(position->files) != NULL;
    const bool subscribes = ir_setting_text(position->subscribe) != NULL;
    ir_error_t error;
    if (files == subscribes) {
        wrong(completion, position->name, NULL, "needs either files or subscribe");
    } else if (subscribes && position->format->uplink == NULL) {
        wrong(completion, position->name, NULL, "subscribe needs format = tts or chirpstack");
    }
    check_mote(completion, position);
    check_zone(completion, position);
    if (position->format->uplink == NULL && position->time_column == NULL) {
        wrong(completion, position->name, NULL, "needs time, the column with the time");
    }
    if (ir_timestamp_check(position->time_format, &error) != IR_OK) {
        wrong(completion, position->name, NULL, "%s", error.text);
    }
}

static void check_encoding(const completion_t *completion, const ir_position_t *position) {
    ir_encoding_t *encoding = NULL;
    ir_error_t error;
    if (ir_encoding_open(position->encoding, &encoding, &error) != IR_OK) {
        wrong(completion, position->name, NULL, "%s", error.text);
    }
    ir_encoding_close(encoding);
}

static void check_notation(const completion_t *completion, const ir_position_t *position) {
    const char *comment = ir_setting_text(position->comment);
    if (comment != NULL && comment[1] != '\0' && strcmp(comment, SEMICOLON) != 0) {
        wrong(completion, position->name, NULL,
              "comment must be one ASCII character or " SEMICOLON ", not '%.20s'", comment);
    }
    if (ir_notation_clashes(position->notation)) {
        wrong(completion, position->name, NULL, "decimal and thousands must be different signs");
    }
}

/* `key`: the setting from which `origin` comes. */
static void check_column(const completion_t *completion, const char *section, const char *column,
                         const char *key, const ir_row_origin_t *origin) {
    if (origin->column && origin->text[0] == '\0') {
        wrong(completion, section, column, "%s = " COLUMN_PREFIX " must name a column", key);
    }
}

static void check_value(const completion_t *completion, const ir_position_t *position,
                        const ir_position_value_t *value) {
    const char *unit = ir_setting_text(value->unit);
    char like[IR_NEAREST_TEXT_SIZE];
    check_column(completion, position->name, value->column, "sensor", &value->sensor_from);
    if (value->sensor_from.text == NULL) {
        wrong(completion, position->name, value->column, "needs a sensor");
    } else if (value->sensor_from.column && position->format->uplink != NULL) {
        wrong(completion, position->name, value->column, "uplinks have no column of sensors");
    } else if (!value->sensor_from.column &&
               !ir_sensor_name_valid(
                   ir_view_text(value->sensor_from.text + (value->sensor_from.text[0] == '/')))) {
        wrong(completion, position->name, value->column,
              "sensor '%.60s' must be letters, digits and - : . / _", value->sensor_from.text);
    }
    if (unit != NULL && value->known_unit == NULL) {
        wrong(completion, position->name, value->column, "unknown unit '%s'%s", unit,
              ir_unit_like(ir_view_text(unit), like));
    }
}

static void complete(ir_map_t *map, const completion_t *completion) {
    if (map->n_positions == 0) {
        ir_error_t fault;
        ir_error_set(&fault, IR_ERR_USAGE, "%s: contains no section [POSITION]", completion->path);
        ir_fault_list_add(completion->faults, 0, &fault);
    }
    for (size_t i = 0; i < map->n_positions; i++) {
        ir_position_t *position = map->positions[i];
        derive(position);
        check_source(completion, position);
        check_column(completion, position->name, NULL, "mote", &position->mote_from);
        check_column(completion, position->name, NULL, "zone", &position->zone_from);
        check_encoding(completion, position);
        check_notation(completion, position);
        if (position->n_values == 0) {
            wrong(completion, position->name, NULL, "no section [%s:COLUMN] names a sensor",
                  position->name);
        }
        for (size_t j = 0; j < position->n_values; j++) {
            check_value(completion, position, &position->values[j]);
        }
    }
}

/* ---- loading ---- */

/* Makes the path absolute, so that a file has the same name whatever the working directory is. */
static char *folder_of(const char *path) {
    char *copy = strdup(path);
    char *folder = copy != NULL ? realpath(dirname(copy), NULL) : NULL;
    free(copy);
    return folder;
}

static bool has_password(const ir_map_t *map) {
    char masked[MASKED_SIZE];
    for (size_t i = 0; i < map->n_positions; i++) {
        const char *uri = ir_setting_text(map->positions[i]->subscribe);
        if (uri != NULL && strcmp(ir_uri_masked(uri, masked, sizeof masked), uri) != 0) {
            return true;
        }
    }
    return false;
}

static ir_status_t read_lines(ir_map_t *map, FILE *file, const char *path,
                              const ir_teller_t *teller, ir_error_t *error) {
    ir_fault_list_t faults = {.count = 0};
    const completion_t completion = {path, &faults};
    ir_ini_read(file, path, take_line, map, &faults);
    if (faults.count == 0) { /* otherwise the key may be missing only because its line has a
                              * fault */
        complete(map, &completion);
    }
    const ir_status_t status = ir_fault_list_conclude(&faults, "the mapping", teller, error);
    return status == IR_OK && has_password(map) ? ir_secret_file_check(file, path, error) : status;
}

static ir_status_t read_map(ir_map_t *map, const char *path, const ir_teller_t *teller,
                            ir_error_t *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "%s: cannot read the mapping: %s", path,
                            strerror(errno));
    }
    const ir_status_t status = read_lines(map, file, path, teller, error);
    (void)fclose(file);
    return status;
}

ir_status_t ir_map_load(const char *path, ir_map_t **map, const ir_teller_t *teller,
                        ir_error_t *error) {
    ir_map_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return out_of_memory(error);
    }
    made->folder = folder_of(path);
    const ir_status_t status =
        made->folder != NULL ? read_map(made, path, teller, error)
                             : ir_error_set(error, IR_ERR_USAGE, "%s: cannot read the mapping: %s",
                                            path, strerror(errno));
    if (status != IR_OK) {
        ir_map_free(made);
        return status;
    }
    *map = made;
    return IR_OK;
}
