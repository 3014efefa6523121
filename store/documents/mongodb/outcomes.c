/* Outcomes of messages that were stored before. If a message's outcome differs from its newest
 * stored one, it is appended. Only batches with repeated messages need this. */
#include "common/clock.h"
#include "store/documents/mongodb/mongodb.h"

#include <stdlib.h>
#include <string.h>

/* A message that was stored before. */
typedef struct told {
    ir_id_t raw_id;
    bool stored;
    char first[16]; /* the status in the raw document */
    bson_t *newest; /* status and refusals */
} told_t;

typedef struct past {
    told_t *told; /* by id */
    size_t count;
    uint32_t *messages; /* messages of the batch, by index */
    uint32_t n_messages;
} past_t;

/* Whether the message's raw document may have another outcome: either it existed before, or it was
 * written before the observations. */
static bool may_differ(const ir_batch_t *batch, uint32_t message) {
    const ir_message_t *m = &batch->messages[message];
    return !ir_batch_is_aside(batch, message) &&
           (m->duplicate || (m->ask && batch->n_store_refusals > 0));
}

static int compare(const void *a, const void *b) {
    return ir_id_compare(&((const told_t *)a)->raw_id, &((const told_t *)b)->raw_id);
}

static told_t *find(const past_t *past, const ir_id_t *raw_id) {
    const told_t key = {.raw_id = *raw_id};
    return bsearch(&key, past->told, past->count, sizeof key, compare);
}

static bool open_past(const ir_batch_t *batch, past_t *past) {
    *past = (past_t){.told = calloc(batch->n_messages, sizeof *past->told),
                     .messages = malloc(batch->n_messages * sizeof *past->messages)};
    if (past->told == NULL || past->messages == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        if (may_differ(batch, i)) {
            past->told[past->n_messages].raw_id = batch->messages[i].raw_id;
            past->messages[past->n_messages++] = i;
        }
    }
    qsort(past->told, past->n_messages, sizeof *past->told, compare);
    for (uint32_t i = 0; i < past->n_messages; i++) {
        if (i == 0 || compare(&past->told[i], &past->told[past->count - 1]) != 0) {
            past->told[past->count++] = past->told[i];
        }
    }
    for (size_t i = 0; i < past->count; i++) {
        past->told[i].newest = bson_new();
    }
    return true;
}

static void close_past(past_t *past) {
    for (size_t i = 0; i < past->count; i++) {
        bson_destroy(past->told[i].newest);
    }
    free(past->told);
    free(past->messages);
}

/* ---- reading stored outcomes ---- */

static void copy_field(const bson_t *from, const char *key, bson_t *to) {
    bson_iter_t found;
    if (bson_iter_init_find(&found, from, key)) {
        bson_append_iter(to, key, -1, &found);
    }
}

/* Documents arrive oldest first. */
static ir_status_t take_told(past_t *past, const bson_t *document, const char *key) {
    ir_id_t raw_id;
    told_t *told = ir_mongodb_read_id(document, key, &raw_id) ? find(past, &raw_id) : NULL;
    if (told != NULL) {
        bson_iter_t status;
        bson_reinit(told->newest);
        copy_field(document, "status", told->newest);
        copy_field(document, "refusals", told->newest);
        if (!told->stored && bson_iter_init_find(&status, told->newest, "status") &&
            BSON_ITER_HOLDS_UTF8(&status)) {
            bson_strncpy(told->first, bson_iter_utf8(&status, NULL), sizeof told->first);
        }
        told->stored = true;
    }
    return IR_OK;
}

static ir_status_t visit_first(void *context, const bson_t *document) {
    return take_told(context, document, "_id");
}

static ir_status_t visit_later(void *context, const bson_t *document) {
    return take_told(context, document, "raw");
}

static ir_status_t read_past(const ir_mongodb_t *store, past_t *past, ir_error_t *error) {
    ir_status_t status = ir_mongodb_walk(
        store, IR_MONGODB_RAW,
        ir_mongodb_any_of("_id", &past->told->raw_id, sizeof *past->told, past->count),
        BCON_NEW("projection", "{", "status", BCON_INT32(1), "refusals", BCON_INT32(1), "}"),
        visit_first, past, error);
    if (status == IR_OK) {
        status = ir_mongodb_walk(
            store, IR_MONGODB_OUTCOMES,
            ir_mongodb_any_of("raw", &past->told->raw_id, sizeof *past->told, past->count),
            BCON_NEW("sort", "{", "at_ns", BCON_INT32(1), "_id", BCON_INT32(1), "}"), visit_later,
            past, error);
    }
    return status;
}

/* ---- appending ---- */

static bool insert_outcome(const ir_mongodb_t *store, const bson_t *document,
                           bson_error_t *reason) {
    mongoc_collection_t *collection =
        mongoc_client_get_collection(store->client, store->database, IR_MONGODB_OUTCOMES);
    const bool good = mongoc_collection_insert_one(collection, document, NULL, NULL, reason);
    mongoc_collection_destroy(collection);
    return good;
}

static bool append_one(const ir_mongodb_t *store, const ir_batch_t *batch, uint32_t message,
                       const told_t *told, bson_error_t *reason) {
    bson_t document = BSON_INITIALIZER;
    ir_mongodb_outcome_head(&document, &told->raw_id, batch->messages[message].mote,
                            ir_view_text(told->first), ir_clock_now());
    bson_concat(&document, told->newest);
    const bool good =
        document.len > IR_MONGODB_DOCUMENT_MAX || insert_outcome(store, &document, reason);
    bson_destroy(&document);
    return good;
}

static bool append_new(const ir_mongodb_t *store, const ir_batch_t *batch, past_t *past,
                       bson_error_t *reason) {
    bool good = true;
    for (uint32_t i = 0; good && i < past->n_messages; i++) {
        const uint32_t message = past->messages[i];
        told_t *told = find(past, &batch->messages[message].raw_id);
        bson_t now = BSON_INITIALIZER;
        ir_mongodb_outcome(&now, batch, message);
        if (told->stored && !bson_equal(&now, told->newest)) {
            bson_reinit(told->newest);
            bson_concat(told->newest, &now);
            good = append_one(store, batch, message, told, reason);
        }
        bson_destroy(&now);
    }
    return good;
}

ir_status_t ir_mongodb_put_outcomes(const ir_mongodb_t *store, const ir_batch_t *batch,
                                    ir_error_t *error) {
    uint32_t n_messages = 0;
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        n_messages += may_differ(batch, i);
    }
    if (n_messages == 0) {
        return IR_OK;
    }
    past_t past;
    bson_error_t reason;
    ir_status_t status = IR_OK;
    if (!open_past(batch, &past)) {
        status = ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory");
    } else {
        status = read_past(store, &past, error);
    }
    if (status == IR_OK && !append_new(store, batch, &past, &reason)) {
        status = ir_mongodb_failed(store, &reason, "cannot store what became of a message", error);
    }
    close_past(&past);
    return status;
}

ir_status_t ir_mongodb_drop(void *context, const ir_raw_document_t *raw, ir_error_t *error) {
    const ir_mongodb_t *store = context;
    bson_error_t reason;
    bson_t document = BSON_INITIALIZER;
    ir_mongodb_dropped(&document, raw);
    const bool good = insert_outcome(store, &document, &reason);
    bson_destroy(&document);
    return good ? IR_OK
                : ir_mongodb_failed(store, &reason, "cannot store what became of a message", error);
}

/* ---- the history of one message ---- */

typedef struct ir_outcome_walk {
    ir_each_outcome_fn each;
    void *context;
    ir_refusal_list_t refusals;
    ir_error_t *error;
} ir_outcome_walk_t;

static ir_status_t visit_outcome(ir_outcome_walk_t *outcomes, const bson_t *document,
                                 const char *at) {
    bson_iter_t status;
    if (!ir_mongodb_read_refusals(document, &outcomes->refusals)) {
        return ir_error_set(outcomes->error, IR_ERR_MEMORY,
                            "documents: out of memory for one message");
    }
    const bool told =
        bson_iter_init_find(&status, document, "status") && BSON_ITER_HOLDS_UTF8(&status);
    const ir_raw_outcome_t outcome = {.at_ns = ir_mongodb_read_int(document, at),
                                      .status =
                                          ir_view_text(told ? bson_iter_utf8(&status, NULL) : ""),
                                      .refusals = outcomes->refusals.refusals,
                                      .n_refusals = outcomes->refusals.count};
    return outcomes->each(outcomes->context, &outcome);
}

static ir_status_t visit_first_outcome(void *context, const bson_t *document) {
    return visit_outcome(context, document, "received_ns");
}

static ir_status_t visit_later_outcome(void *context, const bson_t *document) {
    return visit_outcome(context, document, "at_ns");
}

ir_status_t ir_mongodb_each_outcome(void *context, const ir_id_t *raw_id, ir_each_outcome_fn each,
                                    void *each_context, ir_error_t *error) {
    const ir_mongodb_t *store = context;
    ir_outcome_walk_t outcomes = {.each = each, .context = each_context, .error = error};
    ir_status_t status =
        ir_mongodb_walk(store, IR_MONGODB_RAW, ir_mongodb_any_of("_id", raw_id, sizeof *raw_id, 1),
                        BCON_NEW("projection", "{", "received_ns", BCON_INT32(1), "status",
                                 BCON_INT32(1), "refusals", BCON_INT32(1), "}"),
                        visit_first_outcome, &outcomes, error);
    if (status == IR_OK) {
        status = ir_mongodb_walk(
            store, IR_MONGODB_OUTCOMES, ir_mongodb_any_of("raw", raw_id, sizeof *raw_id, 1),
            BCON_NEW("sort", "{", "at_ns", BCON_INT32(1), "_id", BCON_INT32(1), "}"),
            visit_later_outcome, &outcomes, error);
    }
    free(outcomes.refusals.refusals);
    return status;
}
