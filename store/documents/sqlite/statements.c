#include "store/documents/sqlite/sqlite.h"

/* Lists that have an item for each quality test. */
#define FLAG(symbol, key, words, flag) ", " key
#define FLAGS IR_QUALITY_TESTS(FLAG)
#define FLAG_VALUE(symbol, key, words, flag) ", ?"
#define FLAG_VALUES IR_QUALITY_TESTS(FLAG_VALUE)

/* clang-format off */
static const char *const statements_sql[IR_SQL_COUNT] = {
    [IR_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [IR_SQL_COMMIT] = "COMMIT",
    [IR_SQL_ROLLBACK] = "ROLLBACK",
    /* INSERT OR IGNORE would ignore a violation of any constraint, not only of uniqueness. */
    [IR_SQL_PUT_RAW] =
        "INSERT INTO raw (id, mote, routing_key, content_type, body, received_ns, name, sent_ns,"
        " status, refusals) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [IR_SQL_PUT_OUTCOME] =
        "INSERT INTO outcomes (raw, at_ns, status, refusals)"
        " SELECT raw, ?2, ?3, ?4 FROM newest_outcomes"
        " WHERE raw = ?1 AND (status IS NOT ?3 OR refusals IS NOT ?4)",
    [IR_SQL_DROP] =
        "INSERT INTO outcomes (raw, at_ns, status, refusals)"
        " SELECT raw, ?2, 'dropped', refusals FROM newest_outcomes"
        " WHERE raw = ?1 AND status IN ('rejected', 'partly')",
    [IR_SQL_PUT_OBSERVATION] =
        "INSERT INTO observations (series, time_ns, id, sensor, raw, record, value, source_value,"
        " source_unit, sum, late" FLAGS ", aggregate)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?" FLAG_VALUES ", ?)"
        " ON CONFLICT DO NOTHING",
    [IR_SQL_PUT_REVISION] =
        "INSERT INTO revisions (id, observation, raw, decided_by, sensor, time_ns, test, previous,"
        " flag, aggregate, supersedes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
    [IR_SQL_FIND_SENSOR] =
        "SELECT id, series FROM sensors WHERE name = ? AND iri = ? AND label = ? AND mote = ?"
        " AND mote_iri = ? AND property = ? AND property_iri = ? AND property_label = ?"
        " AND feature_iri = ? AND feature_label = ? AND procedure_iri = ? AND unit = ?"
        " AND unit_iri = ? AND registered = ?",
    [IR_SQL_PUT_SENSOR] =
        "INSERT INTO sensors (id, series, name, iri, label, mote, mote_iri, property, property_iri,"
        " property_label, feature_iri, feature_label, procedure_iri, unit, unit_iri, registered)"
        " SELECT next, coalesce((SELECT series FROM sensors WHERE name = ?1 LIMIT 1), next),"
        " ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14"
        " FROM (SELECT coalesce(max(id), 0) + 1 AS next FROM sensors)",
    [IR_SQL_ARRIVAL] = "SELECT received_ns, sent_ns FROM raw WHERE id = ?",
    [IR_SQL_RECENT] =
        "SELECT o.id, o.raw, o.time_ns, o.value, o.source_value, o.source_unit"
        IR_SQLITE_FLAGS_OF_O ", o.aggregate, o.record FROM observations o JOIN sensors s ON s.id = o.sensor"
        " WHERE o.series = (SELECT series FROM sensors WHERE name = ?1 LIMIT 1)"
        " AND o.time_ns < ?2 AND o.late = 0 AND s.unit = ?3 AND s.mote = ?5"
        " AND typeof(o.value) = 'real'"
        " ORDER BY o.time_ns DESC LIMIT ?4",
};
/* clang-format on */

sqlite3_stmt *ir_sqlite_statement(ir_sqlite_t *store, ir_sqlite_sql_t sql) {
    sqlite3_stmt **statement = &store->statements[sql];
    if (*statement == NULL) {
        sqlite3_prepare_v3(store->db, statements_sql[sql], -1, SQLITE_PREPARE_PERSISTENT, statement,
                           NULL);
    }
    return *statement;
}

int ir_sqlite_run(ir_sqlite_t *store, ir_sqlite_sql_t sql) {
    sqlite3_stmt *statement = ir_sqlite_statement(store, sql);
    if (statement == NULL) {
        return sqlite3_extended_errcode(store->db);
    }
    const int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static void keep_code(ir_sqlite_binder_t *binder, int code) {
    if (binder->code == SQLITE_OK) {
        binder->code = code;
    }
}

void ir_sqlite_bind_id(ir_sqlite_binder_t *binder, const ir_id_t *id) {
    keep_code(binder, sqlite3_bind_blob(binder->statement, ++binder->next, id->bytes,
                                        sizeof id->bytes, SQLITE_STATIC));
}

void ir_sqlite_bind_int(ir_sqlite_binder_t *binder, int64_t value) {
    keep_code(binder, sqlite3_bind_int64(binder->statement, ++binder->next, value));
}

void ir_sqlite_bind_text(ir_sqlite_binder_t *binder, ir_view_t text) {
    keep_code(binder, sqlite3_bind_text64(binder->statement, ++binder->next,
                                          text.data != NULL ? text.data : "", text.size,
                                          SQLITE_STATIC, SQLITE_UTF8));
}

void ir_sqlite_bind_blob(ir_sqlite_binder_t *binder, ir_view_t bytes) {
    keep_code(binder,
              sqlite3_bind_blob64(binder->statement, ++binder->next,
                                  bytes.data != NULL ? bytes.data : "", bytes.size, SQLITE_STATIC));
}

void ir_sqlite_bind_double(ir_sqlite_binder_t *binder, double value) {
    keep_code(binder, sqlite3_bind_double(binder->statement, ++binder->next, value));
}

void ir_sqlite_bind_null(ir_sqlite_binder_t *binder) {
    keep_code(binder, sqlite3_bind_null(binder->statement, ++binder->next));
}

void ir_sqlite_bind_value(ir_sqlite_binder_t *binder, const ir_value_t *value) {
    switch (value->kind) {
    case IR_VALUE_NUMBER:
        ir_sqlite_bind_double(binder, value->number);
        break;
    case IR_VALUE_STRING:
        ir_sqlite_bind_text(binder, value->bytes);
        break;
    case IR_VALUE_BOOL:
        ir_sqlite_bind_int(binder, value->boolean);
        break;
    case IR_VALUE_DATA:
        ir_sqlite_bind_blob(binder, value->bytes);
        break;
    case IR_VALUE_NONE:
        ir_sqlite_bind_null(binder);
        break;
    }
}
