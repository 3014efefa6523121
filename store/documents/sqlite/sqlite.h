/* The SQLite document store, as shared by its own files. One database file in WAL mode. Several
 * processes may have it open; each batch is one transaction.
 *
 * Tables (schema version IR_SQLITE_SCHEMA in PRAGMA user_version):
 *
 * - raw: one row per message, with its first outcome (status, refusals) and, if they exist, the
 *   sender's name for it and when it was sent
 * - outcomes: later outcomes of a message that differ from the previous one
 * - sensors: what is known about a sensor. A different description of the same name is another row
 *   with the same `series`
 * - observations: keyed by (series, time_ns, id). The id follows from name, time and value, so this
 *   key is as unique as the id. New rows are placed next to the last ones of their series, and the
 *   same tree yields a series' recent points
 * - revisions: one row per revision; `supersedes` is the verdict that it replaces, if any
 *
 * Views: newest_outcomes has the last outcome of every message; newest_flags has the flags that
 * revisions give to observations (newest.h); newest_observations has the observations with them;
 * readable and readable_raw are for people. */
#ifndef IR_STORE_DOCUMENTS_SQLITE_SQLITE_H
#define IR_STORE_DOCUMENTS_SQLITE_SQLITE_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/name_table.h"
#include "store/documents/backend.h"
#include "store/presence.h"

#include <sqlite3.h>

/* Counts the changes of the tables. Each quality test has a column, so a new test is a change, too;
 * for any other change, increase IR_SQLITE_LAYOUT. Version 1 had ids of an older format (UUID
 * version 5). */
#define IR_SQLITE_LAYOUT 2 /* with the first five tests */
#define IR_SQLITE_SCHEMA (IR_SQLITE_LAYOUT + (int)IR_TEST_COUNT - 5)
#define IR_SQLITE_APPLICATION 0x49526976 /* "IRiv" in PRAGMA application_id */

/* The columns of the quality tests' flags, for a list that has begun: ", o.gross_range, …". */
#define IR_SQLITE_FLAG_OF_O(symbol, key, words, flag) ", o." key
#define IR_SQLITE_FLAGS_OF_O IR_QUALITY_TESTS(IR_SQLITE_FLAG_OF_O)

/* Statements that are prepared once and then kept. */
typedef enum ir_sqlite_sql {
    IR_SQL_BEGIN,
    IR_SQL_COMMIT,
    IR_SQL_ROLLBACK,
    IR_SQL_PUT_RAW,
    IR_SQL_PUT_OUTCOME,
    IR_SQL_DROP,
    IR_SQL_PUT_OBSERVATION,
    IR_SQL_PUT_REVISION,
    IR_SQL_FIND_SENSOR,
    IR_SQL_PUT_SENSOR,
    IR_SQL_ARRIVAL,
    IR_SQL_RECENT,
    IR_SQL_COUNT
} ir_sqlite_sql_t;

/* The keys of a sensor's rows. */
typedef struct ir_sqlite_place {
    int64_t sensor, series;
} ir_sqlite_place_t;

/* The places of a registry's sensors. Their names are valid while the reference to the registry is
 * held. All zero: empty. */
typedef struct ir_sqlite_places {
    ir_registry_t *registry;
    ir_name_table_t by_name; /* maps a name to an ir_sqlite_place_t in the arena */
    ir_arena_t *arena;
} ir_sqlite_places_t;

#define IR_MARK_SIZE 16

/* The identity of the open files when they were opened (presence.c). */
typedef struct ir_sqlite_presence {
    ir_file_presence_t database, log, index;
    off_t size;              /* size of the database */
    struct timespec changed; /* the file's change time when it was last examined */
    uint32_t cookie;         /* SQLite's schema cookie at that time */
    bool marked;             /* the file contains this mark, on this page */
    uint8_t mark[IR_MARK_SIZE];
    int64_t page_at;
    int page_size;
    uint64_t stored; /* number of messages stored */
    int64_t since_ns;
} ir_sqlite_presence_t;

typedef struct ir_sqlite {
    char *path;
    bool earlier; /* schema version 1, which can only be read */
    int timeout_ms;
    sqlite3 *db;    /* NULL: not open, because it was not needed yet or has failed */
    int kept_pages; /* length of the log when it could not be restarted */
    sqlite3_stmt *statements[IR_SQL_COUNT];
    ir_sqlite_places_t places;
    ir_buffer_t text; /* scratch */
    ir_sqlite_presence_t presence;
    ir_file_presence_t spoilt; /* another file at the path; the log does not belong to it */
} ir_sqlite_t;

/* Makes the views, replacing earlier ones (views.c). */
extern const char ir_sqlite_views_sql[];

/* Opens the database unless it is open. `create` makes the file; otherwise it must be set up
 * already. */
ir_status_t ir_sqlite_attach(ir_sqlite_t *store, bool create, ir_error_t *error);
void ir_sqlite_detach(ir_sqlite_t *store);
ir_status_t ir_sqlite_init(ir_sqlite_t *store, ir_error_t *error);

/* Identifies the open file: set up by this program (OK), empty (NOT_FOUND), or something else
 * (PROTOCOL). */
ir_status_t ir_sqlite_check_schema(ir_sqlite_t *store, ir_error_t *error);

/* Writes a unique mark into the open database, once. */
ir_status_t ir_sqlite_mark(ir_sqlite_t *store, ir_error_t *error);

/* Records which files are open. */
ir_status_t ir_sqlite_presence_note(ir_sqlite_t *store, ir_error_t *error);

/* Whether they are still the files at the path. IR_ERR_VANISHED: stored data is no longer there.
 * IR_ERR_IO: stored data is there, but the files must be opened again. After either error the
 * database is detached. */
ir_status_t ir_sqlite_presence_check(ir_sqlite_t *store, ir_error_t *error);

/* IR_ERR_PROTOCOL when opening the file would apply another file's log to it. */
ir_status_t ir_sqlite_presence_spoilt(ir_sqlite_t *store, ir_error_t *error);

/* Converts the last call's `code` to a status and an error; `what` describes what failed. Detaches
 * after errors that only reopening can cure. */
ir_status_t ir_sqlite_failed(ir_sqlite_t *store, int code, const char *what, ir_error_t *error);

/* NULL when it cannot be prepared; see sqlite3_errcode. */
sqlite3_stmt *ir_sqlite_statement(ir_sqlite_t *store, ir_sqlite_sql_t sql);

/* Runs a statement without parameters and results. Returns an SQLite code. */
int ir_sqlite_run(ir_sqlite_t *store, ir_sqlite_sql_t sql);

/* Binds parameters in order; `code` keeps the first error. */
typedef struct ir_sqlite_binder {
    sqlite3_stmt *statement;
    int next;
    int code;
} ir_sqlite_binder_t;
void ir_sqlite_bind_id(ir_sqlite_binder_t *binder, const ir_id_t *id);
void ir_sqlite_bind_int(ir_sqlite_binder_t *binder, int64_t value);
void ir_sqlite_bind_text(ir_sqlite_binder_t *binder, ir_view_t text);
void ir_sqlite_bind_blob(ir_sqlite_binder_t *binder, ir_view_t bytes);
void ir_sqlite_bind_double(ir_sqlite_binder_t *binder, double value);
void ir_sqlite_bind_null(ir_sqlite_binder_t *binder);
/* Binds a number as REAL, text as TEXT, data as BLOB, a boolean as INTEGER 0 or 1, no value as
 * NULL. */
void ir_sqlite_bind_value(ir_sqlite_binder_t *binder, const ir_value_t *value);

/* Runs a query once and calls `each` for every row. `bind` (or NULL) sets its parameters. */
typedef void (*ir_sqlite_bind_fn)(void *context, ir_sqlite_binder_t *binder);
typedef ir_status_t (*ir_sqlite_row_fn)(void *context, sqlite3_stmt *row);
ir_status_t ir_sqlite_walk(ir_sqlite_t *store, const char *sql, ir_sqlite_bind_fn bind,
                           ir_sqlite_row_fn each, void *context, ir_error_t *error);

/* Pointers into a row are valid until the next step. An id of a wrong size is read as all zeros. */
void ir_sqlite_read_id(sqlite3_stmt *row, int column, ir_id_t *id);
ir_view_t ir_sqlite_read_bytes(sqlite3_stmt *row, int column);

/* The place of a sensor; makes a new one. Call within a transaction. Returns an SQLite code. */
int ir_sqlite_place(ir_sqlite_t *store, ir_registry_t *registry, const ir_sensor_t *sensor,
                    ir_sqlite_place_t *place);
/* Forgets all places: after a rollback their rows may be gone. */
void ir_sqlite_places_reset(ir_sqlite_places_t *places);

ir_outcome_t ir_sqlite_put(void *context, ir_batch_t *batch, ir_error_t *error);
ir_outcome_t ir_sqlite_arrivals(void *context, ir_raw_arrival_t *arrivals, size_t count,
                                ir_error_t *error);
ir_outcome_t ir_sqlite_recent(void *context, const ir_sensor_t *sensor, int64_t before_ns,
                              size_t limit, ir_point_t *points, size_t *count, ir_error_t *error);
ir_status_t ir_sqlite_count(void *store, ir_documents_counts_t *counts, ir_error_t *error);
/* purge.c */
ir_status_t ir_sqlite_purge(void *context, ir_document_kind_t kind, const ir_id_t *ids,
                            size_t count, ir_error_t *error);
/* backup.c */
ir_status_t ir_sqlite_save(void *context, const char *folder, ir_error_t *error);
ir_status_t ir_sqlite_load(void *context, const char *folder, ir_error_t *error);
ir_status_t ir_sqlite_each(void *store, ir_document_kind_t kind, ir_each_document_fn each,
                           void *context, ir_error_t *error);
ir_status_t ir_sqlite_each_raw(void *context, const ir_raw_selection_t *selection,
                               ir_each_raw_fn each, void *each_context, ir_error_t *error);
ir_status_t ir_sqlite_each_outcome(void *store, const ir_id_t *raw_id, ir_each_outcome_fn each,
                                   void *context, ir_error_t *error);
ir_status_t ir_sqlite_drop(void *context, const ir_raw_document_t *raw, ir_error_t *error);
ir_status_t ir_sqlite_each_sensor(void *store, ir_each_sensor_fn each, void *context,
                                  ir_error_t *error);
ir_status_t ir_sqlite_each_observation(void *store, const char *mote, const char *sensor,
                                       int64_t from_ns, int64_t to_ns, ir_each_observation_fn each,
                                       void *context, ir_error_t *error);
ir_status_t ir_sqlite_each_revision(void *store, const char *sensor, int64_t from_ns, int64_t to_ns,
                                    ir_each_revision_fn each, void *context, ir_error_t *error);
ir_status_t ir_sqlite_each_selected(void *store, const ir_observation_selection_t *selection,
                                    ir_each_observation_fn each, void *context, ir_error_t *error);
ir_status_t ir_sqlite_last(void *store, const char *mote, const char *sensor,
                           ir_each_observation_fn each, void *context, ir_error_t *error);
ir_status_t ir_sqlite_revisions_from(void *store, const ir_id_t *least, size_t limit,
                                     ir_each_revision_fn each, void *context, ir_error_t *error);

#endif
