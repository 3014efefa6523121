/* Motes and their sensors from a table with one sensor per row. docs/reference/registry.md
 * describes the columns and their values. One thread. */
#ifndef IR_STATIONS_STATIONS_H
#define IR_STATIONS_STATIONS_H

#include "common/arena.h"
#include "common/fault_list.h"
#include "common/name_table.h"
#include "common/view.h"
#include "observation/registry/registry.h"
#include "observation/unit.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum ir_column {
    IR_COLUMN_MOTE,
    IR_COLUMN_SENSOR,
    IR_COLUMN_PROPERTY,
    IR_COLUMN_UNIT,
    IR_COLUMN_LATITUDE,
    IR_COLUMN_LONGITUDE,
    IR_COLUMN_LOW,
    IR_COLUMN_HIGH,
    IR_COLUMN_LABEL,
    IR_COLUMN_FEATURE,
    IR_COLUMN_INTERVAL,
    IR_COLUMN_MISSING,
    IR_COLUMN_COUNT
} ir_column_t;

/* The first columns are required. */
#define IR_COLUMNS_REQUIRED IR_COLUMN_LATITUDE

/* Their names in the header. */
extern const char *const ir_columns[IR_COLUMN_COUNT];

typedef struct ir_station_row {
    ir_view_t fields[IR_COLUMN_COUNT]; /* empty where there is none */
    bool decimal_comma;
    unsigned line;
} ir_station_row_t;

typedef struct ir_station_mote {
    const char *id;
    const char *label, *feature; /* or NULL */
    bool has_place;
    double latitude, longitude;
    unsigned line; /* the first row that names it */
    struct ir_station_mote *next;
} ir_station_mote_t;

typedef struct ir_station_property {
    const char *key;      /* last segment of its IRI, or the IRI in < > */
    const char *label;    /* or NULL */
    const char *quantity; /* one of QUDT's quantity kinds, or NULL */
    struct ir_station_property *next;
} ir_station_property_t;

typedef struct ir_station_sensor {
    const char *name; /* full */
    const ir_station_mote_t *mote;
    const ir_station_property_t *property;
    const ir_unit_t *unit; /* NULL: its values are not numbers */
    double interval_s;     /* 0: none */
    ir_span_t gross;
    const ir_value_t *missing; /* numbers and texts that it sends when there is no measurement */
    size_t n_missing;
    unsigned line;
    struct ir_station_sensor *next;
} ir_station_sensor_t;

typedef struct ir_stations {
    ir_arena_t *arena;
    const char *path; /* for faults */
    ir_fault_list_t *faults;
    ir_name_table_t by_mote, by_property, by_sensor;
    ir_station_mote_t *motes, **motes_end; /* in row order */
    ir_station_property_t *properties, **properties_end;
    ir_station_sensor_t *sensors, **sensors_end;
    bool out_of_memory;
} ir_stations_t;

/* Starts empty; false when out of memory. `path` and `faults` must outlive it. */
bool ir_stations_open(ir_stations_t *stations, const char *path, ir_fault_list_t *faults);
void ir_stations_close(ir_stations_t *stations);

/* Adds a fault "PATH:LINE: …". */
void ir_stations_fault(ir_stations_t *stations, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a row; its faults go to the list. */
void ir_stations_take(ir_stations_t *stations, const ir_station_row_t *row);

#endif
