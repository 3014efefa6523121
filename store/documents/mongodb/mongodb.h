/* The MongoDB document store, as shared by its own files. The URI names the database (default
 * intelligent_river). Every write uses w: majority and j: true. Collections:
 *
 * - raw: _id is the message's id (binary, subtype 4, like all ids). It has the first outcome
 *   (status, refusals) and, if they exist, the sender's `name` and `sent`. On a mongos it is
 *   sharded by mote (hashed).
 * - outcomes: later outcomes of a message that differ from the previous one: `raw`, `at`, `status`,
 *   `refusals`, and `first`, the status in the raw document.
 * - observations: the fields of the "json" format's document. `time` is a date, `time_ns` is exact;
 *   flags and source are sub-documents. Sharded by (mote hashed, time).
 * - revisions: sharded in the same way. `supersedes` is the verdict that one replaces, if any.
 * - meta: one document, _id "schema", whose `version` is IR_MONGODB_SCHEMA.
 * - readable: a view of observations with their newest verdict (newest.h). `flags`, `aggregate` and
 *   `quality` are the newest ones, `reasons` are words, `first_quality` is the stored quality.
 * - probe: control documents, which are removed again. They distinguish a server that refuses
 *   everything from one that refuses a document.
 *
 * Every index adds to the cost of every insert. An index with many growing pages (one per sensor)
 * costs more the larger the store is. So each collection has one index beside _id: observations by
 * mote and time, followed by the fields that decide whether a document must be read at all; raw
 * messages by arrival; outcomes by message; revisions by observation. A time range over all motes
 * uses _id.
 *
 * On several shards _id is unique only within a shard. But mote and time are part of the content
 * that the id is computed from. So the same observation always goes to the same shard, where its
 * first copy is. */
#ifndef IR_STORE_DOCUMENTS_MONGODB_MONGODB_H
#define IR_STORE_DOCUMENTS_MONGODB_MONGODB_H

#include "common/buffer.h"
#include "store/documents/backend.h"

#include <mongoc/mongoc.h>

#define IR_MONGODB_RAW "raw"
#define IR_MONGODB_OBSERVATIONS "observations"
#define IR_MONGODB_REVISIONS "revisions"
#define IR_MONGODB_OUTCOMES "outcomes"
#define IR_MONGODB_META "meta"

#define IR_MONGODB_PROBE "probe"
#define IR_MONGODB_READABLE "readable"

#define IR_MONGODB_NAMESPACE_EXISTS 48 /* an error code */

/* Without `meta`, ids have an older format (UUID version 5). */
#define IR_MONGODB_SCHEMA 2

/* BSON's size limit for one document. */
#define IR_MONGODB_DOCUMENT_MAX (16U * 1024 * 1024)

typedef struct ir_mongodb {
    bool earlier; /* made before `meta` existed, so it can only be read */
    mongoc_uri_t *uri;
    mongoc_client_t *client;
    char *database;
    char place[128]; /* hosts and database, for messages */
    int timeout_ms;
    const char *shards; /* the shards that init adds; or NULL */
    bool doubtful;      /* the last check or write failed, or the client has reconnected since */
    bool routed;        /* the client is connected to a mongos */
    int64_t present_ns; /* when the database was last known to be the one that was set up;
                         * monotonic */
} ir_mongodb_t;

extern const char *const ir_mongodb_collections[]; /* ends with NULL */

/* Makes a client for store->uri, replacing an earlier one. */
ir_status_t ir_mongodb_make_client(ir_mongodb_t *store, ir_error_t *error);

/* Makes the view `readable`, or replaces it if it is not what this program has. The role
 * readWrite suffices. */
bool ir_mongodb_make_view(const ir_mongodb_t *store, bson_error_t *reason);

/* Runs one command on `database`; takes ownership of `command`. The caller must destroy `reply`
 * (may be NULL) in any case. */
bool ir_mongodb_command(mongoc_client_t *client, const char *database, bson_t *command,
                        bson_t *reply, bson_error_t *reason);

/* Converts `reason` to a status and an error; `what` describes what failed. */
ir_status_t ir_mongodb_failed(const ir_mongodb_t *store, const bson_error_t *reason,
                              const char *what, ir_error_t *error);

/* Calls `each` for every document that a query finds, while it returns IR_OK. Destroys `filter` and
 * `options`. */
typedef ir_status_t (*ir_document_fn)(void *context, const bson_t *document);
ir_status_t ir_mongodb_walk(const ir_mongodb_t *store, const char *collection, bson_t *filter,
                            bson_t *options, ir_document_fn each, void *context, ir_error_t *error);

/* Calls `each` for every result of an aggregation pipeline on a collection. Destroys `pipeline`. */
ir_status_t ir_mongodb_aggregate(const ir_mongodb_t *store, const char *collection,
                                 bson_t *pipeline, ir_document_fn each, void *context,
                                 ir_error_t *error);

/* Adds to a filter: `key` lies between these ids, both included. */
void ir_mongodb_append_bound(bson_t *document, const char *key, const ir_id_t *least,
                             const ir_id_t *greatest);
/* Adds to a filter: `key` lies between these ids, without the first one. */
void ir_mongodb_append_later(bson_t *document, const char *key, const ir_id_t *after,
                             const ir_id_t *greatest);

/* A filter: `key` is one of `count` ids, which are `stride` bytes apart in memory. */
bson_t *ir_mongodb_any_of(const char *key, const ir_id_t *ids, size_t stride, size_t count);

/* Whether a mongos answered `hello`. */
bool ir_mongodb_is_router(const bson_t *hello);

/* Checks the schema: OK, NOT_FOUND (nothing exists yet), or PROTOCOL (another schema). */
ir_status_t ir_mongodb_check_schema(const ir_mongodb_t *store, ir_error_t *error);

/* Setup (setup.c, user.c). */
ir_status_t ir_mongodb_initiate(void *context, ir_error_t *error);
ir_status_t ir_mongodb_grant(void *context, const ir_documents_user_t *user, ir_error_t *error);
ir_status_t ir_mongodb_init(void *context, ir_error_t *error);
/* The two parts of init: collections, indexes and view; then the mark that the store is set up. */
ir_status_t ir_mongodb_prepare(const ir_mongodb_t *store, ir_error_t *error);
bool ir_mongodb_note_schema(const ir_mongodb_t *store, bson_error_t *reason);

/* Whether the database is still one that was set up. IR_ERR_VANISHED: it is another one, or the
 * server has lost its data. */
ir_status_t ir_mongodb_present(void *context, ir_error_t *error);

/* The millisecond since 1970 that contains a time, as documents store dates. */
int64_t ir_mongodb_date(int64_t time_ns);

/* Fill an empty document. */
void ir_mongodb_observation(bson_t *document, const ir_batch_t *batch, const ir_observation_t *o);
void ir_mongodb_raw(bson_t *document, const ir_batch_t *batch, uint32_t message);
/* Status and refusals of a message; `raw` has them too. */
void ir_mongodb_outcome(bson_t *document, const ir_batch_t *batch, uint32_t message);
void ir_mongodb_outcome_head(bson_t *document, const ir_id_t *raw_id, ir_view_t mote,
                             ir_view_t first, int64_t at_ns);
void ir_mongodb_dropped(bson_t *document, const ir_raw_document_t *raw);
void ir_mongodb_revision(bson_t *document, const ir_revision_t *revision);

/* Read fields back. Return false when a field is missing or has another type. */
bool ir_mongodb_read_id(const bson_t *document, const char *key, ir_id_t *id);
int64_t ir_mongodb_read_int(const bson_t *document, const char *path); /* 0: absent */
bool ir_mongodb_says(const bson_t *document, const char *path, const char *text);
/* The next call reuses `list`; its owner frees it. Returns false when memory is exhausted. */
bool ir_mongodb_read_refusals(const bson_t *document, ir_refusal_list_t *list);
bool ir_mongodb_read_raw(const bson_t *document, ir_raw_document_t *raw, ir_refusal_list_t *list);
bool ir_mongodb_read_stored(const bson_t *document, ir_stored_observation_t *stored);
bool ir_mongodb_read_revision(const bson_t *document, ir_stored_revision_t *stored);
bool ir_mongodb_read_point(const bson_t *document, ir_point_t *point);

/* An observation with its document's description of the sensor. Do not copy it: it points into
 * itself and into the document. */
typedef struct ir_mongodb_described {
    ir_mote_t mote;
    ir_property_t property;
    ir_feature_t feature;
    ir_unit_t unit;
    ir_sensor_t sensor;
    ir_stored_observation_t stored;
} ir_mongodb_described_t;

/* False as above. */
bool ir_mongodb_read_described(const bson_t *document, ir_mongodb_described_t *described);

/* Writes a control document, which is certainly good, and removes it. With `read_back`, it must be
 * found before that (control.c). */
ir_status_t ir_mongodb_put_control(const ir_mongodb_t *store, bool read_back, ir_error_t *error);
ir_status_t ir_mongodb_probe(void *context, ir_error_t *error);

ir_outcome_t ir_mongodb_put(void *context, ir_batch_t *batch, ir_error_t *error);
ir_status_t ir_mongodb_put_outcomes(const ir_mongodb_t *store, const ir_batch_t *batch,
                                    ir_error_t *error);
ir_outcome_t ir_mongodb_arrivals(void *store, ir_raw_arrival_t *arrivals, size_t count,
                                 ir_error_t *error);
ir_outcome_t ir_mongodb_recent(void *store, const ir_sensor_t *sensor, int64_t before_ns,
                               size_t limit, ir_point_t *points, size_t *count, ir_error_t *error);
ir_status_t ir_mongodb_count(void *context, ir_documents_counts_t *counts, ir_error_t *error);
ir_status_t ir_mongodb_purge(void *context, ir_document_kind_t kind, const ir_id_t *ids,
                             size_t count, ir_error_t *error); /* purge.c */
/* backup.c */
ir_status_t ir_mongodb_save(void *context, const char *folder, ir_error_t *error);
ir_status_t ir_mongodb_load(void *context, const char *folder, ir_error_t *error);
ir_status_t ir_mongodb_each(void *store, ir_document_kind_t kind, ir_each_document_fn each,
                            void *context, ir_error_t *error);
ir_status_t ir_mongodb_each_raw(void *store, const ir_raw_selection_t *selection,
                                ir_each_raw_fn each, void *context, ir_error_t *error);
ir_status_t ir_mongodb_each_outcome(void *context, const ir_id_t *raw_id, ir_each_outcome_fn each,
                                    void *each_context, ir_error_t *error);
ir_status_t ir_mongodb_drop(void *context, const ir_raw_document_t *raw, ir_error_t *error);
ir_status_t ir_mongodb_each_sensor(void *store, ir_each_sensor_fn each, void *context,
                                   ir_error_t *error);
ir_status_t ir_mongodb_each_observation(void *store, const char *mote, const char *sensor,
                                        int64_t from_ns, int64_t to_ns, ir_each_observation_fn each,
                                        void *context, ir_error_t *error);
ir_status_t ir_mongodb_each_revision(void *store, const char *sensor, int64_t from_ns,
                                     int64_t to_ns, ir_each_revision_fn each, void *context,
                                     ir_error_t *error);
ir_status_t ir_mongodb_each_selected(void *store, const ir_observation_selection_t *selection,
                                     ir_each_observation_fn each, void *context, ir_error_t *error);
ir_status_t ir_mongodb_last(void *store, const char *mote, const char *sensor,
                            ir_each_observation_fn each, void *context, ir_error_t *error);
ir_status_t ir_mongodb_revisions_from(void *store, const ir_id_t *least, size_t limit,
                                      ir_each_revision_fn each, void *context, ir_error_t *error);

#endif
