#include "store/documents/sqlite/sqlite.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256

typedef struct ir_sqlite_slot {
    const ir_sensor_t *sensor; /* NULL: free */
    ir_sqlite_place_t place;
} ir_sqlite_slot_t;

void ir_sqlite_places_reset(ir_sqlite_places_t *places) {
    ir_registry_unref(places->registry);
    free(places->slots);
    *places = (ir_sqlite_places_t){.registry = NULL};
}

static ir_sqlite_slot_t *find_slot(const ir_sqlite_places_t *places, const ir_sensor_t *sensor) {
    /* Multiplication spreads addresses that differ in few bits (Knuth). */
    const uint64_t hash = (uint64_t)(uintptr_t)sensor * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = (size_t)(hash >> 32);; i++) {
        ir_sqlite_slot_t *slot = &places->slots[i & (places->capacity - 1)];
        if (slot->sensor == NULL || slot->sensor == sensor) {
            return slot;
        }
    }
}

static bool grow(ir_sqlite_places_t *places) {
    const size_t capacity = places->capacity > 0 ? places->capacity * 2 : FIRST_CAPACITY;
    ir_sqlite_places_t grown = *places;
    grown.slots = calloc(capacity, sizeof *grown.slots);
    grown.capacity = capacity;
    if (grown.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < places->capacity; i++) {
        if (places->slots[i].sensor != NULL) {
            *find_slot(&grown, places->slots[i].sensor) = places->slots[i];
        }
    }
    free(places->slots);
    *places = grown;
    return true;
}

/* If memory is exhausted the place is not kept, and is looked up again the next time. */
static void keep_place(ir_sqlite_places_t *places, const ir_sensor_t *sensor,
                       ir_sqlite_place_t place) {
    if (places->used * 2 >= places->capacity && !grow(places)) {
        return;
    }
    *find_slot(places, sensor) = (ir_sqlite_slot_t){sensor, place};
    places->used++;
}

static void bind_sensor(sqlite3_stmt *statement, const ir_sensor_t *sensor) {
    const char *const texts[] = {
        sensor->name,          sensor->iri,
        sensor->label,         sensor->mote->id,
        sensor->mote->iri,     sensor->property->key,
        sensor->property->iri, sensor->property->label,
        sensor->feature->iri,  sensor->feature->label,
        sensor->procedure_iri, sensor->unit != NULL ? sensor->unit->ucum : NULL,
        sensor->unit_iri,
    };
    ir_sqlite_binder_t binder = {.statement = statement};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ir_sqlite_bind_text(&binder, ir_view_text(texts[i]));
    }
    ir_sqlite_bind_int(&binder, sensor->registered);
}

/* SQLITE_ROW when found, SQLITE_DONE when not. */
static int find_place(ir_sqlite_t *store, const ir_sensor_t *sensor, ir_sqlite_place_t *place) {
    sqlite3_stmt *statement = ir_sqlite_statement(store, IR_SQL_FIND_SENSOR);
    if (statement == NULL) {
        return sqlite3_extended_errcode(store->db);
    }
    bind_sensor(statement, sensor);
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        place->sensor = sqlite3_column_int64(statement, 0);
        place->series = sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return code;
}

static int put_sensor(ir_sqlite_t *store, const ir_sensor_t *sensor) {
    sqlite3_stmt *statement = ir_sqlite_statement(store, IR_SQL_PUT_SENSOR);
    if (statement == NULL) {
        return sqlite3_extended_errcode(store->db);
    }
    bind_sensor(statement, sensor);
    const int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code;
}

static int look_up(ir_sqlite_t *store, const ir_sensor_t *sensor, ir_sqlite_place_t *place) {
    int code = find_place(store, sensor, place);
    if (code == SQLITE_DONE) {
        code = put_sensor(store, sensor);
        if (code == SQLITE_DONE) {
            code = find_place(store, sensor, place);
        }
    }
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

int ir_sqlite_place(ir_sqlite_t *store, ir_registry_t *registry, const ir_sensor_t *sensor,
                    ir_sqlite_place_t *place) {
    ir_sqlite_places_t *places = &store->places;
    /* A sensor that is not registered belongs to its batch, so its address is not valid later. */
    if (!sensor->registered || registry == NULL) {
        return look_up(store, sensor, place);
    }
    if (places->registry != registry) {
        ir_sqlite_places_reset(places);
        places->registry = ir_registry_ref(registry);
    }
    if (places->capacity > 0) {
        const ir_sqlite_slot_t *slot = find_slot(places, sensor);
        if (slot->sensor != NULL) {
            *place = slot->place;
            return SQLITE_OK;
        }
    }
    const int code = look_up(store, sensor, place);
    if (code == SQLITE_OK) {
        keep_place(places, sensor, *place);
    }
    return code;
}
