#include "common/messages.h"
#include "store/documents/sqlite/sqlite.h"

#include <stdio.h>
#include <string.h>

#define FLAG_COLUMN(symbol, key, words, flag) " " key " INTEGER NOT NULL,"
#define FLAG_COLUMNS IR_QUALITY_TESTS(FLAG_COLUMN)

/* clang-format off */
static const char tables_sql[] =
    "CREATE TABLE IF NOT EXISTS raw ("
    " id BLOB NOT NULL PRIMARY KEY, mote TEXT NOT NULL, routing_key TEXT NOT NULL,"
    " content_type TEXT NOT NULL, body BLOB NOT NULL, received_ns INTEGER NOT NULL,"
    /* the times on which the id or the times of some messages depend; NULL: none */
    " name BLOB, sent_ns INTEGER,"
    " status TEXT NOT NULL, refusals TEXT);"

    "CREATE TABLE IF NOT EXISTS outcomes ("
    " number INTEGER PRIMARY KEY, raw BLOB NOT NULL, at_ns INTEGER NOT NULL,"
    " status TEXT NOT NULL, refusals TEXT);"
    "CREATE INDEX IF NOT EXISTS outcomes_raw ON outcomes (raw);"

    "CREATE TABLE IF NOT EXISTS sensors ("
    " id INTEGER PRIMARY KEY, series INTEGER NOT NULL, name TEXT NOT NULL, iri TEXT NOT NULL,"
    " label TEXT NOT NULL, mote TEXT NOT NULL, mote_iri TEXT NOT NULL, property TEXT NOT NULL,"
    " property_iri TEXT NOT NULL, property_label TEXT NOT NULL, feature_iri TEXT NOT NULL,"
    " feature_label TEXT NOT NULL, procedure_iri TEXT NOT NULL, unit TEXT NOT NULL,"
    " unit_iri TEXT NOT NULL, registered INTEGER NOT NULL,"
    " UNIQUE (name, iri, label, mote, mote_iri, property, property_iri, property_label,"
    "  feature_iri, feature_label, procedure_iri, unit, unit_iri, registered));"

    /* Values have no declared type, so that a boolean remains a boolean and -0.0 keeps its
     * sign. */
    "CREATE TABLE IF NOT EXISTS observations ("
    " series INTEGER NOT NULL, time_ns INTEGER NOT NULL, id BLOB NOT NULL,"
    " sensor INTEGER NOT NULL, raw BLOB NOT NULL, record INTEGER NOT NULL, value, source_value,"
    " source_unit TEXT NOT NULL, sum, late INTEGER NOT NULL,"
    FLAG_COLUMNS
    " aggregate INTEGER NOT NULL,"
    " PRIMARY KEY (series, time_ns, id)) WITHOUT ROWID;"

    "CREATE TABLE IF NOT EXISTS revisions ("
    " id BLOB NOT NULL PRIMARY KEY, observation BLOB NOT NULL, raw BLOB NOT NULL,"
    " decided_by BLOB NOT NULL, sensor INTEGER NOT NULL, time_ns INTEGER NOT NULL,"
    " test TEXT NOT NULL, previous INTEGER NOT NULL, flag INTEGER NOT NULL,"
    " aggregate INTEGER NOT NULL, supersedes BLOB) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS revisions_observation ON revisions (observation);";
/* clang-format on */

/* ---- identifying a file ---- */

static int read_pragma(sqlite3 *db, const char *sql, int64_t *value) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    if (code == SQLITE_ROW) {
        *value = sqlite3_column_int64(statement, 0);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code;
}

static ir_status_t check_version(const ir_sqlite_t *store, int64_t version, ir_error_t *error) {
    if (store->earlier) {
        return version == 1 ? IR_OK
                            : ir_error_set(error, IR_ERR_USAGE,
                                           "documents sqlite:%s: not a store of an earlier "
                                           "release, which --from needs",
                                           store->path);
    }
    if (version == 1) {
        return ir_error_set(error, IR_ERR_PROTOCOL, "documents sqlite:%s: " IR_TEXT_EARLIER_RELEASE,
                            store->path, "sqlite:", store->path);
    }
    if (version != IR_SQLITE_SCHEMA) {
        return ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_OTHER_SCHEMA, store->path,
                            (long long)version, IR_SQLITE_SCHEMA);
    }
    return IR_OK;
}

ir_status_t ir_sqlite_check_schema(ir_sqlite_t *store, ir_error_t *error) {
    int64_t application = 0;
    int64_t version = 0;
    int64_t objects = 0;
    int code = read_pragma(store->db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) {
        code = read_pragma(store->db, "PRAGMA user_version", &version);
    }
    if (code == SQLITE_OK) {
        code = read_pragma(store->db, "SELECT count(*) FROM sqlite_schema", &objects);
    }
    if (code != SQLITE_OK) {
        return ir_sqlite_failed(store, code, "cannot read", error);
    }
    if (application == 0 && version == 0 && objects == 0) {
        return ir_error_set(error, IR_ERR_NOT_FOUND, "documents sqlite:%s: " IR_TEXT_NOT_SET_UP,
                            store->path);
    }
    if (application != IR_SQLITE_APPLICATION) {
        return ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_OTHER_DATABASE, store->path);
    }
    return check_version(store, version, error);
}

/* ---- setting up ---- */

static ir_status_t use_log(ir_sqlite_t *store, ir_error_t *error) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    const char *mode = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    const bool good = mode != NULL && strcmp(mode, "wal") == 0;
    sqlite3_finalize(statement);
    if (code != SQLITE_ROW) {
        return ir_sqlite_failed(store, code, "cannot set up", error);
    }
    return good ? IR_OK
                : ir_error_set(error, IR_ERR_IO,
                               "documents sqlite:%s: this file system does not allow a write-ahead "
                               "log; use a local disk",
                               store->path);
}

static ir_status_t make_schema(ir_sqlite_t *store, ir_error_t *error) {
    char sql[128];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             IR_SQLITE_APPLICATION, IR_SQLITE_SCHEMA);
    int code = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(store->db, tables_sql, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_exec(store->db, ir_sqlite_views_sql, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    }
    return code == SQLITE_OK ? IR_OK : ir_sqlite_failed(store, code, "cannot set up", error);
}

ir_status_t ir_sqlite_init(ir_sqlite_t *store, ir_error_t *error) {
    ir_sqlite_detach(store);
    ir_status_t status = ir_sqlite_attach(store, true, error);
    if (status == IR_OK) {
        ir_error_t inner = {.status = IR_OK};
        status = ir_sqlite_check_schema(store, &inner);
        if (status != IR_OK && status != IR_ERR_NOT_FOUND) {
            ir_error_set(error, status, "%s", inner.text);
        } else {
            status = use_log(store, error);
        }
    }
    if (status == IR_OK) {
        status = make_schema(store, error);
    }
    if (status == IR_OK) {
        status = ir_sqlite_mark(store, error);
    }
    if (status == IR_OK) {
        status = ir_sqlite_presence_note(store, error);
    }
    if (status != IR_OK) {
        ir_sqlite_detach(store);
    }
    return status;
}
