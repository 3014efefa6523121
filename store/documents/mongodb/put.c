#include "common/clock.h"
#include "common/proof.h"
#include "store/documents/mongodb/codes.h"
#include "store/documents/mongodb/mongodb.h"

#include <stdlib.h>
#include <string.h>

#define ANSWERED UINT32_MAX

/* One kind of documents in a bulk write, and what to do if a document exists already (may be NULL)
 * or is refused (returns false when memory is exhausted). */
typedef struct ir_bulk_kind {
    const char *collection;
    uint32_t (*count)(const ir_batch_t *batch);
    uint32_t (*message)(const ir_batch_t *batch, uint32_t item);
    bool is_observation;
    bool (*has)(const ir_batch_t *batch, uint32_t item); /* NULL: all of them */
    void (*build)(bson_t *document, const ir_batch_t *batch, uint32_t item);
    void (*set_duplicate)(ir_batch_t *batch, uint32_t item, bool duplicate);
    bool (*refuse)(ir_batch_t *batch, uint32_t item, const char *detail);
} ir_bulk_kind_t;

/* A bulk write of inserts into one collection, with the index of each document in the batch. */
typedef struct ir_bulk {
    bson_t document;  /* the document being built */
    bson_t unchecked; /* options: no validation, because the documents are made here */
    const ir_mongodb_t *store;
    const ir_bulk_kind_t *kind;
    ir_batch_t *batch;
    mongoc_collection_t *collection;
    mongoc_bulk_operation_t *operation;
    uint32_t *items; /* maps the index in the bulk to the index in the batch, or to ANSWERED */
    uint32_t count;
} ir_bulk_t;

/* ---- the kinds ---- */

static uint32_t count_observations(const ir_batch_t *batch) {
    return batch->n_observations;
}

static uint32_t message_of_observation(const ir_batch_t *batch, uint32_t item) {
    return batch->observations[item].message;
}

static bool is_not_stored(const ir_batch_t *batch, uint32_t item) {
    return !batch->observations[item].stored;
}

static void build_observation(bson_t *document, const ir_batch_t *batch, uint32_t item) {
    ir_mongodb_observation(document, batch, &batch->observations[item]);
}

static void set_duplicate_observation(ir_batch_t *batch, uint32_t item, bool duplicate) {
    batch->observations[item].state = duplicate ? IR_OBSERVATION_DUPLICATE : IR_OBSERVATION_NEW;
}

static bool refuse_observation(ir_batch_t *batch, uint32_t item, const char *detail) {
    return ir_document_refuse(batch, message_of_observation(batch, item), item, detail);
}

static uint32_t count_revisions(const ir_batch_t *batch) {
    return batch->n_revisions;
}

static uint32_t message_of_revision(const ir_batch_t *batch, uint32_t item) {
    return batch->revisions[item].observation.message;
}

static void build_revision(bson_t *document, const ir_batch_t *batch, uint32_t item) {
    ir_mongodb_revision(document, &batch->revisions[item]);
}

static void keep_revision(ir_batch_t *batch, uint32_t item, bool duplicate) {
    (void)batch;
    (void)item;
    (void)duplicate;
}

static bool refuse_revision(ir_batch_t *batch, uint32_t item, const char *detail) {
    return ir_document_refuse(batch, message_of_revision(batch, item), UINT32_MAX, detail);
}

static uint32_t count_messages(const ir_batch_t *batch) {
    return batch->n_messages;
}

static uint32_t message_itself(const ir_batch_t *batch, uint32_t item) {
    (void)batch;
    return item;
}

static void set_duplicate_raw(ir_batch_t *batch, uint32_t item, bool duplicate) {
    ir_message_t *message = &batch->messages[item];
    message->duplicate = duplicate;
    batch->contested = batch->contested || (duplicate && message->ask && !message->known);
}

static bool has_claim(const ir_batch_t *batch, uint32_t item) {
    return batch->messages[item].ask;
}

static bool has_no_claim(const ir_batch_t *batch, uint32_t item) {
    return !has_claim(batch, item);
}

static bool refuse_raw(ir_batch_t *batch, uint32_t item, const char *detail) {
    return ir_document_refuse(batch, item, UINT32_MAX, detail);
}

/* Raw messages are written last, because they contain the outcome of their observations. There is
 * one exception: if the store decides about a message's arrival, its raw message is written first,
 * because the observations depend on the arrival. */
static const ir_bulk_kind_t kinds[] = {
    {IR_MONGODB_RAW, count_messages, message_itself, false, has_claim, ir_mongodb_raw,
     set_duplicate_raw, refuse_raw},
    {IR_MONGODB_OBSERVATIONS, count_observations, message_of_observation, true, is_not_stored,
     build_observation, set_duplicate_observation, refuse_observation},
    {IR_MONGODB_REVISIONS, count_revisions, message_of_revision, false, NULL, build_revision,
     keep_revision, refuse_revision},
    {IR_MONGODB_RAW, count_messages, message_itself, false, has_no_claim, ir_mongodb_raw,
     set_duplicate_raw, refuse_raw},
};

/* ---- the server's answers ---- */

static int64_t read_int(const bson_t *document, const char *key) {
    bson_iter_t found;
    return bson_iter_init_find(&found, document, key) ? bson_iter_as_int64(&found) : -1;
}

static const char *read_text(const bson_t *document, const char *key) {
    bson_iter_t found;
    return bson_iter_init_find(&found, document, key) && BSON_ITER_HOLDS_UTF8(&found)
               ? bson_iter_utf8(&found, NULL)
               : "no reason given";
}

/* Moves the iterator into a field with an array of documents; returns false when the field is
 * absent. */
static bool enter_array(const bson_t *reply, const char *key, bson_iter_t *elements) {
    bson_iter_t found;
    return bson_iter_init_find(&found, reply, key) && BSON_ITER_HOLDS_ARRAY(&found) &&
           bson_iter_recurse(&found, elements);
}

static bool next_document(bson_iter_t *elements, bson_t *document) {
    const uint8_t *bytes = NULL;
    uint32_t size = 0;
    if (!bson_iter_next(elements) || !BSON_ITER_HOLDS_DOCUMENT(elements)) {
        return false;
    }
    bson_iter_document(elements, &size, &bytes);
    return bson_init_static(document, bytes, size);
}

/* Whether this very document exists already. A unique index that somebody else made gives the same
 * error for a different document. MongoDB before 4.2 and other vendors name the index only in the
 * error's text. */
static bool is_repeat(const bson_t *write_error) {
    bson_iter_t found, key;
    if (bson_iter_init_find(&found, write_error, "keyPattern") &&
        BSON_ITER_HOLDS_DOCUMENT(&found)) {
        return bson_iter_recurse(&found, &key) && bson_iter_find(&key, "_id");
    }
    return strstr(read_text(write_error, "errmsg"), "_id") != NULL;
}

static ir_outcome_t retry(const bson_error_t *reason, ir_answer_t *answer, const ir_bulk_t *bulk) {
    ir_mongodb_failed(bulk->store, reason, "cannot store", &answer->why);
    return IR_OUTCOME_RETRY;
}

static void set_answer(ir_answer_t *answer, int64_t code, const char *message) {
    answer->code = code;
    answer->certain = ir_mongodb_fault(code) == IR_MONGODB_FAULT_DATA;
    ir_error_set(&answer->why, IR_ERR_REFUSED, "mongodb: %s (%lld)", message, (long long)code);
}

/* Processes one write error: a repeat or a suspect; otherwise RETRY. */
static ir_outcome_t take_write_error(ir_bulk_t *bulk, const bson_t *write_error,
                                     ir_suspects_t *suspects, ir_answer_t *answer) {
    const int64_t index = read_int(write_error, "index");
    const int64_t code = read_int(write_error, "code");
    const char *message = read_text(write_error, "errmsg");
    const ir_mongodb_fault_t fault = ir_mongodb_fault(code);
    bson_error_t reason;
    bson_set_error(&reason, MONGOC_ERROR_SERVER, (uint32_t)code, "%s", message);
    if (index < 0 || index >= bulk->count || bulk->items[index] == ANSWERED ||
        fault == IR_MONGODB_FAULT_SERVER) {
        return retry(&reason, answer, bulk);
    }
    const uint32_t item = bulk->items[index];
    bulk->items[index] = ANSWERED; /* a second error for one document must not hide that another
                                    * document has no answer */
    if (fault == IR_MONGODB_FAULT_REPEAT && is_repeat(write_error)) {
        bulk->kind->set_duplicate(bulk->batch, item, true);
        return IR_OUTCOME_OK;
    }
    set_answer(answer, code, message);
    bson_set_error(&reason, MONGOC_ERROR_BSON, 0, "out of memory");
    return ir_suspects_add(suspects, item, answer) ? IR_OUTCOME_OK : retry(&reason, answer, bulk);
}

/* Some documents have no answer, because the whole command was refused or the answer is
 * incomplete. */
static ir_outcome_t take_command_error(const ir_bulk_t *bulk, const bson_t *reply,
                                       const bson_error_t *reason, ir_answer_t *answer) {
    const bool said =
        reason->domain == MONGOC_ERROR_SERVER || reason->domain == MONGOC_ERROR_COMMAND;
    if (said && ir_mongodb_fault(reason->code) != IR_MONGODB_FAULT_SERVER &&
        !mongoc_error_has_label(reply, "RetryableWriteError")) {
        set_answer(answer, reason->code, reason->message);
        return IR_OUTCOME_REFUSED;
    }
    if (reason->message[0] == '\0') {
        bson_error_t part;
        bson_set_error(&part, MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_INVALID_REPLY,
                       "the server reported results for only some of the documents");
        return retry(&part, answer, bulk);
    }
    return retry(reason, answer, bulk);
}

/* OK: every document of the bulk is durable, a repeat, or a suspect. */
static ir_outcome_t take_reply(ir_bulk_t *bulk, const bson_t *reply, const bson_error_t *reason,
                               ir_suspects_t *suspects, ir_answer_t *answer) {
    bson_iter_t errors;
    bson_t one;
    int64_t settled = read_int(reply, "nInserted");
    if (enter_array(reply, "writeConcernErrors", &errors) && next_document(&errors, &one)) {
        bson_error_t concern;
        bson_set_error(&concern, MONGOC_ERROR_WRITE_CONCERN, (uint32_t)read_int(&one, "code"), "%s",
                       read_text(&one, "errmsg"));
        return retry(&concern, answer, bulk);
    }
    if (enter_array(reply, "writeErrors", &errors)) {
        while (next_document(&errors, &one)) {
            if (take_write_error(bulk, &one, suspects, answer) != IR_OUTCOME_OK) {
                return IR_OUTCOME_RETRY;
            }
            settled++;
        }
    }
    return settled == bulk->count ? IR_OUTCOME_OK : take_command_error(bulk, reply, reason, answer);
}

/* ---- the bulk ---- */

static bool open_bulk(const ir_mongodb_t *store, const ir_bulk_kind_t *kind, ir_batch_t *batch,
                      size_t count, ir_bulk_t *bulk) {
    bson_t ordered = BSON_INITIALIZER;
    *bulk = (ir_bulk_t){.store = store,
                        .kind = kind,
                        .batch = batch,
                        .items = malloc((count > 0 ? count : 1) * sizeof *bulk->items)};
    bson_init(&bulk->document);
    bson_init(&bulk->unchecked);
    BSON_APPEND_BOOL(&bulk->unchecked, "validate", false);
    BSON_APPEND_BOOL(&ordered, "ordered", false);
    bulk->collection =
        mongoc_client_get_collection(store->client, store->database, kind->collection);
    bulk->operation = mongoc_collection_create_bulk_operation_with_opts(bulk->collection, &ordered);
    bson_destroy(&ordered);
    return bulk->items != NULL;
}

static void close_bulk(ir_bulk_t *bulk) {
    mongoc_bulk_operation_destroy(bulk->operation);
    mongoc_collection_destroy(bulk->collection);
    bson_destroy(&bulk->document);
    bson_destroy(&bulk->unchecked);
    free(bulk->items);
}

static bool add_item(ir_bulk_t *bulk, uint32_t item, ir_suspects_t *suspects,
                     bson_error_t *reason) {
    bson_reinit(&bulk->document);
    bulk->kind->build(&bulk->document, bulk->batch, item);
    if (bulk->document.len > IR_MONGODB_DOCUMENT_MAX) {
        ir_answer_t answer = {.certain = true};
        ir_error_set(&answer.why, IR_ERR_REFUSED,
                     "mongodb: %u bytes are more than a document may have", bulk->document.len);
        return ir_suspects_add(suspects, item, &answer);
    }
    bulk->kind->set_duplicate(bulk->batch, item, false);
    bulk->items[bulk->count++] = item;
    return mongoc_bulk_operation_insert_with_opts(bulk->operation, &bulk->document,
                                                  &bulk->unchecked, reason);
}

static ir_outcome_t run_bulk(ir_bulk_t *bulk, ir_suspects_t *suspects, ir_answer_t *answer) {
    if (bulk->count == 0) {
        return IR_OUTCOME_OK;
    }
    bson_t reply;
    bson_error_t reason = {0};
    (void)mongoc_bulk_operation_execute(bulk->operation, &reply, &reason);
    const ir_outcome_t outcome = take_reply(bulk, &reply, &reason, suspects, answer);
    bson_destroy(&reply);
    return outcome;
}

/* ---- proof ---- */

/* The documents of one kind that a batch contains. */
typedef struct ir_putting {
    const ir_mongodb_t *store;
    const ir_bulk_kind_t *kind;
    ir_batch_t *batch;
} ir_putting_t;

/* Skips messages that are set aside. */
static bool is_of_kind(const ir_putting_t *putting, uint32_t item) {
    const ir_bulk_kind_t *kind = putting->kind;
    const ir_batch_t *batch = putting->batch;
    return (kind->has == NULL || kind->has(batch, item)) &&
           (batch->n_aside == 0 || !ir_batch_is_aside(batch, kind->message(batch, item)));
}

static ir_outcome_t put_items(void *context, const uint32_t *items, size_t count,
                              ir_suspects_t *suspects, ir_answer_t *answer) {
    const ir_putting_t *putting = context;
    ir_bulk_t bulk;
    bson_error_t reason = {0};
    bson_set_error(&reason, MONGOC_ERROR_BSON, 0, "out of memory");
    bool good = open_bulk(putting->store, putting->kind, putting->batch, count, &bulk);
    for (size_t i = 0; good && i < count; i++) {
        good = !is_of_kind(putting, items[i]) || add_item(&bulk, items[i], suspects, &reason);
    }
    const ir_outcome_t outcome =
        good ? run_bulk(&bulk, suspects, answer) : retry(&reason, answer, &bulk);
    close_bulk(&bulk);
    return outcome;
}

static ir_outcome_t put_control(void *context, ir_error_t *error) {
    const ir_putting_t *putting = context;
    return ir_mongodb_put_control(putting->store, false, error) == IR_OK ? IR_OUTCOME_OK
                                                                         : IR_OUTCOME_RETRY;
}

static bool refuse_item(void *context, uint32_t item, const ir_answer_t *answer) {
    const ir_putting_t *putting = context;
    return putting->kind->refuse(putting->batch, item, answer->why.text);
}

static bool set_item_aside(void *context, uint32_t item, const ir_answer_t *answer) {
    const ir_putting_t *putting = context;
    const ir_bulk_kind_t *kind = putting->kind;
    return ir_batch_set_aside(putting->batch, kind->message(putting->batch, item),
                              kind->is_observation ? item : UINT32_MAX, answer->why.text);
}

static ir_outcome_t put_kind(const ir_mongodb_t *store, const ir_bulk_kind_t *kind,
                             ir_batch_t *batch, ir_error_t *error) {
    ir_putting_t putting = {store, kind, batch};
    const ir_proof_work_t work = {.put = put_items,
                                  .control = put_control,
                                  .refuse = refuse_item,
                                  .set_aside = batch->sets_aside ? set_item_aside : NULL,
                                  .context = &putting,
                                  .given_up = batch->given_up};
    const uint32_t count = kind->count(batch);
    if (kind->is_observation) {
        ir_batch_leave_out(batch);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (is_of_kind(&putting, i)) {
            return ir_proof_run(&work, count, error);
        }
    }
    return IR_OUTCOME_OK;
}

static ir_outcome_t put_outcomes(const ir_mongodb_t *store, const ir_batch_t *batch,
                                 ir_error_t *error) {
    return ir_mongodb_put_outcomes(store, batch, error) == IR_OK ? IR_OUTCOME_OK : IR_OUTCOME_RETRY;
}

static ir_outcome_t put_batch(const ir_mongodb_t *store, ir_batch_t *batch, ir_error_t *error) {
    ir_outcome_t outcome = IR_OUTCOME_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && outcome == IR_OUTCOME_OK; i++) {
        outcome = put_kind(store, &kinds[i], batch, error);
        if (outcome == IR_OUTCOME_OK && batch->contested) {
            ir_error_set(error, IR_ERR_STATE,
                         "documents mongodb %s: another worker stores the same messages",
                         store->place);
            return IR_OUTCOME_RETRY;
        }
    }
    return outcome == IR_OUTCOME_OK ? put_outcomes(store, batch, error) : outcome;
}

/* Checks after a write that the database is still the one that was set up. This is needed because
 * an empty server, too, accepts every write, and because the library silently repeats a write whose
 * connection broke. A server that loses its data also loses its connections, so the check is needed
 * only after a reconnect. Behind a mongos it is made each time, because a connection to it says
 * nothing about the shards. If only the database is dropped, this is noticed within a second. Data
 * written in that second stay, because init continues with them. */
static bool must_look(const ir_mongodb_t *store) {
    return store->doubtful || store->routed ||
           ir_clock_monotonic() - store->present_ns >= IR_SECOND_NS;
}

ir_outcome_t ir_mongodb_put(void *context, ir_batch_t *batch, ir_error_t *error) {
    ir_mongodb_t *store = context;
    if (store->doubtful && ir_mongodb_present(store, error) != IR_OK) {
        return IR_OUTCOME_RETRY;
    }
    const ir_outcome_t outcome = put_batch(store, batch, error);
    if (outcome != IR_OUTCOME_OK) {
        store->doubtful = true;
        return outcome;
    }
    return !must_look(store) || ir_mongodb_present(store, error) == IR_OK ? IR_OUTCOME_OK
                                                                          : IR_OUTCOME_RETRY;
}
