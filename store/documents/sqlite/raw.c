#include "store/documents/sqlite/sqlite.h"

#include "common/clock.h"

#include <stdlib.h>

#include <jansson.h>

/* Each page is a separate query. A single long query would keep SQLite from emptying a writer's
 * log. */
#define PAGE_ROWS 256
#define PAGE_ROWS_TEXT "256"

/* ---- refusals ---- */

/* Parses the JSON that put.c wrote. The views are valid as long as `json`. Returns false when
 * memory is exhausted. */
static bool read_refusals(sqlite3_stmt *row, int column, json_t **json, ir_refusal_list_t *list) {
    const ir_view_t text = ir_sqlite_read_bytes(row, column);
    *json = text.size > 0 ? json_loadb(text.data, text.size, 0, NULL) : NULL;
    const json_t *refusal = NULL;
    size_t i = 0;
    bool good = true;
    list->count = 0;
    json_array_foreach(*json, i, refusal) {
        const ir_stored_refusal_t one = {
            .reason = ir_view_text(json_string_value(json_object_get(refusal, "reason"))),
            .detail = ir_view_text(json_string_value(json_object_get(refusal, "detail"))),
            .records = ir_view_text(json_string_value(json_object_get(refusal, "records"))),
            .record = (int)json_integer_value(json_object_get(refusal, "record"))};
        good = good && ir_refusal_list_add(list, one);
    }
    return good;
}

static ir_status_t no_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory for one message");
}

/* ---- raw messages ---- */

enum {
    RAW_ROW,
    RAW_ID,
    RAW_MOTE,
    RAW_ROUTING_KEY,
    RAW_CONTENT_TYPE,
    RAW_BODY,
    RAW_RECEIVED,
    RAW_NAME,
    RAW_SENT,
    RAW_FIRST,
    RAW_STATUS,
    RAW_REFUSALS
};

#define RAW_SQL                                                                                    \
    "SELECT r.rowid, r.id, r.mote, r.routing_key, r.content_type, r.body, r.received_ns, r.name,"  \
    " r.sent_ns, r.status, coalesce(o.status, r.status) AS newest,"                                \
    " CASE WHEN o.number IS NULL THEN r.refusals ELSE o.refusals END"                              \
    " FROM raw r LEFT JOIN outcomes o"                                                             \
    " ON o.number = (SELECT max(number) FROM outcomes WHERE raw = r.id)"

/* The query for schema version 1. */
#define EARLIER_SQL                                                                                \
    "SELECT r.rowid, r.id, r.mote, r.routing_key, r.content_type, r.body, r.received_ns, NULL,"    \
    " NULL, r.status, r.status AS newest, r.refusals FROM raw r"

#define REFUSED_SQL "newest IN ('rejected', 'partly'))"
#define ID_SQL " WHERE r.id = ? AND (? = 0 OR " REFUSED_SQL

#define PAGE_SQL                                                                                   \
    " WHERE r.rowid > ? AND (?2 IS NULL OR r.mote = ?2) AND r.received_ns >= ?"                    \
    " AND r.received_ns < ? AND (? = 0 OR " REFUSED_SQL " ORDER BY r.rowid LIMIT " PAGE_ROWS_TEXT

typedef struct ir_sqlite_raw_walk {
    const ir_raw_selection_t *selection;
    ir_each_raw_fn each;
    void *context;
    ir_refusal_list_t refusals;
    int64_t row; /* the last row seen */
    int rows;    /* number of rows in this page so far */
    ir_error_t *error;
} ir_sqlite_raw_walk_t;

static ir_status_t visit_raw(void *context, sqlite3_stmt *row) {
    ir_sqlite_raw_walk_t *raws = context;
    json_t *json = NULL;
    raws->row = sqlite3_column_int64(row, RAW_ROW);
    raws->rows++;
    if (!read_refusals(row, RAW_REFUSALS, &json, &raws->refusals)) {
        json_decref(json);
        return no_memory(raws->error);
    }
    ir_raw_document_t raw = {
        .mote = ir_sqlite_read_bytes(row, RAW_MOTE),
        .key_text = ir_sqlite_read_bytes(row, RAW_ROUTING_KEY),
        .type_text = ir_sqlite_read_bytes(row, RAW_CONTENT_TYPE),
        .body = ir_sqlite_read_bytes(row, RAW_BODY),
        .name = ir_sqlite_read_bytes(row, RAW_NAME),
        .clock = {.arrival_ns = sqlite3_column_int64(row, RAW_RECEIVED),
                  .sent_ns = sqlite3_column_int64(row, RAW_SENT)},
        .status = ir_sqlite_read_bytes(row, RAW_STATUS),
        .first_status = ir_sqlite_read_bytes(row, RAW_FIRST),
        .refusals = raws->refusals.refusals,
        .n_refusals = raws->refusals.count,
    };
    ir_sqlite_read_id(row, RAW_ID, &raw.id);
    const ir_status_t status = raws->each(raws->context, &raw);
    json_decref(json);
    return status;
}

static void bind_id(void *context, ir_sqlite_binder_t *binder) {
    const ir_sqlite_raw_walk_t *raws = context;
    ir_sqlite_bind_id(binder, raws->selection->id);
    ir_sqlite_bind_int(binder, raws->selection->refused);
}

static void bind_page(void *context, ir_sqlite_binder_t *binder) {
    const ir_sqlite_raw_walk_t *raws = context;
    const ir_raw_selection_t *selection = raws->selection;
    ir_sqlite_bind_int(binder, raws->row);
    if (selection->mote != NULL) {
        ir_sqlite_bind_text(binder, ir_view_text(selection->mote));
    } else {
        ir_sqlite_bind_null(binder);
    }
    ir_sqlite_bind_int(binder, selection->since_ns != 0 ? selection->since_ns : INT64_MIN);
    ir_sqlite_bind_int(binder, selection->until_ns != 0 ? selection->until_ns : INT64_MAX);
    ir_sqlite_bind_int(binder, selection->refused);
}

ir_status_t ir_sqlite_each_raw(void *context, const ir_raw_selection_t *selection,
                               ir_each_raw_fn each, void *each_context, ir_error_t *error) {
    static const ir_raw_selection_t everything = {.id = NULL};
    ir_sqlite_t *store = context;
    ir_sqlite_raw_walk_t raws = {.selection = selection != NULL ? selection : &everything,
                                 .each = each,
                                 .context = each_context,
                                 .row = INT64_MIN,
                                 .error = error};
    ir_status_t status = IR_OK;
    if (raws.selection->id != NULL) {
        status = ir_sqlite_walk(store, store->earlier ? EARLIER_SQL ID_SQL : RAW_SQL ID_SQL,
                                bind_id, visit_raw, &raws, error);
    } else {
        do {
            raws.rows = 0;
            status = ir_sqlite_walk(store, store->earlier ? EARLIER_SQL PAGE_SQL : RAW_SQL PAGE_SQL,
                                    bind_page, visit_raw, &raws, error);
        } while (status == IR_OK && raws.rows == PAGE_ROWS);
    }
    free(raws.refusals.refusals);
    return status;
}

/* ---- outcomes ---- */

typedef struct ir_sqlite_outcome_walk {
    const ir_id_t *raw_id;
    ir_each_outcome_fn each;
    void *context;
    ir_refusal_list_t refusals;
    ir_error_t *error;
} ir_sqlite_outcome_walk_t;

static ir_status_t visit_outcome(void *context, sqlite3_stmt *row) {
    ir_sqlite_outcome_walk_t *outcomes = context;
    json_t *json = NULL;
    if (!read_refusals(row, 2, &json, &outcomes->refusals)) {
        json_decref(json);
        return no_memory(outcomes->error);
    }
    const ir_raw_outcome_t outcome = {.at_ns = sqlite3_column_int64(row, 0),
                                      .status = ir_sqlite_read_bytes(row, 1),
                                      .refusals = outcomes->refusals.refusals,
                                      .n_refusals = outcomes->refusals.count};
    const ir_status_t status = outcomes->each(outcomes->context, &outcome);
    json_decref(json);
    return status;
}

static void bind_raw_id(void *context, ir_sqlite_binder_t *binder) {
    const ir_sqlite_outcome_walk_t *outcomes = context;
    ir_sqlite_bind_id(binder, outcomes->raw_id);
}

ir_status_t ir_sqlite_each_outcome(void *store, const ir_id_t *raw_id, ir_each_outcome_fn each,
                                   void *context, ir_error_t *error) {
    ir_sqlite_outcome_walk_t outcomes = {
        .raw_id = raw_id, .each = each, .context = context, .error = error};
    const ir_status_t status = ir_sqlite_walk(
        store,
        "SELECT at, status, refusals FROM (SELECT 0 AS number, received_ns AS at, status, refusals"
        " FROM raw WHERE id = ?1 UNION ALL SELECT number, at_ns, status, refusals FROM outcomes"
        " WHERE raw = ?1) ORDER BY number",
        bind_raw_id, visit_outcome, &outcomes, error);
    free(outcomes.refusals.refusals);
    return status;
}

ir_status_t ir_sqlite_drop(void *context, const ir_raw_document_t *raw, ir_error_t *error) {
    ir_sqlite_t *store = context;
    const ir_status_t status = ir_sqlite_attach(store, false, error);
    if (status != IR_OK) {
        return status;
    }
    ir_sqlite_binder_t binder = {.statement = ir_sqlite_statement(store, IR_SQL_DROP)};
    int code = sqlite3_extended_errcode(store->db);
    if (binder.statement != NULL) {
        ir_sqlite_bind_id(&binder, &raw->id);
        ir_sqlite_bind_int(&binder, ir_clock_now());
        code = binder.code == SQLITE_OK ? sqlite3_step(binder.statement) : binder.code;
        sqlite3_reset(binder.statement);
    }
    return code == SQLITE_DONE ? IR_OK : ir_sqlite_failed(store, code, "cannot store", error);
}
