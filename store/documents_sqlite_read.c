#include "annotation/document.h"
#include "store/documents_sqlite.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* ---- columns ---- */

static void read_id(sqlite3_stmt *row, int column, ir_id_t *id) {
    const void *bytes = sqlite3_column_blob(row, column);
    *id = (ir_id_t){{0}};
    if (bytes != NULL && sqlite3_column_bytes(row, column) == (int)sizeof id->bytes) {
        memcpy(id->bytes, bytes, sizeof id->bytes);
    }
}

/* Valid until the next step, as everything that points into a row. */
static const char *read_text(sqlite3_stmt *row, int column) {
    const unsigned char *text = sqlite3_column_text(row, column);
    return text != NULL ? (const char *)text : "";
}

static const char *read_text_or_null(sqlite3_stmt *row, int column) {
    const char *text = read_text(row, column);
    return text[0] != '\0' ? text : NULL;
}

static ir_view_t read_bytes(sqlite3_stmt *row, int column) {
    const void *bytes = sqlite3_column_blob(row, column);
    return ir_view(bytes, (size_t)sqlite3_column_bytes(row, column));
}

/* The other direction of ir_sqlite_bind_value. */
static ir_value_t read_value(sqlite3_stmt *row, int column) {
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_FLOAT:
        return (ir_value_t){.kind = IR_VALUE_NUMBER, .number = sqlite3_column_double(row, column)};
    case SQLITE_INTEGER:
        return (ir_value_t){.kind = IR_VALUE_BOOL, .boolean = sqlite3_column_int(row, column) != 0};
    case SQLITE_TEXT:
        return (ir_value_t){.kind = IR_VALUE_STRING, .bytes = read_bytes(row, column)};
    case SQLITE_BLOB:
        return (ir_value_t){.kind = IR_VALUE_DATA, .bytes = read_bytes(row, column)};
    default:
        return (ir_value_t){.kind = IR_VALUE_NONE};
    }
}

/* ---- arrivals ---- */

/* SQLITE_ROW when the message is stored, SQLITE_DONE when not. */
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
    const ir_view_t unit = read_bytes(row, RECENT_SOURCE_UNIT);
    *point = (ir_point_t){
        .time_ns = sqlite3_column_int64(row, RECENT_TIME),
        .value = sqlite3_column_double(row, RECENT_VALUE),
        .source_value = sqlite3_column_double(row, RECENT_SOURCE_VALUE),
        .aggregate = (uint8_t)sqlite3_column_int(row, RECENT_AGGREGATE),
        .record = sqlite3_column_int(row, RECENT_RECORD),
    };
    read_id(row, RECENT_ID, &point->id);
    read_id(row, RECENT_RAW, &point->raw_id);
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

typedef ir_status_t (*ir_row_fn)(void *context, sqlite3_stmt *row);

/* Calls `each` for every row of a query that is run once. */
static ir_status_t walk(ir_sqlite_t *store, const char *sql, ir_row_fn each, void *context,
                        ir_error_t *error) {
    ir_status_t status = ir_sqlite_attach(store, false, error);
    if (status != IR_OK) {
        return status;
    }
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &row, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(row);
    }
    while (code == SQLITE_ROW && status == IR_OK) {
        status = each(context, row);
        code = status == IR_OK ? sqlite3_step(row) : code;
    }
    sqlite3_finalize(row);
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
    return walk(store,
                "SELECT (SELECT count(*) FROM raw),"
                " (SELECT count(*) FROM newest_outcomes WHERE status = 'rejected'),"
                " (SELECT count(*) FROM observations), (SELECT count(*) FROM revisions)",
                read_counts, counts, error);
}

typedef struct ir_id_walk {
    ir_each_id_fn each;
    void *context;
} ir_id_walk_t;

static ir_status_t visit_id(void *context, sqlite3_stmt *row) {
    const ir_id_walk_t *ids = context;
    ir_id_t id;
    read_id(row, 0, &id);
    return ids->each(ids->context, &id);
}

ir_status_t ir_sqlite_each_id(void *store, ir_document_kind_t kind, ir_each_id_fn each,
                              void *context, ir_error_t *error) {
    static const char *const queries[] = {
        [IR_DOCUMENT_RAW] = "SELECT id FROM raw",
        [IR_DOCUMENT_OBSERVATION] = "SELECT id FROM observations",
        [IR_DOCUMENT_REVISION] = "SELECT id FROM revisions",
    };
    ir_id_walk_t ids = {each, context};
    return walk(store, queries[kind], visit_id, &ids, error);
}

/* ---- raw messages ---- */

enum {
    RAW_ID,
    RAW_MOTE,
    RAW_CONTENT_TYPE,
    RAW_BODY,
    RAW_RECEIVED,
    RAW_NAME,
    RAW_SENT,
    RAW_REFUSALS
};

typedef struct ir_raw_walk {
    ir_each_raw_fn each;
    void *context;
    ir_refused_t refused;
    ir_error_t *error;
} ir_raw_walk_t;

/* As append_refusal of the writing side made them; false when memory is out. */
static bool read_refused(sqlite3_stmt *row, ir_refused_t *refused) {
    const ir_view_t text = read_bytes(row, RAW_REFUSALS);
    json_t *refusals = text.size > 0 ? json_loadb(text.data, text.size, 0, NULL) : NULL;
    const json_t *refusal = NULL;
    size_t i = 0;
    bool good = true;
    refused->count = 0;
    json_array_foreach(refusals, i, refusal) {
        good = good &&
               ir_refused_add(refused, (int)json_integer_value(json_object_get(refusal, "record")));
    }
    json_decref(refusals);
    return good;
}

static ir_status_t visit_raw(void *context, sqlite3_stmt *row) {
    ir_raw_walk_t *raws = context;
    if (!read_refused(row, &raws->refused)) {
        return ir_error_set(raws->error, IR_ERR_MEMORY, "documents: out of memory for one message");
    }
    ir_raw_document_t raw = {
        .mote = read_bytes(row, RAW_MOTE),
        .content_type = read_bytes(row, RAW_CONTENT_TYPE),
        .body = read_bytes(row, RAW_BODY),
        .name = read_bytes(row, RAW_NAME),
        .clock = {.arrival_ns = sqlite3_column_int64(row, RAW_RECEIVED),
                  .sent_ns = sqlite3_column_int64(row, RAW_SENT)},
        .refused = raws->refused.records,
        .n_refused = raws->refused.count,
    };
    read_id(row, RAW_ID, &raw.id);
    return raws->each(raws->context, &raw);
}

ir_status_t ir_sqlite_each_raw(void *store, ir_each_raw_fn each, void *context, ir_error_t *error) {
    ir_raw_walk_t raws = {.each = each, .context = context, .error = error};
    const ir_status_t status =
        walk(store,
             "SELECT r.id, r.mote, r.content_type, r.body, r.received_ns, r.name,"
             " r.sent_ns, n.refusals"
             " FROM raw r JOIN newest_outcomes n ON n.raw = r.id",
             visit_raw, &raws, error);
    free(raws.refused.records);
    return status;
}

/* ---- export ---- */

#define EXPORT_COLUMNS                                                                             \
    "o.id, o.raw, o.time_ns, o.value, o.source_value, o.source_unit, o.gross_range,"               \
    " o.climatology, o.spike, o.rate_of_change, o.flat_line, o.aggregate, o.record, o.sum,"        \
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

typedef struct ir_line_walk {
    ir_each_line_fn each;
    void *context;
    ir_buffer_t line;
} ir_line_walk_t;

static ir_observation_t read_observation(sqlite3_stmt *row, const ir_sensor_t *sensor) {
    ir_observation_t o = {
        .sensor = sensor,
        .time_ns = sqlite3_column_int64(row, RECENT_TIME),
        .value = read_value(row, RECENT_VALUE),
        .source_value = read_value(row, RECENT_SOURCE_VALUE),
        .source_unit = read_bytes(row, RECENT_SOURCE_UNIT),
        .has_sum = sqlite3_column_type(row, EXPORT_SUM) != SQLITE_NULL,
        .sum = sqlite3_column_double(row, EXPORT_SUM),
        .late = sqlite3_column_int(row, EXPORT_LATE) != 0,
        .aggregate = (uint8_t)sqlite3_column_int(row, RECENT_AGGREGATE),
        .record = sqlite3_column_int(row, RECENT_RECORD),
    };
    read_id(row, RECENT_ID, &o.id);
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        o.flags[test] = (uint8_t)sqlite3_column_int(row, RECENT_FLAGS + test);
    }
    return o;
}

static ir_status_t visit_observation(void *context, sqlite3_stmt *row) {
    ir_line_walk_t *lines = context;
    const ir_mote_t mote = {
        .id = read_text(row, EXPORT_MOTE), .iri = read_text(row, EXPORT_MOTE_IRI), .label = ""};
    const ir_property_t property = {.key = read_text(row, EXPORT_PROPERTY),
                                    .iri = read_text(row, EXPORT_PROPERTY_IRI),
                                    .label = read_text(row, EXPORT_PROPERTY_LABEL)};
    const ir_feature_t feature = {.iri = read_text(row, EXPORT_FEATURE_IRI),
                                  .label = read_text(row, EXPORT_FEATURE_LABEL)};
    const ir_unit_t unit = {.ucum = read_text_or_null(row, EXPORT_UNIT)}; /* all that is shown */
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
    const ir_observation_t observation = read_observation(row, &sensor);
    ir_id_t raw_id;
    read_id(row, RECENT_RAW, &raw_id);
    ir_buffer_clear(&lines->line);
    ir_document_append(&lines->line, &observation, &raw_id);
    return ir_buffer_ok(&lines->line) ? lines->each(lines->context, ir_buffer_view(&lines->line))
                                      : IR_ERR_MEMORY;
}

ir_status_t ir_sqlite_export(void *store, ir_each_line_fn each, void *context, ir_error_t *error) {
    ir_line_walk_t lines = {each, context, {0}};
    ir_buffer_init(&lines.line);
    const ir_status_t status =
        walk(store,
             "SELECT " EXPORT_COLUMNS " FROM observations o JOIN sensors s ON s.id = o.sensor"
             " ORDER BY o.time_ns, o.series, o.id",
             visit_observation, &lines, error);
    if (!ir_buffer_ok(&lines.line)) {
        ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory for one document");
    }
    ir_buffer_free(&lines.line);
    return status;
}
