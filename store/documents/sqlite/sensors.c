#include "store/documents/sqlite/sqlite.h"

#define ARENA_CHUNK ((size_t)16 * 1024)

void ir_sqlite_places_reset(ir_sqlite_places_t *places) {
    ir_registry_unref(places->registry);
    ir_name_table_free(&places->by_name);
    ir_arena_free(places->arena);
    *places = (ir_sqlite_places_t){.registry = NULL};
}

/* When memory is exhausted, the sensor's row is not cached. It is then looked up again the next
 * time. */
static void keep_place(ir_sqlite_places_t *places, const ir_sensor_t *sensor,
                       ir_sqlite_place_t place) {
    if (places->arena == NULL) {
        places->arena = ir_arena_new(ARENA_CHUNK);
    }
    ir_sqlite_place_t *kept =
        places->arena != NULL ? ir_arena_alloc(places->arena, sizeof *kept) : NULL;
    if (kept != NULL) {
        *kept = place;
        (void)ir_name_table_add(&places->by_name, ir_view_text(sensor->name), kept);
    }
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
    /* The name of a sensor that is not registered belongs to its batch, so it is not valid
     * later. */
    if (!sensor->registered || registry == NULL) {
        return look_up(store, sensor, place);
    }
    if (places->registry != registry) {
        ir_sqlite_places_reset(places);
        places->registry = ir_registry_ref(registry);
    }
    const ir_sqlite_place_t *kept =
        ir_name_table_find(&places->by_name, ir_view_text(sensor->name));
    if (kept != NULL) {
        *place = *kept;
        return SQLITE_OK;
    }
    const int code = look_up(store, sensor, place);
    if (code == SQLITE_OK) {
        keep_place(places, sensor, *place);
    }
    return code;
}
