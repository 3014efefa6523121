/* Each collection is a file of BSON documents, one after the other, as mongodump(1) writes it, and
 * compressed: `mongorestore --gzip` and bsondump(1) read them, too.
 *
 * Workers continue to write. They write a message's observations and revisions before the raw
 * message (put.c), and the backup reads in the same order. So a raw message in the backup may lack
 * an observation written after the observations were read; `ir-store reprocess` makes it again. */
#include "store/backup/bson_stream.h"
#include "store/backup/file.h"
#include "store/documents/mongodb/mongodb.h"

#include <stdio.h>

#define ENDING ".bson.gz"
#define BATCH_DOCUMENTS 1000
#define BATCH_BYTES ((size_t)8 * 1024 * 1024)
#define CODE_DUPLICATE_KEY 11000

/* The collections in the order of reading. Restoring writes them in the opposite order, so that
 * every observation has its raw message. */
static const char *const collections[] = {IR_MONGODB_REVISIONS, IR_MONGODB_OBSERVATIONS,
                                          IR_MONGODB_OUTCOMES, IR_MONGODB_RAW};
#define N_COLLECTIONS (sizeof collections / sizeof collections[0])

static void file_name(const char *collection, char name[static NAME_MAX]) {
    snprintf(name, NAME_MAX, "%s" ENDING, collection);
}

/* ---- saving ---- */

typedef struct saving {
    ir_backup_writer_t *writer;
    ir_error_t *error;
} saving_t;

static ir_status_t save_document(void *context, const bson_t *document) {
    const saving_t *saving = context;
    return ir_backup_write(saving->writer,
                           ir_view((const char *)bson_get_data(document), document->len),
                           saving->error);
}

static ir_status_t save_collection(const ir_mongodb_t *store, const char *collection,
                                   const char *folder, ir_error_t *error) {
    char name[NAME_MAX];
    saving_t saving = {.error = error};
    file_name(collection, name);
    ir_status_t status = ir_backup_create(folder, name, &saving.writer, error);
    if (status == IR_OK) {
        status = ir_mongodb_walk(store, collection, bson_new(), bson_new(), save_document, &saving,
                                 error);
    }
    const ir_status_t closed = ir_backup_close(saving.writer, status == IR_OK ? error : NULL);
    return status == IR_OK ? closed : status;
}

ir_status_t ir_mongodb_save(void *context, const char *folder, ir_error_t *error) {
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < N_COLLECTIONS && status == IR_OK; i++) {
        status = save_collection(context, collections[i], folder, error);
    }
    return status;
}

/* ---- loading ----
 *
 * Workers wait until the schema is noted, which ir_documents_init does afterwards. */

typedef struct loading {
    const ir_mongodb_t *store;
    mongoc_collection_t *collection;
    ir_bson_stream_t stream;
    ir_error_t *error;
} loading_t;

/* Whether all errors are about documents that exist already. */
static bool only_duplicates(const bson_t *reply) {
    bson_iter_t errors, one, code;
    bson_iter_t concern;
    if (bson_iter_init_find(&concern, reply, "writeConcernErrors") &&
        bson_iter_recurse(&concern, &one) && bson_iter_next(&one)) {
        return false;
    }
    if (!bson_iter_init_find(&errors, reply, "writeErrors") || !bson_iter_recurse(&errors, &one)) {
        return false;
    }
    bool any = false;
    while (bson_iter_next(&one)) {
        if (!bson_iter_recurse(&one, &code) || !bson_iter_find(&code, "code") ||
            bson_iter_as_int64(&code) != CODE_DUPLICATE_KEY) {
            return false;
        }
        any = true;
    }
    return any;
}

static ir_status_t insert(loading_t *loading, mongoc_bulk_operation_t *bulk) {
    bson_t reply;
    bson_error_t reason = {0};
    const bool good =
        mongoc_bulk_operation_execute(bulk, &reply, &reason) != 0 || only_duplicates(&reply);
    bson_destroy(&reply);
    return good ? IR_OK
                : ir_mongodb_failed(loading->store, &reason, "cannot restore", loading->error);
}

/* Inserts complete documents from the front of the stream. IR_ERR_NOT_FOUND: there is no further
 * complete document. */
static ir_status_t insert_some(loading_t *loading) {
    bson_t ordered = BSON_INITIALIZER;
    bson_append_bool(&ordered, "ordered", -1, false);
    mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(loading->collection, &ordered);
    bson_destroy(&ordered);
    ir_status_t status = IR_OK;
    int count = 0;
    while (count < BATCH_DOCUMENTS) {
        bson_t document;
        status = ir_bson_stream_next(&loading->stream, &document, loading->error);
        if (status != IR_OK) {
            break;
        }
        mongoc_bulk_operation_insert(bulk, &document);
        count++;
    }
    if (count > 0 && (status == IR_OK || status == IR_ERR_NOT_FOUND)) {
        const ir_status_t inserted = insert(loading, bulk);
        status = inserted == IR_OK ? status : inserted;
    }
    mongoc_bulk_operation_destroy(bulk);
    return status;
}

static ir_status_t insert_all(loading_t *loading) {
    ir_status_t status = IR_OK;
    while (status == IR_OK) {
        status = insert_some(loading);
    }
    return status == IR_ERR_NOT_FOUND ? IR_OK : status;
}

static ir_status_t take(void *context, ir_view_t bytes) {
    loading_t *loading = context;
    const ir_status_t status = ir_bson_stream_add(&loading->stream, bytes, loading->error);
    return status == IR_OK && ir_bson_stream_left(&loading->stream) >= BATCH_BYTES
               ? insert_all(loading)
               : status;
}

static ir_status_t load_collection(const ir_mongodb_t *store, const char *collection,
                                   const char *folder, ir_error_t *error) {
    char name[NAME_MAX];
    loading_t loading = {.store = store, .error = error};
    file_name(collection, name);
    loading.collection = mongoc_client_get_collection(store->client, store->database, collection);
    ir_buffer_init(&loading.stream.held);
    ir_status_t status = ir_backup_read(folder, name, take, &loading, error);
    if (status == IR_OK) {
        status = insert_all(&loading);
    }
    if (status == IR_OK && ir_bson_stream_left(&loading.stream) > 0) {
        status = ir_error_set(error, IR_ERR_SYNTAX, "%s/%s ends within a document", folder, name);
    }
    ir_buffer_free(&loading.stream.held);
    mongoc_collection_destroy(loading.collection);
    return status;
}

ir_status_t ir_mongodb_load(void *context, const char *folder, ir_error_t *error) {
    ir_status_t status = ir_mongodb_initiate(context, error);
    if (status == IR_OK) {
        status = ir_mongodb_prepare(context, error);
    }
    for (size_t i = N_COLLECTIONS; i > 0 && status == IR_OK; i--) {
        status = load_collection(context, collections[i - 1], folder, error);
    }
    return status;
}
