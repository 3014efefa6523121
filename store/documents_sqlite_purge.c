#include "store/documents_sqlite.h"

/* Observations are not found by their id, so all ids are a table for one pass over the others. */
static const char begin_sql[] = "BEGIN IMMEDIATE; CREATE TEMP TABLE purged (id BLOB PRIMARY KEY)";
static const char add_sql[] = "INSERT INTO purged VALUES (?)";
#define OF(table, column) "DELETE FROM " table " WHERE " column " IN (SELECT id FROM purged);"
#define END "DROP TABLE purged; COMMIT"

static const char *const removals[] = {
    [IR_DOCUMENT_RAW] = OF("outcomes", "raw") OF("raw", "id") END,
    [IR_DOCUMENT_OBSERVATION] = OF("observations", "id") END,
    [IR_DOCUMENT_REVISION] = OF("revisions", "id") END,
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
        code = sqlite3_exec(store->db, removals[kind], NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        return IR_OK;
    }
    const ir_status_t failed = ir_sqlite_failed(store, code, "cannot remove", error);
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return failed;
}
