#include "feed/check.h"

#include "common/arena.h"
#include "common/clock.h"
#include "common/name_table.h"
#include "feed/input.h"
#include "feed/round.h"
#include "feed/uplink.h"
#include "observation/senml/senml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN_PACKS 3
#define ROUND_PACKS 20000
#define ARENA_CHUNK 65536
#define FAR_NS (INT64_C(73000) * 86400 * IR_SECOND_NS)

typedef struct ir_feed_check {
    const ir_position_t *position;
    const ir_registry_t *registry; /* or NULL */
    ir_report_t report;
    ir_round_t *round;
    ir_arena_t *arena;    /* memory for one pack */
    ir_arena_t *faults;   /* holds the faults already reported */
    ir_name_table_t told; /* faults already reported, each once */
    size_t shown, packs, records;
    bool good;
} ir_feed_check_t;

/* ---- columns ---- */

static const char *role_of(const ir_layout_t *layout, size_t field) {
    return field == layout->time          ? "time"
           : field == layout->time_of_day ? "time of day"
           : field == layout->zone        ? "zone"
           : field == layout->mote        ? "mote"
                                          : "sensor";
}

static const char *unit_of(const ir_position_value_t *value) {
    return value->known_unit != NULL ? value->known_unit->senml : "the registered unit";
}

static void show_values(const ir_layout_t *layout) {
    for (size_t i = 0; i < layout->n_values; i++) {
        const ir_layout_value_t *value = &layout->values[i];
        if (value->field == IR_LAYOUT_NONE) {
            printf("  not there: %s\n", value->value->column);
        } else {
            printf("  %s: %s%s, in %s\n", layout->names[value->field],
                   value->value->sensor_from.column ? "sensor by column " : "",
                   value->value->sensor_from.text, unit_of(value->value));
        }
    }
}

static bool is_value(const ir_layout_t *layout, size_t field) {
    for (size_t i = 0; i < layout->n_values; i++) {
        if (layout->values[i].field == field) {
            return true;
        }
    }
    return false;
}

static void show_columns(const ir_position_t *position, const ir_layout_t *layout) {
    for (size_t i = 0; i < layout->n_names; i++) {
        if (ir_layout_uses(layout, i) && !is_value(layout, i)) {
            printf("  %s: %s\n", layout->names[i], role_of(layout, i));
        }
    }
    show_values(layout);
    bool any = false;
    for (size_t i = 0; position->name_row > 0 && i < layout->n_names; i++) {
        if (!ir_layout_uses(layout, i)) {
            printf("%s%s", any ? ", " : "  ignored: ", layout->names[i]);
            any = true;
        }
    }
    printf(any ? "\n" : "");
}

static void show_files(const ir_feed_check_t *check) {
    const ir_input_t *input = NULL;
    for (size_t i = 0; (input = ir_round_file(check->round, i)) != NULL; i++) {
        const ir_layout_t *layout = ir_input_layout(input);
        printf("%s\n", ir_input_path(input));
        if (layout != NULL) {
            show_columns(check->position, layout);
        }
    }
    if (ir_round_file(check->round, 0) == NULL) {
        printf("no file matches %s\n", check->position->files);
    }
}

/* ---- sensors ---- */

static void fault(ir_feed_check_t *check, ir_view_t sensor, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports a fault once. */
static void fault(ir_feed_check_t *check, ir_view_t sensor, const char *format, ...) {
    va_list arguments;
    if (ir_name_table_find(&check->told, sensor) != NULL) {
        return;
    }
    const ir_view_t kept = ir_arena_copy(check->faults, sensor);
    check->good = false;
    printf("%.*s: ", IR_VIEW_ARG(sensor));
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    if (kept.data != NULL) {
        (void)ir_name_table_add(&check->told, kept, check);
    }
}

static void check_sensor(ir_feed_check_t *check, ir_view_t name, ir_view_t mote, ir_view_t unit) {
    const ir_sensor_t *sensor = ir_registry_sensor(check->registry, name);
    const ir_unit_t *from = ir_unit_find(unit);
    if (sensor == NULL) {
        fault(check, name, "not registered; correct the mapping, or add it to the registry");
    } else if (mote.size > 0 && !ir_view_equal(ir_view_text(sensor->mote->id), mote)) {
        fault(check, name, "registered for another mote, '%s'; correct mote or sensor",
              sensor->mote->id);
    } else if (sensor->unit == NULL) {
        fault(check, name, "its values are not numbers; register it with a unit");
    } else if (unit.size > 0 && (from == NULL || !ir_unit_converts(from, sensor->unit))) {
        fault(check, name, "the unit '%.*s' cannot be converted to the registered one, %s (%s)",
              IR_VIEW_ARG(unit), sensor->unit->senml, sensor->unit->label);
    }
}

/* Checks the sensors that the mapping names, even those that no row has. */
static void check_named(ir_feed_check_t *check) {
    for (size_t i = 0; check->registry != NULL && i < check->position->n_values; i++) {
        const ir_position_value_t *value = &check->position->values[i];
        const char *unit = value->known_unit != NULL ? value->known_unit->senml : NULL;
        if (!value->sensor_from.column && value->sensor_from.text[0] != '/') {
            const bool fixed = !check->position->mote_from.column;
            check_sensor(check, ir_view_text(value->sensor_from.text),
                         ir_view_text(fixed ? check->position->mote_from.text : NULL),
                         ir_view_text(unit));
        }
    }
}

/* ---- packs ---- */

/* Checks the packs with the decoder that the gateway and the worker use. */
static ir_status_t check_pack(ir_feed_check_t *check, const ir_pack_t *pack, ir_error_t *error) {
    ir_senml_limits_t limits = ir_senml_limits_default;
    ir_senml_pack_t decoded;
    limits.future_ns = FAR_NS;
    ir_arena_reset(check->arena);
    const ir_senml_clock_t clock = {.arrival_ns = ir_clock_now()};
    if (ir_senml_decode(IR_MEDIA_SENML_JSON, pack->body, clock, &limits, check->arena, &decoded) !=
        IR_OK) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a pack");
    }
    for (size_t i = 0; i < decoded.n_records; i++) {
        check->records++;
        if (check->registry != NULL) {
            check_sensor(check, decoded.records[i].name, pack->mote, decoded.records[i].unit);
        }
    }
    return IR_OK;
}

static ir_status_t check_round(ir_feed_check_t *check, ir_error_t *error) {
    ir_status_t status = IR_OK;
    size_t number = 0;
    while (status == IR_OK && ir_round_next(check->round, &number)) {
        const ir_pack_t *pack = ir_round_pack(check->round, number);
        check->packs++;
        if (check->shown < SHOWN_PACKS) {
            check->shown++;
            printf("  %.*s\n", IR_VIEW_ARG(pack->body));
        }
        status = check_pack(check, pack, error);
        ir_round_settle(check->round, number);
    }
    return status == IR_OK ? ir_round_confirm(check->round, error) : status;
}

static ir_status_t check_rounds(ir_feed_check_t *check, ir_error_t *error) {
    ir_status_t status = ir_round_fill(check->round, error);
    if (status == IR_OK) {
        show_files(check);
        printf("first packs:\n");
    }
    while (status == IR_OK) {
        const bool more = ir_round_has_more(check->round);
        status = check_round(check, error);
        if (status != IR_OK || !more) {
            return status;
        }
        status = ir_round_fill(check->round, error);
    }
    return status;
}

static ir_status_t check_position(ir_feed_check_t *check, ir_zones_t *zones, ir_error_t *error) {
    const ir_round_options_t options = {.position = check->position,
                                        .packs = ROUND_PACKS,
                                        .zones = zones,
                                        .report = &check->report};
    printf("[%s]\n", check->position->name);
    if (check->position->files == NULL) {
        printf("subscribes; to check uplinks, set files = instead of subscribe =\n");
        check_named(check);
        return IR_OK;
    }
    ir_status_t status = ir_round_open(&options, &check->round, error);
    if (status == IR_OK) {
        status = check_rounds(check, error);
        check->good = check->good && !ir_round_failed(check->round);
        ir_round_report_waiting(check->round);
    }
    if (status == IR_OK) {
        check_named(check);
        printf("%zu packs, %zu values; %llu rows or values cannot be used\n", check->packs,
               check->records, (unsigned long long)check->report.unusable);
        check->good = check->good && (check->packs > 0 || check->report.unusable == 0);
    }
    ir_round_close(check->round);
    return status;
}

ir_status_t ir_feed_check(const ir_map_t *map, const ir_registry_t *registry, bool *good,
                          ir_error_t *error) {
    ir_zones_t *zones = ir_zones_new();
    ir_status_t status =
        zones != NULL ? IR_OK : ir_error_set(error, IR_ERR_MEMORY, "out of memory for zones");
    *good = true;
    for (size_t i = 0; i < map->n_positions && status == IR_OK; i++) {
        ir_feed_check_t check = {.position = map->positions[i],
                                 .registry = registry,
                                 .report = {.printed = true},
                                 .arena = ir_arena_new(ARENA_CHUNK),
                                 .faults = ir_arena_new(ARENA_CHUNK),
                                 .good = true};
        status = check.arena != NULL && check.faults != NULL
                     ? check_position(&check, zones, error)
                     : ir_error_set(error, IR_ERR_MEMORY, "out of memory for a position");
        *good = *good && check.good;
        ir_name_table_free(&check.told);
        ir_arena_free(check.arena);
        ir_arena_free(check.faults);
    }
    ir_zones_free(zones);
    return status;
}
