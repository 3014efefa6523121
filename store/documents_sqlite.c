#include "store/documents_sqlite.h"

#include "common/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "sqlite:"
#define CACHE_KIB "8192"
/* Pages of the log before it is copied into the database. Much larger than SQLite's own choice: a
 * page that many batches change is then copied once. */
#define CHECKPOINT_PAGES "4000"

static const char *const schemes[] = {SCHEME, NULL};

static const char connection_sql[] = "PRAGMA synchronous = FULL;"
                                     "PRAGMA cache_size = -" CACHE_KIB ";"
                                     "PRAGMA cache_spill = OFF;"
                                     "PRAGMA wal_autocheckpoint = " CHECKPOINT_PAGES ";"
                                     "PRAGMA temp_store = FILE;";

#define UUID_TEXT(column)                                                                          \
    "lower(substr(hex(" column "), 1, 8) || '-' || substr(hex(" column "), 9, 4) || '-' || "       \
    "substr(hex(" column "), 13, 4) || '-' || substr(hex(" column "), 17, 4) || '-' || "           \
    "substr(hex(" column "), 21))"
#define TIME_TEXT(column) "strftime('%Y-%m-%dT%H:%M:%fZ', " column " / 1e9, 'unixepoch')"
#define FLAG_TEXT(column)                                                                          \
    "CASE " column " WHEN 1 THEN 'good' WHEN 2 THEN 'not_evaluated' WHEN 3 THEN 'suspect' "        \
    "WHEN 4 THEN 'fail' WHEN 9 THEN 'missing' END"

static const char schema_sql[] =
    "CREATE TABLE IF NOT EXISTS raw ("
    " id BLOB NOT NULL, hint INTEGER NOT NULL, mote TEXT NOT NULL, routing_key TEXT NOT NULL,"
    " content_type TEXT NOT NULL, body BLOB NOT NULL, received_ns INTEGER NOT NULL,"
    " status TEXT NOT NULL, refusals TEXT, UNIQUE (hint, id));"

    "CREATE TABLE IF NOT EXISTS sensors ("
    " id INTEGER PRIMARY KEY, series INTEGER NOT NULL, name TEXT NOT NULL, iri TEXT NOT NULL,"
    " label TEXT NOT NULL, mote TEXT NOT NULL, mote_iri TEXT NOT NULL, property TEXT NOT NULL,"
    " property_iri TEXT NOT NULL, property_label TEXT NOT NULL, feature_iri TEXT NOT NULL,"
    " feature_label TEXT NOT NULL, procedure_iri TEXT NOT NULL, unit TEXT NOT NULL,"
    " unit_iri TEXT NOT NULL, registered INTEGER NOT NULL,"
    " UNIQUE (name, iri, label, mote, mote_iri, property, property_iri, property_label,"
    "  feature_iri, feature_label, procedure_iri, unit, unit_iri, registered));"

    /* Values have no declared type, so that a boolean stays one and -0.0 keeps its sign. */
    "CREATE TABLE IF NOT EXISTS observations ("
    " series INTEGER NOT NULL, time_ns INTEGER NOT NULL, id BLOB NOT NULL, sensor INTEGER NOT "
    "NULL,"
    " raw BLOB NOT NULL, record INTEGER NOT NULL, value, source_value,"
    " source_unit TEXT NOT NULL, sum, late INTEGER NOT NULL,"
    " gross_range INTEGER NOT NULL, climatology INTEGER NOT NULL, spike INTEGER NOT NULL,"
    " rate_of_change INTEGER NOT NULL, flat_line INTEGER NOT NULL, aggregate INTEGER NOT NULL,"
    " PRIMARY KEY (series, time_ns, id)) WITHOUT ROWID;"

    "CREATE TABLE IF NOT EXISTS revisions ("
    " id BLOB NOT NULL PRIMARY KEY, observation BLOB NOT NULL, raw BLOB NOT NULL,"
    " decided_by BLOB NOT NULL, sensor INTEGER NOT NULL, time_ns INTEGER NOT NULL,"
    " test TEXT NOT NULL, previous INTEGER NOT NULL, flag INTEGER NOT NULL,"
    " aggregate INTEGER NOT NULL) WITHOUT ROWID;"

    "DROP VIEW IF EXISTS readable;"
    "CREATE VIEW readable AS SELECT " TIME_TEXT(
        "o.time_ns") " AS time, s.mote AS mote,"
                     " s.property AS property, o.value AS value, s.unit AS unit, " FLAG_TEXT(
                         "o.aggregate") " AS quality, o.source_value AS source_value, "
                                        "o.source_unit AS source_unit,"
                                        " o.gross_range AS gross_range, o.climatology AS "
                                        "climatology, o.spike AS spike,"
                                        " o.rate_of_change AS rate_of_change, o.flat_line AS "
                                        "flat_line, o.late AS late,"
                                        " s.name AS sensor, s.feature_iri AS "
                                        "feature, " UUID_TEXT("o.id") " AS id, " UUID_TEXT(
                                            "o.raw") " AS raw_id"
                                                     " FROM observations o JOIN sensors s ON "
                                                     "s.id = o.sensor;"

                                                     "DROP VIEW IF EXISTS readable_raw;"
                                                     "CREATE VIEW readable_raw AS "
                                                     "SELECT " TIME_TEXT(
                                                         "received_ns") " AS received, mote,"
                                                                        " content_type, "
                                                                        "status, refusals, "
                                                                        "length(body) AS bytes,"
                                                                        " CASE WHEN "
                                                                        "content_type LIKE "
                                                                        "'%json%' THEN "
                                                                        "CAST(body AS TEXT) "
                                                                        "ELSE hex(body) END AS "
                                                                        "body, " UUID_TEXT(
                                                                            "id") " AS id FROM "
                                                                                  "raw;";

static const char *const statements_sql[IR_SQL_COUNT] = {
    [IR_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [IR_SQL_COMMIT] = "COMMIT",
    [IR_SQL_ROLLBACK] = "ROLLBACK",
    /* Not INSERT OR IGNORE, which would pass over every broken constraint, not only repeats. */
    [IR_SQL_PUT_RAW] =
        "INSERT INTO raw (id, hint, mote, routing_key, content_type, body, received_ns,"
        " status, refusals) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [IR_SQL_PUT_OBSERVATION] =
        "INSERT INTO observations (series, time_ns, id, sensor, raw, record, value, source_value,"
        " source_unit, sum, late, gross_range, climatology, spike, rate_of_change, flat_line,"
        " aggregate) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
    [IR_SQL_PUT_REVISION] =
        "INSERT INTO revisions (id, observation, raw, decided_by, sensor, time_ns, test, previous,"
        " flag, aggregate) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
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
    [IR_SQL_RECENT] =
        "SELECT o.id, o.raw, o.time_ns, o.value, o.source_value, o.source_unit, o.gross_range,"
        " o.climatology, o.spike, o.rate_of_change, o.flat_line, o.aggregate, o.record"
        " FROM observations o JOIN sensors s ON s.id = o.sensor"
        " WHERE o.series = (SELECT series FROM sensors WHERE name = ?1 LIMIT 1)"
        " AND o.time_ns < ?2 AND o.late = 0 AND s.unit = ?3 AND typeof(o.value) = 'real'"
        " ORDER BY o.time_ns DESC LIMIT ?4",
};

/* ---- errors ---- */

static ir_status_t io_failed(ir_sqlite_t *store, int code, const char *what, ir_error_t *error) {
    const int reason = sqlite3_system_errno(store->db);
    return ir_error_set(
        error, IR_ERR_IO,
        "documents sqlite:%s: %s: %s %d%s%s; look at that disk: its room, limits on "
        "the size of files, its health",
        store->path, what, sqlite3_errstr(code), code, reason != 0 ? ", " : "",
        reason != 0 ? strerror(reason) : "");
}

static ir_status_t describe(ir_sqlite_t *store, int code, const char *what, ir_error_t *error) {
    const char *path = store->path;
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ir_error_set(error, IR_ERR_TIMEOUT,
                            "documents sqlite:%s: %s: another process has held the lock for %d ms; "
                            "end what keeps it open (a shell, a backup) or raise timeout",
                            path, what, store->timeout_ms);
    case SQLITE_FULL:
        return ir_error_set(error, IR_ERR_FULL,
                            "documents sqlite:%s: %s: no space left; free some on that disk", path,
                            what);
    case SQLITE_NOTADB:
        return ir_error_set(error, IR_ERR_PROTOCOL,
                            "documents sqlite:%s: %s: the file is not an SQLite database; name "
                            "another path or move the file away and run ir-store init",
                            path, what);
    case SQLITE_CORRUPT:
        return ir_error_set(error, IR_ERR_IO,
                            "documents sqlite:%s: %s: the database is damaged; restore it, or save "
                            "what is left with sqlite3's .recover",
                            path, what);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ir_error_set(error, IR_ERR_IO,
                            "documents sqlite:%s: %s: the file or its directory cannot be written; "
                            "give this user the right to",
                            path, what);
    case SQLITE_NOMEM:
        return ir_error_set(error, IR_ERR_MEMORY, "documents sqlite:%s: %s: out of memory", path,
                            what);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return io_failed(store, code, what, error);
    default:
        return ir_error_set(error, IR_ERR_IO, "documents sqlite:%s: %s: %s", path, what,
                            sqlite3_errcode(store->db) == code ? sqlite3_errmsg(store->db)
                                                               : sqlite3_errstr(code));
    }
}

ir_status_t ir_sqlite_failed(ir_sqlite_t *store, int code, const char *what, ir_error_t *error) {
    const ir_status_t status = describe(store, code, what, error);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
        break;
    default:
        ir_sqlite_detach(store);
    }
    return status;
}

/* ---- connection ---- */

void ir_sqlite_detach(ir_sqlite_t *store) {
    for (int i = 0; i < IR_SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    sqlite3_close_v2(store->db);
    store->db = NULL;
    ir_sqlite_places_reset(&store->places);
}

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

/* What the file is: set up by this program (OK), empty (NOT_FOUND), or something else. */
static ir_status_t check_schema(ir_sqlite_t *store, ir_error_t *error) {
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
        return ir_error_set(error, IR_ERR_NOT_FOUND,
                            "documents sqlite:%s: not set up: run ir-store init", store->path);
    }
    if (application != IR_SQLITE_APPLICATION) {
        return ir_error_set(error, IR_ERR_PROTOCOL,
                            "documents sqlite:%s: the database belongs to another program; name "
                            "another path",
                            store->path);
    }
    if (version != IR_SQLITE_SCHEMA) {
        return ir_error_set(error, IR_ERR_PROTOCOL,
                            "documents sqlite:%s: the database has schema version %lld, this "
                            "program has %d; use the program it was made with, or export it and "
                            "begin a new one",
                            store->path, (long long)version, IR_SQLITE_SCHEMA);
    }
    return IR_OK;
}

static ir_status_t open_failed(ir_sqlite_t *store, int code, bool create, ir_error_t *error) {
    const int reason = store->db != NULL ? sqlite3_system_errno(store->db) : 0;
    ir_status_t status = IR_ERR_IO;
    if (code == SQLITE_CANTOPEN && reason == ENOENT && !create) {
        status = ir_error_set(error, IR_ERR_NOT_FOUND,
                              "documents sqlite:%s: there is no such file: run ir-store init",
                              store->path);
    } else if ((code & 0xff) == SQLITE_CANTOPEN) {
        ir_error_set(error, status, "documents sqlite:%s: cannot open: %s; check the path",
                     store->path, reason != 0 ? strerror(reason) : sqlite3_errmsg(store->db));
    } else {
        status = describe(store, code, "cannot open", error);
    }
    ir_sqlite_detach(store);
    return status;
}

static ir_status_t open_database(ir_sqlite_t *store, bool create, ir_error_t *error) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                      (create ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(store->path, &store->db, flags, NULL);
    if (code != SQLITE_OK) {
        return open_failed(store, code, create, error);
    }
    sqlite3_busy_timeout(store->db, store->timeout_ms);
    code = sqlite3_exec(store->db, connection_sql, NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        return ir_sqlite_failed(store, code, "cannot open", error);
    }
    return IR_OK;
}

ir_status_t ir_sqlite_attach(ir_sqlite_t *store, bool create, ir_error_t *error) {
    if (store->db != NULL) {
        return IR_OK;
    }
    ir_status_t status = open_database(store, create, error);
    if (status == IR_OK && !create) {
        status = check_schema(store, error);
        if (status != IR_OK) {
            ir_sqlite_detach(store);
        }
    }
    return status;
}

/* ---- statements ---- */

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
        code = sqlite3_exec(store->db, schema_sql, NULL, NULL, NULL);
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
        status = check_schema(store, &inner);
        if (status != IR_OK && status != IR_ERR_NOT_FOUND) {
            ir_error_set(error, status, "%s", inner.text);
        } else {
            status = use_log(store, error);
        }
    }
    if (status == IR_OK) {
        status = make_schema(store, error);
    }
    if (status != IR_OK) {
        ir_sqlite_detach(store);
    }
    return status;
}

/* ---- the backend ---- */

static void sqlite_close(void *context) {
    ir_sqlite_t *store = context;
    if (store == NULL) {
        return;
    }
    ir_sqlite_detach(store);
    free(store->places.slots);
    ir_buffer_free(&store->text);
    free(store->path);
    free(store);
}

static ir_status_t sqlite_open(const ir_documents_options_t *options, void **made,
                               ir_error_t *error) {
    const char *path = options->uri + strlen(SCHEME);
    if (path[0] == '\0') {
        return ir_error_set(error, IR_ERR_USAGE,
                            "documents: '" SCHEME "' wants a path, as in sqlite:documents.sqlite");
    }
    ir_sqlite_t *store = calloc(1, sizeof *store);
    char *copy = store != NULL ? strdup(path) : NULL;
    if (copy == NULL) {
        free(store);
        return ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory");
    }
    const int64_t timeout_ms = options->timeout_ns / IR_MILLISECOND_NS;
    store->path = copy;
    store->timeout_ms = timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX;
    ir_buffer_init(&store->text);
    *made = store;
    return IR_OK;
}

static ir_status_t sqlite_init(void *store, ir_error_t *error) {
    return ir_sqlite_init(store, error);
}

static ir_status_t sqlite_ready(void *context, ir_error_t *error) {
    ir_sqlite_t *store = context;
    ir_status_t status = ir_sqlite_attach(store, false, error);
    if (status == IR_OK && sqlite3_db_readonly(store->db, "main") == 1) {
        status = describe(store, SQLITE_READONLY, "cannot write", error);
        ir_sqlite_detach(store);
    }
    return status;
}

const ir_documents_backend_t ir_documents_sqlite = {
    .name = "sqlite",
    .schemes = schemes,
    .open = sqlite_open,
    .close = sqlite_close,
    .init = sqlite_init,
    .ready = sqlite_ready,
    .put = ir_sqlite_put,
    .recent = ir_sqlite_recent,
    .count = ir_sqlite_count,
    .each_id = ir_sqlite_each_id,
    .export = ir_sqlite_export,
};
