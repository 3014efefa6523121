#include "store/documents/sqlite/sqlite.h"

#include "common/clock.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SCHEME "sqlite:"
#define CACHE_KIB "8192"
/* The log is copied into the database when it has this many pages. That is many more than SQLite's
 * default, so that a page that many batches change is copied only once. */
#define CHECKPOINT_PAGES 16000
#define CHECKPOINT_TIMEOUT_MS 1000

static const char *const prefixes[] = {SCHEME, NULL};

static const char connection_sql[] = "PRAGMA synchronous = FULL;"
                                     "PRAGMA cache_size = -" CACHE_KIB ";"
                                     "PRAGMA cache_spill = OFF;"
                                     "PRAGMA temp_store = FILE;";

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

/* SQLite calls this while another process has the lock; timeout_ms is how long to wait for it.
 * SQLite's own handler soon sleeps for 100 ms at a time. If another process writes one batch after
 * the other, it would find the lock free only by chance. This handler checks more often, so that it
 * finds the moment between two batches. */
static int wait_for_lock(void *timeout_ms, int tries) {
    const struct timespec moment = {.tv_nsec = IR_MILLISECOND_NS};
    if (tries >= *(const int *)timeout_ms) {
        return 0;
    }
    nanosleep(&moment, NULL);
    return 1;
}

/* SQLite calls this after each commit, with the log's length. SQLite's own checkpoint lets others
 * write meanwhile, so with several writers it never reaches the end of the log. The log then keeps
 * growing, and with it the cost of each look-up. This checkpoint blocks other writers, so that the
 * log starts again from its beginning. During a long read (a backup), the checkpoint gives up after
 * the time-out, and the log grows by the same number of pages before the next attempt. Nothing is
 * lost then. */
static int keep_log_short(void *context, sqlite3 *db, const char *name, int pages) {
    ir_sqlite_t *store = context;
    int timeout_ms = CHECKPOINT_TIMEOUT_MS;
    if (pages < store->kept_pages) {
        store->kept_pages = 0;
    }
    if (pages - store->kept_pages >= CHECKPOINT_PAGES) {
        sqlite3_busy_handler(db, wait_for_lock, &timeout_ms);
        const int code = sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
        sqlite3_busy_handler(db, wait_for_lock, &store->timeout_ms);
        store->kept_pages = code == SQLITE_OK ? 0 : pages;
    }
    return SQLITE_OK;
}

/* Finds out why the file cannot be made. SQLite reports only that it does not exist, because after
 * failing to create it, SQLite tries to open it for reading. */
static int reason_of_folder(const char *path) {
    char *copy = strdup(path);
    const int reason = copy != NULL && access(dirname(copy), W_OK) != 0 ? errno : ENOENT;
    free(copy);
    return reason;
}

static ir_status_t open_failed(ir_sqlite_t *store, int code, bool create, ir_error_t *error) {
    int reason = store->db != NULL ? sqlite3_system_errno(store->db) : 0;
    if (create && reason == ENOENT) {
        reason = reason_of_folder(store->path);
    }
    ir_status_t status = IR_ERR_IO;
    if (code == SQLITE_CANTOPEN && reason == ENOENT && !create) {
        status = ir_error_set(error, IR_ERR_NOT_FOUND,
                              "documents sqlite:%s: the file does not exist: run ir-store init",
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
    sqlite3_busy_handler(store->db, wait_for_lock, &store->timeout_ms);
    sqlite3_wal_hook(store->db, keep_log_short, store);
    store->kept_pages = 0;
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
    ir_status_t status = ir_sqlite_presence_spoilt(store, error);
    if (status == IR_OK) {
        status = open_database(store, create, error);
    }
    if (status == IR_OK && !create) {
        status = ir_sqlite_check_schema(store, error);
        if (status == IR_OK) {
            status = ir_sqlite_presence_note(store, error);
        }
        if (status != IR_OK) {
            ir_sqlite_detach(store);
        }
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
    ir_buffer_free(&store->text);
    free(store->path);
    free(store);
}

static ir_status_t sqlite_open(const ir_documents_options_t *options, void **made,
                               ir_error_t *error) {
    const char *path = options->uri + strlen(SCHEME);
    if (path[0] == '\0') {
        return ir_error_set(error, IR_ERR_USAGE,
                            "documents: '" SCHEME "' needs a path, as in sqlite:documents.sqlite");
    }
    ir_sqlite_t *store = calloc(1, sizeof *store);
    char *copy = store != NULL ? strdup(path) : NULL;
    if (copy == NULL) {
        free(store);
        return ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory");
    }
    const int64_t timeout_ms = options->timeout_ns / IR_MILLISECOND_NS;
    store->path = copy;
    store->earlier = options->earlier;
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

static ir_status_t sqlite_present(void *context, ir_error_t *error) {
    ir_sqlite_t *store = context;
    const ir_status_t status = ir_sqlite_attach(store, false, error);
    return status == IR_OK ? ir_sqlite_presence_check(store, error) : status;
}

static void sqlite_forget(void *store) {
    ir_sqlite_t *sqlite = store;
    ir_sqlite_places_reset(&sqlite->places);
}

const ir_documents_backend_t ir_documents_sqlite = {
    .scheme = {SCHEME "PATH", prefixes},
    .open = sqlite_open,
    .close = sqlite_close,
    .init = sqlite_init,
    .ready = sqlite_ready,
    .present = sqlite_present,
    .forget = sqlite_forget,
    .put = ir_sqlite_put,
    .arrivals = ir_sqlite_arrivals,
    .recent = ir_sqlite_recent,
    .count = ir_sqlite_count,
    .purge = ir_sqlite_purge,
    .save = ir_sqlite_save,
    .load = ir_sqlite_load,
    .each = ir_sqlite_each,
    .each_raw = ir_sqlite_each_raw,
    .each_outcome = ir_sqlite_each_outcome,
    .drop = ir_sqlite_drop,
    .each_sensor = ir_sqlite_each_sensor,
    .each_observation = ir_sqlite_each_observation,
    .each_revision = ir_sqlite_each_revision,
    .each_selected = ir_sqlite_each_selected,
    .last = ir_sqlite_last,
    .revisions_from = ir_sqlite_revisions_from,
};
