#include "store/documents/sqlite/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ---- */

void ir_sqlite_read_id(sqlite3_stmt *row, int column, ir_id_t *id) {
    const void *bytes = sqlite3_column_blob(row, column);
    *id = (ir_id_t){{0}};
    if (bytes != NULL && sqlite3_column_bytes(row, column) == (int)sizeof id->bytes) {
        memcpy(id->bytes, bytes, sizeof id->bytes);
    }
}

/* Valid until the next step of the statement, like all pointers into a row. */
static const char *read_text(sqlite3_stmt *row, int column) {
    const unsigned char *text = sqlite3_column_text(row, column);
    return text != NULL ? (const char *)text : "";
}

static const char *read_text_or_null(sqlite3_stmt *row, int column) {
    const char *text = read_text(row, column);
    return text[0] != '\0' ? text : NULL;
}

ir_view_t ir_sqlite_read_bytes(sqlite3_stmt *row, int column) {
    const void *bytes = sqlite3_column_blob(row, column);
    return ir_view(bytes, (size_t)sqlite3_column_bytes(row, column));
}

/* Reads a value that ir_sqlite_bind_value wrote. */
static ir_value_t read_value(sqlite3_stmt *row, int column) {
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_FLOAT:
        return (ir_value_t){.kind = IR_VALUE_NUMBER, .number = sqlite3_column_double(row, column)};
    case SQLITE_INTEGER:
        return (ir_value_t){.kind = IR_VALUE_BOOL, .boolean = sqlite3_column_int(row, column) != 0};
    case SQLITE_TEXT:
        return (ir_value_t){.kind = IR_VALUE_STRING, .bytes = ir_sqlite_read_bytes(row, column)};
    case SQLITE_BLOB:
        return (ir_value_t){.kind = IR_VALUE_DATA, .bytes = ir_sqlite_read_bytes(row, column)};
    default:
        return (ir_value_t){.kind = IR_VALUE_NONE};
    }
}

/* ---- arrivals ---- */

/* SQLITE_ROW when the message is stored, SQLITE_DONE when it is not. */
static int read_arrival(sqlite3_stmt *statement, ir_raw_arrival_t *arrival) {
    ir_sqlite_binder_t binder = {.statement = statement};
    ir_sqlite_bind_id(&binder, &arrival->raw_id);
    const int code = binder.code == SQLITE_OK ? sqlite3_step(statement) : binder.code;
    arrival->stored = code == SQLITE_ROW;
    if (arrival->stored) {
        arrival->clock = (ir_senml_clock_t){.arrival_ns = sqlite3_column_int64(statement, 0),
                                            .sent_ns = sqlite3_column_int64(statement, 1)};
    }
    sqlite3_reset(statement);
    return code;
}

ir_outcome_t ir_sqlite_arrivals(void *context, ir_raw_arrival_t *arrivals, size_t count,
                                ir_error_t *error) {
    ir_sqlite_t *store = context;
    if (ir_sqlite_attach(store, false, error) != IR_OK) {
        return IR_OUTCOME_RETRY;
    }
    sqlite3_stmt *statement = ir_sqlite_statement(store, IR_SQL_ARRIVAL);
    int code = statement != NULL ? SQLITE_DONE : sqlite3_extended_errcode(store->db);
    for (size_t i = 0; i < count && (code == SQLITE_DONE || code == SQLITE_ROW); i++) {
        code = read_arrival(statement, &arrivals[i]);
    }
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        ir_sqlite_failed(store, code, "cannot read arrivals", error);
        return IR_OUTCOME_RETRY;
    }
    return IR_OUTCOME_OK;
}

/* ---- recent points ---- */

enum {
    RECENT_ID,
    RECENT_RAW,
    RECENT_TIME,
    RECENT_VALUE,
    RECENT_SOURCE_VALUE,
    RECENT_SOURCE_UNIT,
    RECENT_FLAGS,
    RECENT_AGGREGATE = RECENT_FLAGS + IR_TEST_COUNT,
    RECENT_RECORD
};

static void read_point(sqlite3_stmt *row, ir_point_t *point) {
    const ir_view_t unit = ir_sqlite_read_bytes(row, RECENT_SOURCE_UNIT);
    *point = (ir_point_t){
        .time_ns = sqlite3_column_int64(row, RECENT_TIME),
        .value = sqlite3_column_double(row, RECENT_VALUE),
        .source_value = sqlite3_column_double(row, RECENT_SOURCE_VALUE),
        .aggregate = (uint8_t)sqlite3_column_int(row, RECENT_AGGREGATE),
        .record = sqlite3_column_int(row, RECENT_RECORD),
    };
    ir_sqlite_read_id(row, RECENT_ID, &point->id);
    ir_sqlite_read_id(row, RECENT_RAW, &point->raw_id);
    if (unit.size > 0 && unit.size < sizeof point->source_unit) {
        memcpy(point->source_unit, unit.data, unit.size);
    }
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        point->flags[test] = (uint8_t)sqlite3_column_int(row, RECENT_FLAGS + test);
    }
}

ir_outcome_t ir_sqlite_recent(void *context, const ir_sensor_t *sensor, int64_t before_ns,
                              size_t limit, ir_point_t *points, size_t *count, ir_error_t *error) {
    ir_sqlite_t *store = context;
    if (ir_sqlite_attach(store, false, error) != IR_OK) {
        return IR_OUTCOME_RETRY;
    }
    ir_sqlite_binder_t binder = {.statement = ir_sqlite_statement(store, IR_SQL_RECENT)};
    int code = sqlite3_extended_errcode(store->db);
    size_t n = 0;
    if (binder.statement != NULL) {
        ir_sqlite_bind_text(&binder, ir_view_text(sensor->name));
        ir_sqlite_bind_int(&binder, before_ns);
        ir_sqlite_bind_text(&binder,
                            ir_view_text(sensor->unit != NULL ? sensor->unit->ucum : NULL));
        ir_sqlite_bind_int(&binder, (int64_t)limit);
        ir_sqlite_bind_text(&binder, ir_view_text(sensor->mote->id));
        code = binder.code == SQLITE_OK ? sqlite3_step(binder.statement) : binder.code;
        while (code == SQLITE_ROW && n < limit) {
            read_point(binder.statement, &points[n++]);
            code = sqlite3_step(binder.statement);
        }
        sqlite3_reset(binder.statement);
    }
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        ir_sqlite_failed(store, code, "cannot read recent points", error);
        return IR_OUTCOME_RETRY;
    }
    *count = n;
    return IR_OUTCOME_OK;
}

/* ---- walking ---- */

ir_status_t ir_sqlite_walk(ir_sqlite_t *store, const char *sql, ir_sqlite_bind_fn bind,
                           ir_sqlite_row_fn each, void *context, ir_error_t *error) {
    ir_status_t status = ir_sqlite_attach(store, false, error);
    if (status != IR_OK) {
        return status;
    }
    ir_sqlite_binder_t binder = {.code = SQLITE_OK};
    int code = sqlite3_prepare_v2(store->db, sql, -1, &binder.statement, NULL);
    if (code == SQLITE_OK && bind != NULL) {
        bind(context, &binder);
        code = binder.code;
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(binder.statement);
    }
    while (code == SQLITE_ROW && status == IR_OK) {
        status = each(context, binder.statement);
        code = status == IR_OK ? sqlite3_step(binder.statement) : code;
    }
    sqlite3_finalize(binder.statement);
    if (status == IR_OK && code != SQLITE_DONE) {
        status = ir_sqlite_failed(store, code, "cannot read", error);
    }
    return status;
}

static ir_status_t read_counts(void *context, sqlite3_stmt *row) {
    *(ir_documents_counts_t *)context = (ir_documents_counts_t){
        .raw = (uint64_t)sqlite3_column_int64(row, 0),
        .raw_rejected = (uint64_t)sqlite3_column_int64(row, 1),
        .observations = (uint64_t)sqlite3_column_int64(row, 2),
        .revisions = (uint64_t)sqlite3_column_int64(row, 3),
    };
    return IR_OK;
}

ir_status_t ir_sqlite_count(void *store, ir_documents_counts_t *counts, ir_error_t *error) {
    return ir_sqlite_walk(store,
                          "SELECT (SELECT count(*) FROM raw),"
                          " (SELECT count(*) FROM newest_outcomes WHERE status = 'rejected'),"
                          " (SELECT count(*) FROM observations), (SELECT count(*) FROM revisions)",
                          NULL, read_counts, counts, error);
}

typedef struct ir_id_walk {
    ir_each_document_fn each;
    void *context;
} ir_id_walk_t;

static ir_status_t visit_id(void *context, sqlite3_stmt *row) {
    const ir_id_walk_t *ids = context;
    ir_document_key_t key = {.mote = ir_view_text(read_text(row, 2))};
    ir_sqlite_read_id(row, 0, &key.id);
    ir_sqlite_read_id(row, 1, &key.raw_id);
    return ids->each(ids->context, &key);
}

ir_status_t ir_sqlite_each(void *store, ir_document_kind_t kind, ir_each_document_fn each,
                           void *context, ir_error_t *error) {
    static const char *const queries[] = {
        [IR_DOCUMENT_RAW] = "SELECT id, id, mote FROM raw",
        [IR_DOCUMENT_OBSERVATION] =
            "SELECT o.id, o.raw, s.mote FROM observations o JOIN sensors s ON s.id = o.sensor",
        [IR_DOCUMENT_REVISION] =
            "SELECT r.id, r.raw, s.mote FROM revisions r JOIN sensors s ON s.id = r.sensor",
    };
    ir_id_walk_t ids = {each, context};
    return ir_sqlite_walk(store, queries[kind], NULL, visit_id, &ids, error);
}

/* ---- whole observations ---- */

#define EXPORT_COLUMNS                                                                             \
    "o.id, o.raw, o.time_ns, o.value, o.source_value, o.source_unit" IR_SQLITE_FLAGS_OF_O          \
    ", o.aggregate, o.record, o.sum,"                                                              \
    " o.late, s.name, s.iri, s.label, s.mote, s.mote_iri, s.property, s.property_iri,"             \
    " s.property_label, s.feature_iri, s.feature_label, s.procedure_iri, s.unit, s.unit_iri,"      \
    " s.registered"

enum {
    EXPORT_SUM = RECENT_RECORD + 1,
    EXPORT_LATE,
    EXPORT_NAME,
    EXPORT_IRI,
    EXPORT_LABEL,
    EXPORT_MOTE,
    EXPORT_MOTE_IRI,
    EXPORT_PROPERTY,
    EXPORT_PROPERTY_IRI,
    EXPORT_PROPERTY_LABEL,
    EXPORT_FEATURE_IRI,
    EXPORT_FEATURE_LABEL,
    EXPORT_PROCEDURE_IRI,
    EXPORT_UNIT,
    EXPORT_UNIT_IRI,
    EXPORT_REGISTERED
};

static ir_observation_t read_observation(sqlite3_stmt *row, const ir_sensor_t *sensor) {
    ir_observation_t o = {
        .sensor = sensor,
        .time_ns = sqlite3_column_int64(row, RECENT_TIME),
        .value = read_value(row, RECENT_VALUE),
        .source_value = read_value(row, RECENT_SOURCE_VALUE),
        .source_unit = ir_sqlite_read_bytes(row, RECENT_SOURCE_UNIT),
        .has_sum = sqlite3_column_type(row, EXPORT_SUM) != SQLITE_NULL,
        .sum = sqlite3_column_double(row, EXPORT_SUM),
        .late = sqlite3_column_int(row, EXPORT_LATE) != 0,
        .aggregate = (uint8_t)sqlite3_column_int(row, RECENT_AGGREGATE),
        .record = sqlite3_column_int(row, RECENT_RECORD),
    };
    ir_sqlite_read_id(row, RECENT_ID, &o.id);
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        o.flags[test] = (uint8_t)sqlite3_column_int(row, RECENT_FLAGS + test);
    }
    return o;
}

typedef struct ir_sqlite_selected_walk {
    const ir_observation_selection_t *selection;
    const char *mote, *sensor; /* names in the last row */
    ir_each_observation_fn each;
    void *context;
} ir_sqlite_selected_walk_t;

static ir_status_t visit_observation(void *context, sqlite3_stmt *row) {
    const ir_sqlite_selected_walk_t *walk = context;
    const ir_mote_t mote = {
        .id = read_text(row, EXPORT_MOTE), .iri = read_text(row, EXPORT_MOTE_IRI), .label = ""};
    const ir_property_t property = {.key = read_text(row, EXPORT_PROPERTY),
                                    .iri = read_text(row, EXPORT_PROPERTY_IRI),
                                    .label = read_text(row, EXPORT_PROPERTY_LABEL)};
    const ir_feature_t feature = {.iri = read_text(row, EXPORT_FEATURE_IRI),
                                  .label = read_text(row, EXPORT_FEATURE_LABEL)};
    const ir_unit_t unit = {.ucum = read_text_or_null(row, EXPORT_UNIT)}; /* all that is exported */
    const ir_sensor_t sensor = {
        .name = read_text(row, EXPORT_NAME),
        .iri = read_text(row, EXPORT_IRI),
        .label = read_text(row, EXPORT_LABEL),
        .mote = &mote,
        .property = &property,
        .feature = &feature,
        .procedure_iri = read_text_or_null(row, EXPORT_PROCEDURE_IRI),
        .unit = unit.ucum != NULL ? &unit : NULL,
        .unit_iri = read_text_or_null(row, EXPORT_UNIT_IRI),
        .registered = sqlite3_column_int(row, EXPORT_REGISTERED) != 0,
    };
    ir_stored_observation_t stored = {.observation = read_observation(row, &sensor),
                                      .unit = ir_sqlite_read_bytes(row, EXPORT_UNIT)};
    ir_sqlite_read_id(row, RECENT_RAW, &stored.raw_id);
    return walk->each(walk->context, &stored);
}

static void bind_selected(void *context, ir_sqlite_binder_t *binder) {
    const ir_observation_selection_t *selection =
        ((const ir_sqlite_selected_walk_t *)context)->selection;
    ir_sqlite_bind_int(binder, selection->from_ns);
    ir_sqlite_bind_int(binder, selection->to_ns);
    if (selection->mote != NULL) {
        ir_sqlite_bind_text(binder, ir_view_text(selection->mote));
        ir_sqlite_bind_text(binder, ir_view_text(selection->mote));
    }
    if (selection->property != NULL) {
        ir_sqlite_bind_text(binder, ir_view_text(selection->property));
    }
    if (selection->after != NULL) {
        ir_sqlite_bind_id(binder, selection->after);
    }
}

#define SELECT_OBSERVATIONS                                                                        \
    "SELECT " EXPORT_COLUMNS " FROM observations o JOIN sensors s ON s.id = o.sensor"

ir_status_t ir_sqlite_each_selected(void *store, const ir_observation_selection_t *selection,
                                    ir_each_observation_fn each, void *context, ir_error_t *error) {
    ir_sqlite_selected_walk_t walk = {.selection = selection, .each = each, .context = context};
    char sql[1024];
    snprintf(sql, sizeof sql, "%s%s%s%s%s",
             SELECT_OBSERVATIONS " WHERE o.time_ns >= ? AND o.time_ns <= ?",
             selection->mote != NULL
                 ? " AND o.series IN (SELECT series FROM sensors WHERE mote = ?) AND s.mote = ?"
                 : "",
             selection->property != NULL ? " AND s.property = ?" : "",
             selection->after != NULL ? " AND o.id > ?" : "", " ORDER BY o.id");
    return ir_sqlite_walk(store, sql, bind_selected, visit_observation, &walk, error);
}

static void bind_last(void *context, ir_sqlite_binder_t *binder) {
    const ir_sqlite_selected_walk_t *walk = context;
    ir_sqlite_bind_text(binder, ir_view_text(walk->sensor));
    ir_sqlite_bind_text(binder, ir_view_text(walk->mote));
}

ir_status_t ir_sqlite_last(void *store, const char *mote, const char *sensor,
                           ir_each_observation_fn each, void *context, ir_error_t *error) {
    ir_sqlite_selected_walk_t walk = {
        .mote = mote, .sensor = sensor, .each = each, .context = context};
    return ir_sqlite_walk(store,
                          SELECT_OBSERVATIONS
                          " WHERE o.series = (SELECT series FROM sensors WHERE name = ? LIMIT 1)"
                          " AND s.mote = ? ORDER BY o.time_ns DESC, o.id DESC LIMIT 1",
                          bind_last, visit_observation, &walk, error);
}

/* ---- series ---- */

typedef struct ir_sensor_walk {
    ir_each_sensor_fn each;
    void *context;
} ir_sensor_walk_t;

static ir_status_t visit_sensor(void *context, sqlite3_stmt *row) {
    const ir_sensor_walk_t *sensors = context;
    return sensors->each(sensors->context, ir_sqlite_read_bytes(row, 0),
                         ir_sqlite_read_bytes(row, 1));
}

ir_status_t ir_sqlite_each_sensor(void *store, ir_each_sensor_fn each, void *context,
                                  ir_error_t *error) {
    ir_sensor_walk_t sensors = {each, context};
    return ir_sqlite_walk(store, "SELECT DISTINCT mote, name FROM sensors", NULL, visit_sensor,
                          &sensors, error);
}

/* A time range of a series. */
typedef struct ir_measurement_walk {
    const char *mote, *sensor; /* the mote only for observations */
    int64_t from_ns, to_ns;
    ir_id_t first, end; /* range of revisions' ids, which begin with the time */
    size_t limit;
    ir_each_observation_fn each_observation;
    ir_each_revision_fn each_revision;
    void *context;
} ir_measurement_walk_t;

static void bind_stretch(void *context, ir_sqlite_binder_t *binder) {
    const ir_measurement_walk_t *stretch = context;
    ir_sqlite_bind_text(binder, ir_view_text(stretch->sensor));
    ir_sqlite_bind_int(binder, stretch->from_ns);
    ir_sqlite_bind_int(binder, stretch->to_ns);
}

static void bind_observations(void *context, ir_sqlite_binder_t *binder) {
    const ir_measurement_walk_t *stretch = context;
    bind_stretch(context, binder);
    ir_sqlite_bind_text(binder, ir_view_text(stretch->mote));
}

static ir_status_t visit_stored(void *context, sqlite3_stmt *row) {
    const ir_measurement_walk_t *stretch = context;
    ir_stored_observation_t stored = {.observation = read_observation(row, NULL),
                                      .unit = ir_sqlite_read_bytes(row, EXPORT_UNIT)};
    ir_sqlite_read_id(row, RECENT_RAW, &stored.raw_id);
    return stretch->each_observation(stretch->context, &stored);
}

ir_status_t ir_sqlite_each_observation(void *store, const char *mote, const char *sensor,
                                       int64_t from_ns, int64_t to_ns, ir_each_observation_fn each,
                                       void *context, ir_error_t *error) {
    ir_measurement_walk_t stretch = {.mote = mote,
                                     .sensor = sensor,
                                     .from_ns = from_ns,
                                     .to_ns = to_ns,
                                     .each_observation = each,
                                     .context = context};
    return ir_sqlite_walk(store,
                          "SELECT " EXPORT_COLUMNS
                          " FROM observations o JOIN sensors s ON s.id = o.sensor"
                          " WHERE o.series = (SELECT series FROM sensors WHERE name = ? LIMIT 1)"
                          " AND o.time_ns >= ? AND o.time_ns <= ? AND s.mote = ?"
                          " ORDER BY o.time_ns, o.late, o.id",
                          bind_observations, visit_stored, &stretch, error);
}

#define REVISION_COLUMNS "id, observation, test, flag, aggregate, decided_by, supersedes"

enum {
    REVISION_ID,
    REVISION_OBSERVATION,
    REVISION_TEST,
    REVISION_FLAG,
    REVISION_AGGREGATE,
    REVISION_DECIDED_BY,
    REVISION_SUPERSEDES
};

static ir_status_t visit_revision(void *context, sqlite3_stmt *row) {
    const ir_measurement_walk_t *stretch = context;
    ir_stored_revision_t stored = {
        .test = ir_test_find(ir_sqlite_read_bytes(row, REVISION_TEST)),
        .flag = (uint8_t)sqlite3_column_int(row, REVISION_FLAG),
        .aggregate = (uint8_t)sqlite3_column_int(row, REVISION_AGGREGATE),
        .supersedes = sqlite3_column_type(row, REVISION_SUPERSEDES) != SQLITE_NULL};
    ir_sqlite_read_id(row, REVISION_ID, &stored.id);
    ir_sqlite_read_id(row, REVISION_OBSERVATION, &stored.observation);
    ir_sqlite_read_id(row, REVISION_DECIDED_BY, &stored.decided_by);
    ir_sqlite_read_id(row, REVISION_SUPERSEDES, &stored.superseded);
    return stored.test < IR_TEST_COUNT ? stretch->each_revision(stretch->context, &stored) : IR_OK;
}

static void bind_revisions(void *context, ir_sqlite_binder_t *binder) {
    const ir_measurement_walk_t *stretch = context;
    ir_sqlite_bind_id(binder, &stretch->first);
    ir_sqlite_bind_id(binder, &stretch->end);
    bind_stretch(context, binder);
}

ir_status_t ir_sqlite_each_revision(void *store, const char *sensor, int64_t from_ns, int64_t to_ns,
                                    ir_each_revision_fn each, void *context, ir_error_t *error) {
    ir_measurement_walk_t stretch = {.sensor = sensor,
                                     .from_ns = from_ns,
                                     .to_ns = to_ns,
                                     .each_revision = each,
                                     .context = context};
    ir_id_stretch(from_ns, to_ns, &stretch.first, &stretch.end);
    return ir_sqlite_walk(store,
                          "SELECT " REVISION_COLUMNS " FROM revisions WHERE id >= ? AND id <= ?"
                          " AND sensor IN (SELECT id FROM sensors WHERE name = ?)"
                          " AND time_ns >= ? AND time_ns <= ?",
                          bind_revisions, visit_revision, &stretch, error);
}

static void bind_ahead(void *context, ir_sqlite_binder_t *binder) {
    const ir_measurement_walk_t *ahead = context;
    ir_sqlite_bind_id(binder, &ahead->first);
    ir_sqlite_bind_int(binder, (int64_t)ahead->limit);
}

ir_status_t ir_sqlite_revisions_from(void *store, const ir_id_t *least, size_t limit,
                                     ir_each_revision_fn each, void *context, ir_error_t *error) {
    ir_measurement_walk_t ahead = {
        .first = *least, .limit = limit, .each_revision = each, .context = context};
    return ir_sqlite_walk(store,
                          "SELECT " REVISION_COLUMNS " FROM revisions"
                          " WHERE id >= ? ORDER BY id LIMIT ?",
                          bind_ahead, visit_revision, &ahead, error);
}
