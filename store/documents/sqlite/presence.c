/* Checks that the open database is still the one at its path. It consists of three files, and each
 * can vanish:
 *
 * The database may be removed, moved, replaced, or overwritten in place; the stored data were in
 * that file. Another database lacks the mark, which is one row. An older copy of this database is
 * shorter. Both are checked in the file after it has changed.
 *
 * The log stays open here, so its content can still be copied into the database.
 *
 * The index only says where pages are in the log, but writers also use it to take turns. */
#include "common/messages.h"
#include "store/documents/sqlite/sqlite.h"

#include "common/clock.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PAGE_MAX 65536

static const char mark_sql[] = "CREATE TABLE IF NOT EXISTS origin (mark BLOB NOT NULL)";

/* ---- the mark ---- */

ir_status_t ir_sqlite_mark(ir_sqlite_t *store, ir_error_t *error) {
    int code = sqlite3_exec(store->db, mark_sql, NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(store->db,
                            "INSERT INTO origin SELECT randomblob(16) WHERE NOT EXISTS "
                            "(SELECT 1 FROM origin)",
                            NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        return ir_sqlite_failed(store, code, "cannot set up", error);
    }
    /* Searches the mark in the file itself. If another process is reading now, only a later
     * checkpoint copies the mark there. */
    sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_FULL, NULL, NULL);
    return IR_OK;
}

static bool read_numbers(ir_sqlite_t *store, ir_sqlite_presence_t *presence) {
    sqlite3_stmt *statement = NULL;
    bool found = false;
    if (sqlite3_prepare_v2(store->db,
                           "SELECT o.mark, s.rootpage, p.page_size FROM origin o, sqlite_schema s, "
                           "pragma_page_size p WHERE s.name = 'origin'",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW &&
        sqlite3_column_bytes(statement, 0) == IR_MARK_SIZE) {
        presence->page_size = sqlite3_column_int(statement, 2);
        presence->page_at = (sqlite3_column_int64(statement, 1) - 1) * presence->page_size;
        memcpy(presence->mark, sqlite3_column_blob(statement, 0), IR_MARK_SIZE);
        found = presence->page_size > 0 && presence->page_size <= PAGE_MAX;
    }
    sqlite3_finalize(statement);
    return found;
}

/* Reads the file itself, not SQLite's cache and log. Uses SQLite's own descriptor, because closing
 * another one would release SQLite's locks. */
static bool read_file(const ir_sqlite_t *store, void *out, int size, int64_t at) {
    sqlite3_file *file = NULL;
    return sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK &&
           file->pMethods != NULL && file->pMethods->xRead(file, out, size, at) == SQLITE_OK;
}

static bool find_mark(const ir_sqlite_t *store, const ir_sqlite_presence_t *presence) {
    char page[PAGE_MAX];
    return read_file(store, page, presence->page_size, presence->page_at) &&
           memmem(page, (size_t)presence->page_size, presence->mark, IR_MARK_SIZE) != NULL;
}

/* After VACUUM the mark is elsewhere. */
static bool find_mark_again(ir_sqlite_t *store, ir_sqlite_presence_t *presence) {
    ir_sqlite_presence_t again = *presence;
    sqlite3_db_release_memory(store->db); /* drops its cached pages */
    if (!read_numbers(store, &again) || memcmp(again.mark, presence->mark, IR_MARK_SIZE) != 0) {
        return false;
    }
    *presence = again;
    presence->marked = find_mark(store, presence); /* while its page is still in the log, the file
                                                    * does not contain the mark */
    return true;
}

/* The head of the file (SQLite's file format, 1.3; big-endian). */
typedef struct head {
    int64_t bytes;   /* page size (at 16) times number of pages (at 28) */
    uint32_t cookie; /* schema cookie (at 40): VACUUM increases it */
    bool shrinks;    /* auto-vacuum (at 52): whether SQLite shrinks the file by itself */
} head_t;

static uint32_t read_word(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool read_head(const ir_sqlite_t *store, head_t *head) {
    uint8_t raw[100];
    if (!read_file(store, raw, sizeof raw, 0)) {
        return false;
    }
    const int64_t page_size = raw[16] << 8 | raw[17];
    head->bytes = (int64_t)read_word(raw + 28) * (page_size == 1 ? PAGE_MAX : page_size);
    head->cookie = read_word(raw + 40);
    head->shrinks = read_word(raw + 52) != 0;
    return true;
}

/* A file has become shorter, and not by VACUUM: it was truncated, or replaced by an older copy. */
static bool is_shorter(const ir_sqlite_presence_t *presence, const head_t *head, off_t size) {
    return size < presence->size &&
           (head->bytes > size || (head->cookie == presence->cookie && !head->shrinks));
}

/* ---- noting ---- */

static void path_beside(const ir_sqlite_t *store, const char *ending, char path[static PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s%s", store->path, ending);
}

ir_status_t ir_sqlite_presence_note(ir_sqlite_t *store, ir_error_t *error) {
    ir_sqlite_presence_t *presence = &store->presence;
    char path[PATH_MAX];
    int moved = 0;
    struct stat facts = {0};
    *presence = (ir_sqlite_presence_t){.since_ns = ir_clock_now()};
    if (!ir_presence_note(&presence->database, store->path) ||
        ir_presence_missing(&presence->database, store->path, &facts) != NULL ||
        sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
        moved != 0) {
        return ir_error_set(error, IR_ERR_IO,
                            "documents sqlite:%s: the file was replaced while it was opened",
                            store->path);
    }
    path_beside(store, "-wal", path);
    ir_presence_note(&presence->log, path);
    path_beside(store, "-shm", path);
    ir_presence_note(&presence->index, path);
    presence->size = facts.st_size;
    presence->changed = facts.st_ctim;
    presence->marked = read_numbers(store, presence) && find_mark(store, presence);
    head_t head = {0};
    presence->cookie = read_head(store, &head) ? head.cookie : 0;
    return IR_OK;
}

/* ---- asking ---- */

static ir_status_t vanished(ir_sqlite_t *store, const char *what, const char *advice,
                            ir_error_t *error) {
    char since[IR_TIME_SIZE];
    const ir_sqlite_presence_t *presence = &store->presence;
    const size_t size = ir_clock_format(presence->since_ns, since);
    return ir_error_set(error, IR_ERR_VANISHED, IR_TEXT_DATABASE_VANISHED, store->path, what,
                        presence->stored, (int)size, since, advice);
}

/* Copies the log into the database, wherever its file is now, and empties the log. Otherwise SQLite
 * would apply the log to the next file at the path. Returns false if another process is reading, or
 * if the disk fails. */
static bool copy_log(ir_sqlite_t *store) {
    int in_log = 0;
    int copied = 0;
    if (sqlite3_get_autocommit(store->db) == 0) {
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_TRUNCATE, &in_log,
                                     &copied) == SQLITE_OK &&
           in_log == copied;
}

/* The database at the path has other content. SQLite must not apply this log to it, neither now nor
 * when it is opened again. */
static ir_status_t written_over(ir_sqlite_t *store, ir_error_t *error) {
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    const ir_status_t status =
        vanished(store, "was written over or cut off",
                 "stop the workers, remove the file with its -wal and -shm, put the right one back "
                 "or run ir-store init",
                 error);
    store->spoilt = store->presence.database;
    ir_sqlite_detach(store);
    return status;
}

static ir_status_t database_missing(ir_sqlite_t *store, const char *what, ir_error_t *error) {
    if (!copy_log(store)) {
        ir_presence_note(&store->spoilt, store->path);
    }
    const ir_status_t status = vanished(
        store, what, "put it back, or run ir-store init to continue with a new one", error);
    ir_sqlite_detach(store);
    return status;
}

static ir_status_t log_missing(ir_sqlite_t *store, const char *what, ir_error_t *error) {
    ir_status_t status = IR_OK;
    if (copy_log(store)) {
        status = ir_error_set(error, IR_ERR_IO, IR_TEXT_LOG_VANISHED, store->path, what);
    } else {
        status = vanished(store, "lost its -wal or -shm", "leave them where they are", error);
    }
    ir_sqlite_detach(store);
    return status;
}

/* Reads the file only when it has changed: after checkpoints, and when another process writes to
 * it. */
static bool has_other_content(ir_sqlite_t *store, const struct stat *facts) {
    ir_sqlite_presence_t *presence = &store->presence;
    if (presence->changed.tv_sec == facts->st_ctim.tv_sec &&
        presence->changed.tv_nsec == facts->st_ctim.tv_nsec) {
        return false;
    }
    head_t head;
    if (!read_head(store, &head) || is_shorter(presence, &head, facts->st_size)) {
        return true;
    }
    presence->cookie = head.cookie;
    presence->size = facts->st_size;
    presence->changed = facts->st_ctim;
    return presence->marked && !find_mark(store, presence) && !find_mark_again(store, presence);
}

ir_status_t ir_sqlite_presence_check(ir_sqlite_t *store, ir_error_t *error) {
    ir_sqlite_presence_t *presence = &store->presence;
    char path[PATH_MAX];
    struct stat facts;
    const char *missing = ir_presence_missing(&presence->database, store->path, &facts);
    if (missing != NULL) {
        return database_missing(store, missing, error);
    }
    if (has_other_content(store, &facts)) {
        return written_over(store, error);
    }
    path_beside(store, "-wal", path);
    missing = ir_presence_missing(&presence->log, path, NULL);
    if (missing == NULL) {
        path_beside(store, "-shm", path);
        missing = ir_presence_missing(&presence->index, path, NULL);
    }
    return missing == NULL ? IR_OK : log_missing(store, missing, error);
}

ir_status_t ir_sqlite_presence_spoilt(ir_sqlite_t *store, ir_error_t *error) {
    char path[PATH_MAX];
    struct stat facts;
    path_beside(store, "-wal", path);
    if (!store->spoilt.known || ir_presence_missing(&store->spoilt, store->path, NULL) != NULL ||
        stat(path, &facts) != 0 || facts.st_size == 0) {
        store->spoilt.known = false;
        return IR_OK;
    }
    return ir_error_set(error, IR_ERR_PROTOCOL, IR_TEXT_DATABASE_SPOILT, store->path);
}
