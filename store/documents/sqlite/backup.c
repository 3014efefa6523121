/* The backup is a complete database without a separate log. */
#include "store/backup/file.h"
#include "store/backup/tree.h"
#include "store/documents/sqlite/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "documents.sqlite"

/* ---- saving ---- */

/* The copy needs no journal, because it is made durable as a whole. */
static const char target_sql[] = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF";

/* Copies in one read transaction, which does not block writing workers. */
static int copy_pages(sqlite3 *from, sqlite3 *to) {
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    if (copy == NULL) {
        return sqlite3_extended_errcode(to);
    }
    sqlite3_backup_step(copy, -1);
    return sqlite3_backup_finish(copy);
}

/* Returns "ok", or the first fault. For this check SQLite may create a log, which it removes on
 * close. */
static ir_status_t check_copy(sqlite3 *copy, const char *path, ir_error_t *error) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(copy, "PRAGMA quick_check(1)", -1, &statement, NULL);
    code = code == SQLITE_OK ? sqlite3_step(statement) : code;
    const char *says =
        code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : sqlite3_errmsg(copy);
    const bool good = code == SQLITE_ROW && says != NULL && strcmp(says, "ok") == 0;
    if (!good) {
        ir_error_set(error, IR_ERR_IO,
                     "%s: the copy is damaged, and so is the database: %s; restore an earlier "
                     "backup, or save what is left with sqlite3's .recover",
                     path, says != NULL ? says : "out of memory");
    }
    sqlite3_finalize(statement);
    return good ? IR_OK : IR_ERR_IO;
}

static ir_status_t copy_failed(sqlite3 *copy, const char *path, int code, ir_error_t *error) {
    const int reason = copy != NULL ? sqlite3_system_errno(copy) : 0;
    if ((code & 0xff) == SQLITE_FULL || reason == ENOSPC || reason == EDQUOT) {
        return ir_backup_failed("write", path, reason != 0 ? reason : ENOSPC, error);
    }
    return ir_error_set(error, IR_ERR_IO, "cannot copy the database to %s: %s%s%s", path,
                        sqlite3_errstr(code), reason != 0 ? ", " : "",
                        reason != 0 ? strerror(reason) : "");
}

static ir_status_t copy_database(ir_sqlite_t *store, const char *path, ir_error_t *error) {
    sqlite3 *copy = NULL;
    int code = sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(copy, target_sql, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) {
        code = copy_pages(store->db, copy);
    }
    ir_status_t status =
        code == SQLITE_OK ? check_copy(copy, path, error) : copy_failed(copy, path, code, error);
    if (sqlite3_close(copy) != SQLITE_OK && status == IR_OK) {
        status = ir_error_set(error, IR_ERR_IO, "cannot close %s", path);
    }
    return status;
}

static ir_status_t make_durable(const char *path, ir_error_t *error) {
    FILE *file = fopen(path, "r+e");
    if (file == NULL) {
        return ir_backup_failed("write", path, errno, error);
    }
    const int code = fsync(fileno(file)) == 0 ? 0 : errno;
    fclose(file);
    return code == 0 ? IR_OK : ir_backup_failed("write", path, code, error);
}

ir_status_t ir_sqlite_save(void *context, const char *folder, ir_error_t *error) {
    ir_sqlite_t *store = context;
    char path[PATH_MAX];
    ir_status_t status = ir_sqlite_attach(store, false, error);
    if (status == IR_OK) {
        status = ir_backup_path(folder, NAME, path, error);
    }
    if (status == IR_OK) {
        status = copy_database(store, path, error);
    }
    return status == IR_OK ? make_durable(path, error) : status;
}

/* ---- loading ---- */

/* SQLite would take an old log for that of the new database. The log's last batches may be useful,
 * so it is kept under another name. */
static ir_status_t move_log(const char *path, const char *ending, ir_error_t *error) {
    char from[PATH_MAX];
    char to[PATH_MAX];
    if (snprintf(from, sizeof from, "%s%s", path, ending) >= (int)sizeof from ||
        snprintf(to, sizeof to, "%s.lost%s", path, ending) >= (int)sizeof to) {
        return ir_error_set(error, IR_ERR_USAGE, "the path %s is too long", path);
    }
    return rename(from, to) == 0 || errno == ENOENT ? IR_OK
                                                    : ir_backup_failed("move", from, errno, error);
}

/* Writes the database beside its place, then moves it there. No file may be there, because
 * rename(2) would replace it. */
static ir_status_t place_copy(const char *from, const char *path, ir_error_t *error) {
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.restoring", path) >= (int)sizeof beside) {
        return ir_error_set(error, IR_ERR_USAGE, "the path %s is too long", path);
    }
    unlink(beside);
    ir_status_t status = ir_backup_copy(from, beside, error);
    if (status == IR_OK) {
        status = move_log(path, "-wal", error);
    }
    if (status == IR_OK) {
        status = move_log(path, "-shm", error);
    }
    if (status == IR_OK && link(beside, path) != 0) {
        status = ir_backup_failed("create", path, errno, error);
    }
    unlink(beside);
    return status;
}

ir_status_t ir_sqlite_load(void *context, const char *folder, ir_error_t *error) {
    ir_sqlite_t *store = context;
    char from[PATH_MAX];
    struct stat facts;
    ir_status_t status = ir_backup_path(folder, NAME, from, error);
    if (status == IR_OK && access(from, R_OK) != 0) {
        status = ir_backup_failed("read", from, errno, error);
    }
    if (status != IR_OK) {
        return status;
    }
    ir_sqlite_detach(store);
    if (stat(store->path, &facts) == 0 || errno != ENOENT) {
        return ir_error_set(error, IR_ERR_STATE,
                            "documents sqlite:%s: the file exists; stop the workers and move it "
                            "away, with its -wal and -shm, or restore to another path; if a "
                            "restore was interrupted, continue with --store=graph",
                            store->path);
    }
    return place_copy(from, store->path, error);
}
