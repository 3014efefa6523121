#include "store/documents_mongodb.h"

#include <stdlib.h>

#define DETAIL_SIZE 160

/* One bulk of inserts into one collection, and what each of its documents is in the batch. */
typedef struct ir_bulk {
    bson_t document;  /* the one being built */
    bson_t unchecked; /* options: the documents are made here, and sound */
    mongoc_collection_t *collection;
    mongoc_bulk_operation_t *operation;
    uint32_t *items; /* index in the bulk → index in the batch */
    uint32_t count;
} ir_bulk_t;

/* What a bulk's documents are, and what is done when one of them is there already (may be NULL) or
 * refused (false when memory is out). */
typedef struct ir_bulk_kind {
    const char *collection;
    uint32_t (*count)(const ir_batch_t *batch);
    bool (*has)(const ir_batch_t *batch, uint32_t item); /* NULL: all of them */
    void (*build)(bson_t *document, const ir_batch_t *batch, uint32_t item);
    void (*set_duplicate)(ir_batch_t *batch, uint32_t item, bool duplicate);
    bool (*refuse)(ir_batch_t *batch, uint32_t item, const char *detail);
} ir_bulk_kind_t;

/* ---- the kinds ---- */

static uint32_t count_observations(const ir_batch_t *batch) {
    return batch->n_observations;
}

static void build_observation(bson_t *document, const ir_batch_t *batch, uint32_t item) {
    ir_mongodb_observation(document, batch, &batch->observations[item]);
}

static void set_duplicate_observation(ir_batch_t *batch, uint32_t item, bool duplicate) {
    batch->observations[item].state = duplicate ? IR_OBSERVATION_DUPLICATE : IR_OBSERVATION_NEW;
}

static bool refuse_observation(ir_batch_t *batch, uint32_t item, const char *detail) {
    return ir_document_refuse(batch, batch->observations[item].message, item, detail);
}

static uint32_t count_revisions(const ir_batch_t *batch) {
    return batch->n_revisions;
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
    return ir_document_refuse(batch, batch->revisions[item].observation.message, UINT32_MAX,
                              detail);
}

static uint32_t count_messages(const ir_batch_t *batch) {
    return batch->n_messages;
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

/* Raw messages come last, so that they can say what became of their observations; but those first
 * whose arrival the store decides: no observation is written before it is settled. */
static const ir_bulk_kind_t kinds[] = {
    {IR_MONGODB_RAW, count_messages, has_claim, ir_mongodb_raw, set_duplicate_raw, refuse_raw},
    {IR_MONGODB_OBSERVATIONS, count_observations, NULL, build_observation,
     set_duplicate_observation, refuse_observation},
    {IR_MONGODB_REVISIONS, count_revisions, NULL, build_revision, keep_revision, refuse_revision},
    {IR_MONGODB_RAW, count_messages, has_no_claim, ir_mongodb_raw, set_duplicate_raw, refuse_raw},
};

/* ---- what the server answers ---- */

static bool is_duplicate(int code) {
    return code == 11000 || code == 11001 || code == 12582;
}

/* Errors of a single write that say something about the server, not about the document. */
static bool is_passing(int code) {
    static const int codes[] = {
        6,     /* HostUnreachable */
        7,     /* HostNotFound */
        13,    /* Unauthorized */
        24,    /* LockTimeout */
        26,    /* NamespaceNotFound */
        50,    /* MaxTimeMSExpired */
        63,    /* StaleShardVersion */
        64,    /* WriteConcernFailed */
        89,    /* NetworkTimeout */
        91,    /* ShutdownInProgress */
        112,   /* WriteConflict */
        133,   /* FailedToSatisfyReadPreference */
        150,   /* StaleEpoch */
        189,   /* PrimarySteppedDown */
        234,   /* RetryChangeStream */
        262,   /* ExceededTimeLimit */
        9001,  /* SocketException */
        10058, /* LegacyNotPrimary */
        10107, /* NotWritablePrimary */
        11600, /* InterruptedAtShutdown */
        11601, /* Interrupted */
        11602, /* InterruptedDueToReplStateChange */
        13388, /* StaleConfig */
        13435, /* NotPrimaryNoSecondaryOk */
        13436, /* NotPrimaryOrSecondary */
        14031, /* OutOfDiskSpace */
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

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

/* Starts at the elements of an array of documents; false when there are none. */
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

/* Takes one write error in: a repeat, or a refusal. Else false, and `passing` says what it was. */
static bool take_write_error(const ir_bulk_kind_t *kind, const ir_bulk_t *bulk, ir_batch_t *batch,
                             const bson_t *write_error, bson_error_t *passing) {
    const int64_t index = read_int(write_error, "index");
    const int code = (int)read_int(write_error, "code");
    const char *message = read_text(write_error, "errmsg");
    char detail[DETAIL_SIZE];
    bson_snprintf(detail, sizeof detail, "mongodb: %s (%d)", message, code);
    bson_set_error(passing, MONGOC_ERROR_SERVER, (uint32_t)code, "%s", message);
    if (index < 0 || index >= bulk->count || is_passing(code)) {
        return false;
    }
    const uint32_t item = bulk->items[index];
    if (is_duplicate(code)) {
        kind->set_duplicate(batch, item, true);
        return true;
    }
    bson_set_error(passing, MONGOC_ERROR_BSON, 0, "out of memory");
    return kind->refuse(batch, item, detail);
}

/* Whether every document of the bulk is durable, a repeat, or refused; else `reason`. */
static bool take_reply(const ir_bulk_kind_t *kind, const ir_bulk_t *bulk, ir_batch_t *batch,
                       const bson_t *reply, bson_error_t *reason) {
    bson_iter_t errors;
    bson_t one;
    int64_t settled = read_int(reply, "nInserted");
    if (enter_array(reply, "writeConcernErrors", &errors) && next_document(&errors, &one)) {
        return false;
    }
    if (enter_array(reply, "writeErrors", &errors)) {
        while (next_document(&errors, &one)) {
            bson_error_t passing;
            if (!take_write_error(kind, bulk, batch, &one, &passing)) {
                *reason = passing;
                return false;
            }
            settled++;
        }
    }
    return settled == bulk->count;
}

/* ---- the bulk ---- */

static bool open_bulk(const ir_mongodb_t *store, const ir_bulk_kind_t *kind, uint32_t count,
                      ir_bulk_t *bulk) {
    bson_t ordered = BSON_INITIALIZER;
    *bulk = (ir_bulk_t){.items = malloc((count > 0 ? count : 1) * sizeof *bulk->items)};
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

static bool add_item(const ir_bulk_kind_t *kind, ir_bulk_t *bulk, ir_batch_t *batch, uint32_t item,
                     bson_error_t *reason) {
    bson_reinit(&bulk->document);
    kind->build(&bulk->document, batch, item);
    if (bulk->document.len > IR_MONGODB_DOCUMENT_MAX) {
        char detail[DETAIL_SIZE];
        bson_snprintf(detail, sizeof detail, "mongodb: %u bytes are more than a document may have",
                      bulk->document.len);
        return kind->refuse(batch, item, detail);
    }
    kind->set_duplicate(batch, item, false);
    bulk->items[bulk->count++] = item;
    return mongoc_bulk_operation_insert_with_opts(bulk->operation, &bulk->document,
                                                  &bulk->unchecked, reason);
}

static bool run_bulk(const ir_bulk_kind_t *kind, ir_bulk_t *bulk, ir_batch_t *batch,
                     bson_error_t *reason) {
    if (bulk->count == 0) {
        return true;
    }
    bson_t reply;
    const bool good = mongoc_bulk_operation_execute(bulk->operation, &reply, reason) != 0 ||
                      take_reply(kind, bulk, batch, &reply, reason);
    bson_destroy(&reply);
    return good;
}

static bool put_kind(const ir_mongodb_t *store, const ir_bulk_kind_t *kind, ir_batch_t *batch,
                     bson_error_t *reason) {
    const uint32_t count = kind->count(batch);
    uint32_t first = 0;
    while (first < count && kind->has != NULL && !kind->has(batch, first)) {
        first++;
    }
    if (first == count) {
        return true;
    }
    ir_bulk_t bulk;
    bson_set_error(reason, MONGOC_ERROR_BSON, 0, "out of memory");
    bool good = open_bulk(store, kind, count, &bulk);
    for (uint32_t i = first; good && i < count; i++) {
        good =
            (kind->has != NULL && !kind->has(batch, i)) || add_item(kind, &bulk, batch, i, reason);
    }
    good = good && run_bulk(kind, &bulk, batch, reason);
    close_bulk(&bulk);
    return good;
}

ir_outcome_t ir_mongodb_put(void *context, ir_batch_t *batch, ir_error_t *error) {
    const ir_mongodb_t *store = context;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        bson_error_t reason = {0};
        if (!put_kind(store, &kinds[i], batch, &reason)) {
            ir_mongodb_failed(store, &reason, "cannot store", error);
            return IR_OUTCOME_RETRY;
        }
        if (batch->contested) {
            ir_error_set(error, IR_ERR_STATE,
                         "documents mongodb %s: another worker stores the same messages",
                         store->place);
            return IR_OUTCOME_RETRY;
        }
    }
    return ir_mongodb_put_outcomes(store, batch, error) == IR_OK ? IR_OUTCOME_OK : IR_OUTCOME_RETRY;
}
