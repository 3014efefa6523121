/* Removes documents in many short transactions, so that workers can write between them. The ids are
 * in a temporary table, which needs no lock of the database. No index finds observations by their
 * id, so one pass over their table first looks up their rows. */
#include "store/documents/sqlite/sqlite.h"

#include <inttypes.h>
#include <stdio.h>

#define ROWS 2000 /* maximum number of rows in one transaction */

static const char begin_sql[] =
    "DROP TABLE IF EXISTS temp.purged; DROP TABLE IF EXISTS temp.places;"
    "CREATE TEMP TABLE purged (id BLOB PRIMARY KEY); BEGIN";
static const char add_sql[] = "INSERT INTO purged VALUES (?)";
static const char find_sql[] =
    "CREATE TEMP TABLE places AS SELECT series, time_ns, id FROM observations"
    " WHERE id IN (SELECT id FROM purged)";
static const char end_sql[] = "DROP TABLE purged; DROP TABLE IF EXISTS temp.places";

/* Selects rows of `table` whose `key` is in the temporary table. */
typedef struct removal {
    ir_document_kind_t kind;
    const char *table, *key, *wanted, *from;
} removal_t;

static const removal_t removals[] = {
    {IR_DOCUMENT_RAW, "outcomes", "raw", "id", "purged"},
    {IR_DOCUMENT_RAW, "raw", "id", "id", "purged"},
    {IR_DOCUMENT_OBSERVATION, "observations", "(series, time_ns, id)", "series, time_ns, id",
     "places"},
    {IR_DOCUMENT_REVISION, "revisions", "id", "id", "purged"},
};

static int add_ids(sqlite3 *db, const ir_id_t *ids, size_t count) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, add_sql, -1, &statement, NULL);
    for (size_t i = 0; i < count && code == SQLITE_OK; i++) {
        code = sqlite3_bind_blob(statement, 1, ids[i].bytes, sizeof ids[i].bytes, SQLITE_STATIC);
        if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_DONE) {
            code = sqlite3_reset(statement);
        }
    }
    sqlite3_finalize(statement);
    return code;
}

static int remove_some(sqlite3 *db, const removal_t *removal, size_t first) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "DELETE FROM %s WHERE %s IN (SELECT %s FROM %s WHERE rowid > %zu AND rowid <= %zu)",
             removal->table, removal->key, removal->wanted, removal->from, first, first + ROWS);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* There are at most as many rows of the temporary table as ids. */
static int remove_all(sqlite3 *db, ir_document_kind_t kind, size_t count) {
    int code = SQLITE_OK;
    for (size_t i = 0; i < sizeof removals / sizeof removals[0]; i++) {
        for (size_t first = 0; code == SQLITE_OK && removals[i].kind == kind && first < count;
             first += ROWS) {
            code = remove_some(db, &removals[i], first);
        }
    }
    return code;
}

ir_status_t ir_sqlite_purge(void *context, ir_document_kind_t kind, const ir_id_t *ids,
                            size_t count, ir_error_t *error) {
    ir_sqlite_t *store = context;
    const ir_status_t status = ir_sqlite_attach(store, false, error);
    if (status != IR_OK) {
        return status;
    }
    int code = sqlite3_exec(store->db, begin_sql, NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        code = add_ids(store->db, ids, count);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    }
    if (code == SQLITE_OK && kind == IR_DOCUMENT_OBSERVATION) {
        code = sqlite3_exec(store->db, find_sql, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        code = remove_all(store->db, kind, count);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_exec(store->db, end_sql, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        return IR_OK;
    }
    const ir_status_t failed = ir_sqlite_failed(store, code, "cannot remove", error);
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return failed;
}
