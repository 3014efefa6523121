#include "store/documents/mongodb/mongodb.h"

#define IDS_MAX 1000 /* maximum number of ids in one command */

static bool remove_some(const ir_mongodb_t *store, const char *name, bson_t *selector,
                        bson_error_t *reason) {
    mongoc_collection_t *collection =
        mongoc_client_get_collection(store->client, store->database, name);
    const bool good = mongoc_collection_delete_many(collection, selector, NULL, NULL, reason);
    mongoc_collection_destroy(collection);
    bson_destroy(selector);
    return good;
}

ir_status_t ir_mongodb_purge(void *context, ir_document_kind_t kind, const ir_id_t *ids,
                             size_t count, ir_error_t *error) {
    static const char *const collections[] = {
        [IR_DOCUMENT_RAW] = IR_MONGODB_RAW,
        [IR_DOCUMENT_OBSERVATION] = IR_MONGODB_OBSERVATIONS,
        [IR_DOCUMENT_REVISION] = IR_MONGODB_REVISIONS,
    };
    const ir_mongodb_t *store = context;
    bson_error_t reason = {0};
    bool good = true;
    for (size_t i = 0; i < count && good; i += IDS_MAX) {
        const size_t some = count - i < IDS_MAX ? count - i : IDS_MAX;
        if (kind == IR_DOCUMENT_RAW) {
            good = remove_some(store, IR_MONGODB_OUTCOMES,
                               ir_mongodb_any_of("raw", &ids[i], sizeof *ids, some), &reason);
        }
        good = good && remove_some(store, collections[kind],
                                   ir_mongodb_any_of("_id", &ids[i], sizeof *ids, some), &reason);
    }
    return good ? IR_OK : ir_mongodb_failed(store, &reason, "cannot remove documents", error);
}
