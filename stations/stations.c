#include "stations/stations.h"

#include "common/nearest.h"
#include "observation/ownership.h"
#include "stations/property.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_CHUNK ((size_t)64 * 1024)
#define NUMBER_SIZE 64
#define KEY_MAX 100
#define LONGEST_INTERVAL_S (3660.0 * 86400)
#define FIELD(row, column) ((row)->fields[IR_COLUMN_##column])

const char *const ir_columns[IR_COLUMN_COUNT] = {
    [IR_COLUMN_MOTE] = "mote",         [IR_COLUMN_SENSOR] = "sensor",
    [IR_COLUMN_PROPERTY] = "property", [IR_COLUMN_UNIT] = "unit",
    [IR_COLUMN_LATITUDE] = "latitude", [IR_COLUMN_LONGITUDE] = "longitude",
    [IR_COLUMN_LOW] = "low",           [IR_COLUMN_HIGH] = "high",
    [IR_COLUMN_LABEL] = "label",       [IR_COLUMN_FEATURE] = "feature",
    [IR_COLUMN_INTERVAL] = "interval", [IR_COLUMN_MISSING] = "missing",
};

bool ir_stations_open(ir_stations_t *stations, const char *path, ir_fault_list_t *faults) {
    *stations = (ir_stations_t){.arena = ir_arena_new(ARENA_CHUNK), .path = path, .faults = faults};
    stations->motes_end = &stations->motes;
    stations->properties_end = &stations->properties;
    stations->sensors_end = &stations->sensors;
    return stations->arena != NULL;
}

void ir_stations_close(ir_stations_t *stations) {
    ir_name_table_free(&stations->by_mote);
    ir_name_table_free(&stations->by_property);
    ir_name_table_free(&stations->by_sensor);
    ir_arena_free(stations->arena);
}

void ir_stations_fault(ir_stations_t *stations, unsigned line, const char *format, ...) {
    ir_error_t text;
    ir_error_t fault;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text.text, sizeof text.text, format, arguments);
    va_end(arguments);
    ir_error_set(&fault, IR_ERR_SYNTAX, "%s:%u: %s", stations->path, line, text.text);
    ir_fault_list_add(stations->faults, line, &fault);
}

/* ---- fields ---- */

static const char *keep(ir_stations_t *stations, ir_view_t text) {
    const char *kept = ir_arena_copy(stations->arena, text).data;
    stations->out_of_memory = stations->out_of_memory || kept == NULL;
    return kept;
}

static void *keep_new(ir_stations_t *stations, const void *made, size_t size) {
    void *kept = ir_arena_alloc(stations->arena, size);
    if (kept == NULL) {
        stations->out_of_memory = true;
        return NULL;
    }
    return memcpy(kept, made, size);
}

static void enter(ir_stations_t *stations, ir_name_table_t *table, const char *name, void *value) {
    if (name == NULL || value == NULL || !ir_name_table_add(table, ir_view_text(name), value)) {
        stations->out_of_memory = true;
    }
}

/* Parses a decimal number; strtod alone would also accept "nan", "0x1" and "1 m". */
static bool parse_number(ir_view_t text, bool comma, double *number) {
    char copy[NUMBER_SIZE];
    char *end = NULL;
    if (text.size == 0 || text.size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    char *mark = comma ? strchr(copy, ',') : NULL;
    if (mark != NULL) {
        *mark = '.';
    }
    if (strspn(copy, "0123456789+-.eE") != text.size) {
        return false;
    }
    *number = strtod(copy, &end);
    return *end == '\0' && isfinite(*number);
}

/* The number in a column. False if it is empty or wrong; a wrong one is reported. */
static bool take_number(ir_stations_t *stations, const ir_station_row_t *row, ir_column_t column,
                        double least, double most, double *number) {
    const ir_view_t text = row->fields[column];
    double read = 0;
    if (text.size == 0) {
        return false;
    }
    if (!parse_number(text, row->decimal_comma, &read) || read < least || read > most) {
        ir_stations_fault(stations, row->line,
                          "%s must be a decimal number from %g to %g, not '%.*s'",
                          ir_columns[column], least, most, IR_VIEW_ARG(text));
        return false;
    }
    *number = read;
    return true;
}

/* Two numbers that must be given together. */
static bool take_pair(ir_stations_t *stations, const ir_station_row_t *row, ir_column_t first,
                      double largest[2], double numbers[2]) {
    const ir_column_t columns[2] = {first, first + 1};
    bool good = true;
    for (size_t i = 0; i < 2; i++) {
        const bool given = row->fields[columns[i]].size > 0;
        if (!given && row->fields[columns[1 - i]].size > 0) {
            ir_stations_fault(stations, row->line, "%s needs %s, too", ir_columns[columns[1 - i]],
                              ir_columns[columns[i]]);
        }
        good = take_number(stations, row, columns[i], -largest[i], largest[i], &numbers[i]) && good;
    }
    return good;
}

/* ---- motes ---- */

static bool same_place(const ir_station_mote_t *a, const ir_station_mote_t *b) {
    return !b->has_place ||
           (a->has_place && a->latitude == b->latitude && a->longitude == b->longitude);
}

static ir_station_mote_t read_mote(ir_stations_t *stations, const ir_station_row_t *row) {
    static double degrees[2] = {90, 180};
    double place[2] = {0, 0};
    ir_station_mote_t mote = {.line = row->line};
    mote.has_place = take_pair(stations, row, IR_COLUMN_LATITUDE, degrees, place);
    mote.latitude = place[0];
    mote.longitude = place[1];
    mote.label = FIELD(row, LABEL).size > 0 ? keep(stations, FIELD(row, LABEL)) : NULL;
    mote.feature = FIELD(row, FEATURE).size > 0 ? keep(stations, FIELD(row, FEATURE)) : NULL;
    return mote;
}

/* Later rows of a mote may omit its details, but not contradict them. */
static void agree(ir_stations_t *stations, const ir_station_mote_t *first,
                  const ir_station_mote_t *again) {
    if (!same_place(first, again)) {
        ir_stations_fault(stations, again->line,
                          "mote '%s' has another position in line %u; a mote has only one",
                          first->id, first->line);
    }
    if ((again->label != NULL &&
         (first->label == NULL || strcmp(first->label, again->label) != 0)) ||
        (again->feature != NULL &&
         (first->feature == NULL || strcmp(first->feature, again->feature) != 0))) {
        ir_stations_fault(stations, again->line,
                          "mote '%s' has another label or feature in line %u; a mote has only one",
                          first->id, first->line);
    }
}

static const ir_station_mote_t *take_mote(ir_stations_t *stations, const ir_station_row_t *row) {
    const ir_view_t id = FIELD(row, MOTE);
    ir_station_mote_t read = read_mote(stations, row);
    if (!ir_mote_id_valid(id)) {
        ir_stations_fault(stations, row->line,
                          id.size == 0 ? "the mote is missing"
                                       : "mote '%.*s': must be letters, digits, '-', ':' and '_', "
                                         "beginning with a letter or digit, at most 200",
                          IR_VIEW_ARG(id));
        return NULL;
    }
    const ir_station_mote_t *known = ir_name_table_find(&stations->by_mote, id);
    if (known != NULL) {
        agree(stations, known, &read);
        return known;
    }
    read.id = keep(stations, id);
    ir_station_mote_t *made = keep_new(stations, &read, sizeof read);
    enter(stations, &stations->by_mote, read.id, made);
    if (made != NULL) {
        *stations->motes_end = made;
        stations->motes_end = &made->next;
    }
    return made;
}

/* ---- units ---- */

static const ir_unit_t *take_unit(ir_stations_t *stations, const ir_station_row_t *row,
                                  bool *good) {
    const ir_view_t text = FIELD(row, UNIT);
    const ir_unit_t *unit = text.size > 0 ? ir_unit_find(text) : NULL;
    char like[IR_NEAREST_TEXT_SIZE];
    *good = true;
    if (unit == NULL && text.size > 0) {
        unit = ir_unit_find_qudt(text);
    }
    if (unit == NULL && text.size > 0) {
        *good = false;
        ir_stations_fault(stations, row->line, "unknown unit '%.*s'%s", IR_VIEW_ARG(text),
                          ir_unit_like(text, like));
    }
    return unit;
}

/* ---- properties ---- */

/* Turns "Water temperature" into water-temperature. Keeps an IRI unchanged. */
static bool key_of(ir_view_t text, char key[static KEY_MAX + 3]) {
    const bool iri = text.size > 8 && (memcmp(text.data, "https://", 8) == 0 ||
                                       memcmp(text.data, "http://", 7) == 0);
    if (text.size == 0 || text.size > KEY_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        const bool plain = isalnum(c) || c == '-' || c == '_' || c == '.';
        if (iri ? (c <= ' ' || c >= 0x7F || strchr("<>\"{}|\\^`", c) != NULL)
                : (!plain && (c != ' ' || i == 0))) {
            return false;
        }
        key[i + iri] = iri ? (char)c : c == ' ' ? '-' : (char)tolower(c);
    }
    if (iri) {
        key[0] = '<';
        key[text.size + 1] = '>';
    }
    key[text.size + (iri ? 2 : 0)] = '\0';
    return iri || isalnum((unsigned char)key[0]);
}

static const char *a_unit_of(const char *quantity) {
    for (size_t i = 0; i < ir_units_count; i++) {
        if (strcmp(ir_units[i].quantity, quantity) == 0) {
            return ir_units[i].senml;
        }
    }
    return "";
}

static void check_quantity(ir_stations_t *stations, const ir_station_row_t *row,
                           const ir_known_property_t *known, const ir_unit_t *unit) {
    if (known != NULL && unit != NULL && strcmp(known->quantity, unit->quantity) != 0) {
        ir_stations_fault(stations, row->line,
                          "unit '%.*s' is for %s, but %s is a %s: use '%s', for example",
                          IR_VIEW_ARG(FIELD(row, UNIT)), unit->quantity, known->key,
                          known->quantity, a_unit_of(known->quantity));
    }
}

static const ir_station_property_t *make_property(ir_stations_t *stations, const char *key,
                                                  ir_view_t given, const ir_known_property_t *known,
                                                  const ir_unit_t *unit) {
    const bool iri = key[0] == '<';
    const ir_station_property_t read = {.key = keep(stations, ir_view_text(key)),
                                        .label = known != NULL ? known->label
                                                 : iri         ? NULL
                                                               : keep(stations, given),
                                        .quantity = known != NULL  ? known->quantity
                                                    : unit != NULL ? unit->quantity
                                                                   : NULL};
    ir_station_property_t *made = keep_new(stations, &read, sizeof read);
    enter(stations, &stations->by_property, read.key, made);
    if (made != NULL) {
        *stations->properties_end = made;
        stations->properties_end = &made->next;
    }
    return made;
}

static const ir_station_property_t *
take_property(ir_stations_t *stations, const ir_station_row_t *row, const ir_unit_t *unit) {
    const ir_view_t text = FIELD(row, PROPERTY);
    char key[KEY_MAX + 3];
    char like[IR_NEAREST_TEXT_SIZE];
    ir_nearest_t nearest;
    if (!key_of(text, key)) {
        ir_stations_fault(stations, row->line,
                          text.size == 0 ? "the property is missing"
                                         : "property '%.*s': must be letters, digits, '-', '_' and "
                                           "'.', or an IRI, at most 100",
                          IR_VIEW_ARG(text));
        return NULL;
    }
    const ir_known_property_t *known = ir_known_property_find(ir_view_text(key), &nearest);
    if (known == NULL && key[0] != '<' && nearest.name != NULL) {
        ir_stations_fault(stations, row->line,
                          "unknown property '%.*s'%s If it is your own, give its IRI",
                          IR_VIEW_ARG(text), ir_nearest_text(&nearest, "", like));
        return NULL;
    }
    check_quantity(stations, row, known, unit);
    const ir_station_property_t *made =
        ir_name_table_find(&stations->by_property, ir_view_text(key));
    return made != NULL ? made : make_property(stations, key, text, known, unit);
}

/* ---- sensors ---- */

/* A full name begins with the mote's id. Any other name gets the mote's id as its prefix. */
static const char *take_name(ir_stations_t *stations, const ir_station_row_t *row,
                             const ir_station_mote_t *mote) {
    const ir_view_t text = FIELD(row, SENSOR);
    char name[2 * 256];
    const int size = ir_mote_owns(mote->id, text)
                         ? snprintf(name, sizeof name, "%.*s", IR_VIEW_ARG(text))
                         : snprintf(name, sizeof name, "%s/%.*s", mote->id, IR_VIEW_ARG(text));
    if (text.size == 0 || size >= (int)sizeof name || !ir_sensor_name_valid(ir_view_text(name))) {
        ir_stations_fault(stations, row->line,
                          text.size == 0
                              ? "the sensor is missing"
                              : "sensor '%.*s': must be letters, digits and - : . / _, at most 255",
                          IR_VIEW_ARG(text));
        return NULL;
    }
    const ir_station_sensor_t *other = ir_name_table_find(&stations->by_sensor, ir_view_text(name));
    if (other != NULL) {
        ir_stations_fault(stations, row->line,
                          "sensor '%s' is also in line %u; each needs its own name", name,
                          other->line);
        return NULL;
    }
    return keep(stations, ir_view_text(name));
}

static ir_span_t take_gross(ir_stations_t *stations, const ir_station_row_t *row,
                            const ir_unit_t *unit) {
    static double any[2] = {1e300, 1e300};
    double bounds[2] = {0, 0};
    if (!take_pair(stations, row, IR_COLUMN_LOW, any, bounds)) {
        return (ir_span_t){.given = false};
    }
    if (bounds[0] > bounds[1]) {
        ir_stations_fault(stations, row->line,
                          "low is %g and high is %g: low must not be above high", bounds[0],
                          bounds[1]);
    }
    if (unit == NULL && FIELD(row, UNIT).size == 0) {
        ir_stations_fault(stations, row->line,
                          "low and high need a unit; without a unit, values are not numbers");
    }
    return (ir_span_t){.given = true, .low = bounds[0], .high = bounds[1]};
}

/* Words with blanks between. */
static void take_missing(ir_stations_t *stations, const ir_station_row_t *row,
                         ir_station_sensor_t *sensor) {
    const ir_view_t text = FIELD(row, MISSING);
    ir_value_t *values =
        ir_arena_alloc(stations->arena, (text.size / 2 + 1) * sizeof *values); /* words at most */
    stations->out_of_memory = stations->out_of_memory || values == NULL;
    for (size_t at = 0; at < text.size && values != NULL;) {
        size_t end = at;
        while (end < text.size && text.data[end] != ' ') {
            end++;
        }
        const ir_view_t word = ir_view(text.data + at, end - at);
        double number = 0;
        if (parse_number(word, row->decimal_comma, &number)) {
            values[sensor->n_missing++] = (ir_value_t){.kind = IR_VALUE_NUMBER, .number = number};
        } else if (word.size > 0) {
            values[sensor->n_missing++] = (ir_value_t){
                .kind = IR_VALUE_STRING, .bytes = ir_arena_copy(stations->arena, word)};
        }
        at = end + 1;
    }
    sensor->missing = values;
}

void ir_stations_take(ir_stations_t *stations, const ir_station_row_t *row) {
    bool has_unit = true;
    ir_station_sensor_t read = {.line = row->line};
    read.mote = take_mote(stations, row);
    read.unit = take_unit(stations, row, &has_unit);
    read.property = take_property(stations, row, read.unit);
    read.gross = take_gross(stations, row, read.unit);
    (void)take_number(stations, row, IR_COLUMN_INTERVAL, 0.001, LONGEST_INTERVAL_S,
                      &read.interval_s);
    take_missing(stations, row, &read);
    read.name = read.mote != NULL ? take_name(stations, row, read.mote) : NULL;
    if (read.name == NULL) {
        return;
    }
    ir_station_sensor_t *made = keep_new(stations, &read, sizeof read);
    enter(stations, &stations->by_sensor, read.name, made);
    if (made != NULL) {
        *stations->sensors_end = made;
        stations->sensors_end = &made->next;
    }
}
