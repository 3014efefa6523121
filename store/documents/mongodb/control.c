#include "common/clock.h"
#include "store/documents/mongodb/mongodb.h"

/* Uses an ordinary insert, so that a server that refuses inserts refuses this one, too. */
static bool insert(mongoc_collection_t *collection, const bson_oid_t *id, bson_error_t *reason) {
    bson_t *document =
        BCON_NEW("_id", BCON_OID(id), "at", BCON_DATE_TIME(ir_clock_now() / IR_MILLISECOND_NS));
    const bool good = mongoc_collection_insert_one(collection, document, NULL, NULL, reason);
    bson_destroy(document);
    return good;
}

static bool is_there(mongoc_collection_t *collection, const bson_t *selector,
                     bson_error_t *reason) {
    const int64_t count =
        mongoc_collection_count_documents(collection, selector, NULL, NULL, NULL, reason);
    if (count == 0) {
        bson_set_error(reason, MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_INVALID_REPLY,
                       "a document that was stored is not there");
    }
    return count > 0;
}

ir_status_t ir_mongodb_put_control(const ir_mongodb_t *store, bool read_back, ir_error_t *error) {
    bson_error_t reason = {0};
    bson_oid_t id;
    bson_oid_init(&id, NULL);
    mongoc_collection_t *collection =
        mongoc_client_get_collection(store->client, store->database, IR_MONGODB_PROBE);
    bson_t *selector = BCON_NEW("_id", BCON_OID(&id));
    const bool stored = insert(collection, &id, &reason);
    const bool good = stored && (!read_back || is_there(collection, selector, &reason));
    if (stored) {
        (void)mongoc_collection_delete_one(collection, selector, NULL, NULL, NULL);
    }
    bson_destroy(selector);
    mongoc_collection_destroy(collection);
    return good ? IR_OK
                : ir_mongodb_failed(store, &reason, "cannot store a control document", error);
}

ir_status_t ir_mongodb_probe(void *context, ir_error_t *error) {
    return ir_mongodb_put_control(context, true, error);
}
