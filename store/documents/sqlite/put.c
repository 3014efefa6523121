#include "store/documents/sqlite/sqlite.h"

#include "common/clock.h"

#include <stdio.h>

#define DETAIL_SIZE 160

/* The result of writing one row. */
typedef enum ir_sqlite_row {
    ROW_NEW,
    ROW_DUPLICATE,
    ROW_REFUSED, /* this row will always be refused, because it is too large or violates a
                  * constraint */
    ROW_FAILED   /* the transaction must end; binder.code has the reason */
} ir_sqlite_row_t;

static bool start_row(ir_sqlite_t *store, ir_sqlite_sql_t sql, ir_sqlite_binder_t *binder) {
    *binder = (ir_sqlite_binder_t){.statement = ir_sqlite_statement(store, sql)};
    if (binder->statement == NULL) {
        binder->code = sqlite3_extended_errcode(store->db);
        return false;
    }
    return true;
}

static bool row_at_fault(int code) {
    switch (code & 0xff) {
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return true;
    default:
        return false;
    }
}

static ir_sqlite_row_t finish_row(ir_sqlite_t *store, ir_sqlite_binder_t *binder,
                                  char detail[static DETAIL_SIZE]) {
    if (binder->code == SQLITE_OK) {
        const int code = sqlite3_step(binder->statement);
        binder->code = code == SQLITE_DONE ? SQLITE_OK : code;
    }
    ir_sqlite_row_t row = ROW_FAILED;
    if (binder->code == SQLITE_OK) {
        row = sqlite3_changes(store->db) > 0 ? ROW_NEW : ROW_DUPLICATE;
    } else if (row_at_fault(binder->code) && sqlite3_get_autocommit(store->db) == 0) {
        snprintf(detail, DETAIL_SIZE, "sqlite: %s", sqlite3_errmsg(store->db));
        row = ROW_REFUSED;
    }
    sqlite3_reset(binder->statement);
    return row;
}

/* ---- the rows ---- */

static ir_sqlite_row_t insert_observation(ir_sqlite_t *store, const ir_batch_t *batch,
                                          const ir_observation_t *o, ir_sqlite_binder_t *binder,
                                          char detail[static DETAIL_SIZE]) {
    ir_sqlite_place_t place = {0};
    if (!start_row(store, IR_SQL_PUT_OBSERVATION, binder)) {
        return ROW_FAILED;
    }
    binder->code = ir_sqlite_place(store, batch->registry, o->sensor, &place);
    ir_sqlite_bind_int(binder, place.series);
    ir_sqlite_bind_int(binder, o->time_ns);
    ir_sqlite_bind_id(binder, &o->id);
    ir_sqlite_bind_int(binder, place.sensor);
    ir_sqlite_bind_id(binder, &batch->messages[o->message].raw_id);
    ir_sqlite_bind_int(binder, o->record);
    ir_sqlite_bind_value(binder, &o->value);
    ir_sqlite_bind_value(binder, &o->source_value);
    ir_sqlite_bind_text(binder, o->source_unit);
    if (o->has_sum) {
        ir_sqlite_bind_double(binder, o->sum);
    } else {
        ir_sqlite_bind_null(binder);
    }
    ir_sqlite_bind_int(binder, o->late);
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        ir_sqlite_bind_int(binder, o->flags[test]);
    }
    ir_sqlite_bind_int(binder, o->aggregate);
    return finish_row(store, binder, detail);
}

static void append_refusal(void *context, const ir_refusal_t *refusal) {
    ir_buffer_t *out = context;
    ir_buffer_append_text(out, out->size == 0 ? "[{\"reason\":" : ",{\"reason\":");
    ir_buffer_append_json_string(out, ir_view_text(ir_reason_text(refusal->reason)));
    ir_buffer_append_text(out, ",\"record\":");
    ir_buffer_append_int(out, refusal->record);
    ir_buffer_append_text(out, ",\"detail\":");
    ir_buffer_append_json_string(out, ir_view_text(refusal->detail));
    if (refusal->records != NULL) {
        ir_buffer_append_format(out, ",\"records\":\"%s\"", refusal->records);
    }
    ir_buffer_append_char(out, '}');
}

static void bind_refusals(ir_sqlite_t *store, const ir_batch_t *batch, uint32_t message,
                          ir_sqlite_binder_t *binder) {
    ir_buffer_clear(&store->text);
    if (ir_raw_refusals(batch, message, append_refusal, &store->text) == 0) {
        ir_sqlite_bind_null(binder);
        return;
    }
    ir_buffer_append_char(&store->text, ']');
    if (ir_buffer_ok(&store->text)) {
        ir_sqlite_bind_text(binder, ir_buffer_view(&store->text));
    } else if (binder->code == SQLITE_OK) {
        binder->code = SQLITE_NOMEM;
    }
}

static ir_sqlite_row_t insert_raw(ir_sqlite_t *store, const ir_batch_t *batch, uint32_t message,
                                  ir_sqlite_binder_t *binder, char detail[static DETAIL_SIZE]) {
    const ir_message_t *m = &batch->messages[message];
    if (!start_row(store, IR_SQL_PUT_RAW, binder)) {
        return ROW_FAILED;
    }
    ir_sqlite_bind_id(binder, &m->raw_id);
    ir_sqlite_bind_text(binder, m->mote);
    ir_sqlite_bind_text(binder, m->key_text);
    ir_sqlite_bind_text(binder, m->type_text);
    ir_sqlite_bind_blob(binder, m->body);
    ir_sqlite_bind_int(binder, m->arrival_ns);
    if (m->name.size > 0) {
        ir_sqlite_bind_blob(binder, m->name);
    } else {
        ir_sqlite_bind_null(binder);
    }
    if (m->sent_ns != 0) {
        ir_sqlite_bind_int(binder, m->sent_ns);
    } else {
        ir_sqlite_bind_null(binder);
    }
    ir_sqlite_bind_text(binder, ir_view_text(ir_raw_status(batch, message)));
    bind_refusals(store, batch, message, binder);
    return finish_row(store, binder, detail);
}

/* A message was stored before. If its outcome differs from the newest stored one, appends it. */
static ir_sqlite_row_t insert_outcome(ir_sqlite_t *store, const ir_batch_t *batch, uint32_t message,
                                      ir_sqlite_binder_t *binder, char detail[static DETAIL_SIZE]) {
    if (!start_row(store, IR_SQL_PUT_OUTCOME, binder)) {
        return ROW_FAILED;
    }
    ir_sqlite_bind_id(binder, &batch->messages[message].raw_id);
    ir_sqlite_bind_int(binder, ir_clock_now());
    ir_sqlite_bind_text(binder, ir_view_text(ir_raw_status(batch, message)));
    bind_refusals(store, batch, message, binder);
    return finish_row(store, binder, detail);
}

static ir_sqlite_row_t insert_revision(ir_sqlite_t *store, const ir_batch_t *batch,
                                       const ir_revision_t *revision, ir_sqlite_binder_t *binder,
                                       char detail[static DETAIL_SIZE]) {
    const ir_observation_t *o = &revision->observation;
    ir_sqlite_place_t place = {0};
    if (!start_row(store, IR_SQL_PUT_REVISION, binder)) {
        return ROW_FAILED;
    }
    binder->code = ir_sqlite_place(store, batch->registry, o->sensor, &place);
    ir_sqlite_bind_id(binder, &revision->id);
    ir_sqlite_bind_id(binder, &o->id);
    ir_sqlite_bind_id(binder, &revision->raw_id);
    ir_sqlite_bind_id(binder, &revision->decided_by);
    ir_sqlite_bind_int(binder, place.sensor);
    ir_sqlite_bind_int(binder, o->time_ns);
    ir_sqlite_bind_text(binder, ir_view_text(ir_test_text(revision->test)));
    ir_sqlite_bind_int(binder, revision->previous);
    ir_sqlite_bind_int(binder, revision->flag);
    ir_sqlite_bind_int(binder, o->aggregate);
    if (revision->supersedes) {
        ir_sqlite_bind_id(binder, &revision->superseded);
    } else {
        ir_sqlite_bind_null(binder);
    }
    return finish_row(store, binder, detail);
}

/* ---- the batch ---- */

/* All of these return an SQLite code; SQLITE_OK means continue. */
static int put_observation(ir_sqlite_t *store, ir_batch_t *batch, uint32_t index) {
    ir_observation_t *o = &batch->observations[index];
    ir_sqlite_binder_t binder;
    char detail[DETAIL_SIZE];
    if (o->stored) {
        return SQLITE_OK;
    }
    switch (insert_observation(store, batch, o, &binder, detail)) {
    case ROW_NEW:
        o->state = IR_OBSERVATION_NEW;
        return SQLITE_OK;
    case ROW_DUPLICATE:
        o->state = IR_OBSERVATION_DUPLICATE;
        return SQLITE_OK;
    case ROW_REFUSED:
        return ir_document_refuse(batch, o->message, index, detail) ? SQLITE_OK : SQLITE_NOMEM;
    case ROW_FAILED:
        break;
    }
    return binder.code;
}

/* The raw message is written after its observations, because it contains their outcome. */
static int put_message(ir_sqlite_t *store, ir_batch_t *batch, uint32_t message) {
    ir_message_t *m = &batch->messages[message];
    if (ir_batch_is_aside(batch, message)) {
        return SQLITE_OK;
    }
    for (uint32_t i = 0; i < m->n_observations; i++) {
        const int code = put_observation(store, batch, m->first_observation + i);
        if (code != SQLITE_OK) {
            return code;
        }
    }
    ir_sqlite_binder_t binder;
    char detail[DETAIL_SIZE];
    ir_sqlite_row_t row = insert_raw(store, batch, message, &binder, detail);
    m->duplicate = row == ROW_DUPLICATE;
    batch->contested = batch->contested || (m->duplicate && m->ask && !m->known);
    if (m->duplicate) {
        row = insert_outcome(store, batch, message, &binder, detail);
    }
    if (row == ROW_REFUSED) {
        return ir_document_refuse(batch, message, UINT32_MAX, detail) ? SQLITE_OK : SQLITE_NOMEM;
    }
    return row == ROW_FAILED ? binder.code : SQLITE_OK;
}

static int put_revision(ir_sqlite_t *store, ir_batch_t *batch, const ir_revision_t *revision) {
    ir_sqlite_binder_t binder;
    char detail[DETAIL_SIZE];
    if (ir_batch_is_aside(batch, revision->observation.message)) {
        return SQLITE_OK;
    }
    const ir_sqlite_row_t row = insert_revision(store, batch, revision, &binder, detail);
    if (row == ROW_REFUSED) {
        return ir_document_refuse(batch, revision->observation.message, UINT32_MAX, detail)
                   ? SQLITE_OK
                   : SQLITE_NOMEM;
    }
    return row == ROW_FAILED ? binder.code : SQLITE_OK;
}

static int put_rows(ir_sqlite_t *store, ir_batch_t *batch) {
    int code = SQLITE_OK;
    ir_batch_leave_out(batch);
    for (uint32_t i = 0; code == SQLITE_OK && i < batch->n_messages; i++) {
        code = put_message(store, batch, i);
    }
    for (uint32_t i = 0; code == SQLITE_OK && i < batch->n_revisions; i++) {
        code = put_revision(store, batch, &batch->revisions[i]);
    }
    return code;
}

/* After some failures SQLite has already rolled the transaction back. Then sensors added in it may
 * be gone. */
static void roll_back(ir_sqlite_t *store) {
    if (store->db == NULL) {
        return;
    }
    if (sqlite3_get_autocommit(store->db) == 0) {
        ir_sqlite_run(store, IR_SQL_ROLLBACK);
    }
    ir_sqlite_places_reset(&store->places);
}

/* Commits, unless another worker has meanwhile stored the same messages. */
static int put_transaction(ir_sqlite_t *store, ir_batch_t *batch) {
    int code = ir_sqlite_run(store, IR_SQL_BEGIN);
    if (code == SQLITE_OK) {
        code = put_rows(store, batch);
    }
    return code == SQLITE_OK && !batch->contested ? ir_sqlite_run(store, IR_SQL_COMMIT) : code;
}

/* Checks the files before writing, so that no data go to a file that no longer is at the path.
 * Checks them again before reporting that the batch is stored. */
ir_outcome_t ir_sqlite_put(void *context, ir_batch_t *batch, ir_error_t *error) {
    ir_sqlite_t *store = context;
    if (ir_sqlite_attach(store, false, error) != IR_OK ||
        ir_sqlite_presence_check(store, error) != IR_OK) {
        return IR_OUTCOME_RETRY;
    }
    const int code = put_transaction(store, batch);
    if (ir_sqlite_presence_check(store, error) != IR_OK) {
        return IR_OUTCOME_RETRY;
    }
    if (code == SQLITE_OK && !batch->contested) {
        store->presence.stored += batch->n_messages;
        return IR_OUTCOME_OK;
    }
    if (code == SQLITE_OK) {
        ir_error_set(error, IR_ERR_STATE,
                     "documents sqlite:%s: another worker stores the same messages", store->path);
    } else {
        ir_sqlite_failed(store, code, "cannot store", error);
    }
    roll_back(store);
    return IR_OUTCOME_RETRY;
}
