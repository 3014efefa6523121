#include "common/clock.h"
#include "store/documents/mongodb/mongodb.h"

#include <stdlib.h>
#include <string.h>

/* Calls `each` for every document of the cursor; destroys the cursor. */
static ir_status_t follow(const ir_mongodb_t *store, mongoc_cursor_t *cursor, ir_document_fn each,
                          void *context, ir_error_t *error) {
    const bson_t *document = NULL;
    bson_error_t reason;
    ir_status_t status = IR_OK;
    while (status == IR_OK && mongoc_cursor_next(cursor, &document)) {
        status = each(context, document);
    }
    if (status == IR_OK && mongoc_cursor_error(cursor, &reason)) {
        status = ir_mongodb_failed(store, &reason, "cannot read", error);
    }
    mongoc_cursor_destroy(cursor);
    return status;
}

ir_status_t ir_mongodb_walk(const ir_mongodb_t *store, const char *collection_name, bson_t *filter,
                            bson_t *options, ir_document_fn each, void *context,
                            ir_error_t *error) {
    mongoc_collection_t *collection =
        mongoc_client_get_collection(store->client, store->database, collection_name);
    const ir_status_t status =
        follow(store, mongoc_collection_find_with_opts(collection, filter, options, NULL), each,
               context, error);
    mongoc_collection_destroy(collection);
    bson_destroy(filter);
    bson_destroy(options);
    return status;
}

ir_status_t ir_mongodb_aggregate(const ir_mongodb_t *store, const char *collection_name,
                                 bson_t *pipeline, ir_document_fn each, void *context,
                                 ir_error_t *error) {
    bson_t *options = BCON_NEW("allowDiskUse", BCON_BOOL(true));
    mongoc_collection_t *collection =
        mongoc_client_get_collection(store->client, store->database, collection_name);
    const ir_status_t status = follow(
        store, mongoc_collection_aggregate(collection, MONGOC_QUERY_NONE, pipeline, options, NULL),
        each, context, error);
    mongoc_collection_destroy(collection);
    bson_destroy(options);
    bson_destroy(pipeline);
    return status;
}

/* ---- arrivals ---- */

typedef struct ir_asking {
    ir_raw_arrival_t *arrivals;
    size_t count;
} ir_asking_t;

static int compare_arrival(const void *id, const void *arrival) {
    return ir_id_compare(id, &((const ir_raw_arrival_t *)arrival)->raw_id);
}

static ir_status_t visit_arrival(void *context, const bson_t *document) {
    const ir_asking_t *asking = context;
    ir_id_t id;
    ir_raw_arrival_t *arrival = ir_mongodb_read_id(document, "_id", &id)
                                    ? bsearch(&id, asking->arrivals, asking->count,
                                              sizeof *asking->arrivals, compare_arrival)
                                    : NULL;
    if (arrival != NULL) {
        arrival->stored = true;
        arrival->clock =
            (ir_senml_clock_t){.arrival_ns = ir_mongodb_read_int(document, "received_ns"),
                               .sent_ns = ir_mongodb_read_int(document, "sent_ns")};
    }
    return IR_OK;
}

ir_outcome_t ir_mongodb_arrivals(void *store, ir_raw_arrival_t *arrivals, size_t count,
                                 ir_error_t *error) {
    ir_asking_t asking = {arrivals, count};
    for (size_t i = 0; i < count; i++) {
        arrivals[i].stored = false;
    }
    bson_t *options =
        BCON_NEW("projection", "{", "received_ns", BCON_INT32(1), "sent_ns", BCON_INT32(1), "}");
    return ir_mongodb_walk(store, IR_MONGODB_RAW,
                           ir_mongodb_any_of("_id", &arrivals->raw_id, sizeof *arrivals, count),
                           options, visit_arrival, &asking, error) == IR_OK
               ? IR_OUTCOME_OK
               : IR_OUTCOME_RETRY;
}

/* ---- a time range of a series ---- */

/* Makes a query that the index "series" can answer: its first fields are the mote and the time as a
 * date. */
static bson_t *stretch_of(const char *mote, const char *sensor, int64_t from_ns, int64_t to_ns) {
    return BCON_NEW(
        "mote", BCON_UTF8(mote), "time", "{", "$gte", BCON_DATE_TIME(ir_mongodb_date(from_ns)),
        "$lte", BCON_DATE_TIME(ir_mongodb_date(to_ns)), "}", "time_ns", "{", "$gte",
        BCON_INT64(from_ns), "$lte", BCON_INT64(to_ns), "}", "sensor", BCON_UTF8(sensor));
}

/* ---- recent points ---- */

typedef struct ir_recent {
    ir_point_t *points;
    size_t limit, count;
} ir_recent_t;

static ir_status_t visit_point(void *context, const bson_t *document) {
    ir_recent_t *recent = context;
    if (recent->count < recent->limit &&
        ir_mongodb_read_point(document, &recent->points[recent->count])) {
        recent->count++;
    }
    return IR_OK;
}

ir_outcome_t ir_mongodb_recent(void *store, const ir_sensor_t *sensor, int64_t before_ns,
                               size_t limit, ir_point_t *points, size_t *count, ir_error_t *error) {
    bson_t *filter = stretch_of(sensor->mote->id, sensor->name, INT64_MIN,
                                before_ns > INT64_MIN ? before_ns - 1 : INT64_MIN);
    BSON_APPEND_BOOL(filter, "late", false);
    BSON_APPEND_UTF8(filter, "unit", sensor->unit != NULL ? sensor->unit->ucum : "");
    BCON_APPEND(filter, "value", "{", "$type", BCON_UTF8("double"), "}"); /* not missing */
    bson_t *options = BCON_NEW("sort", "{", "time", BCON_INT32(-1), "time_ns", BCON_INT32(-1), "}",
                               "limit", BCON_INT64((int64_t)limit));
    ir_recent_t recent = {points, limit, 0};
    if (ir_mongodb_walk(store, IR_MONGODB_OBSERVATIONS, filter, options, visit_point, &recent,
                        error) != IR_OK) {
        return IR_OUTCOME_RETRY;
    }
    *count = recent.count;
    return IR_OUTCOME_OK;
}

/* ---- counting ---- */

static bool count_documents(const ir_mongodb_t *store, const char *name, const bson_t *filter,
                            uint64_t *count, bson_error_t *reason) {
    mongoc_collection_t *collection =
        mongoc_client_get_collection(store->client, store->database, name);
    const int64_t found =
        mongoc_collection_count_documents(collection, filter, NULL, NULL, NULL, reason);
    mongoc_collection_destroy(collection);
    *count = found >= 0 ? (uint64_t)found : 0;
    return found >= 0;
}

static ir_status_t visit_changes(void *context, const bson_t *group) {
    uint64_t *rejected = context;
    const bool was = ir_mongodb_says(group, "_id.first", "rejected");
    const bool is = ir_mongodb_says(group, "_id.status", "rejected");
    const uint64_t n = (uint64_t)ir_mongodb_read_int(group, "n");
    *rejected += is && !was ? n : 0;
    *rejected -= was && !is ? n : 0;
    return IR_OK;
}

/* Corrects `rejected` by the messages whose newest outcome differs from their first one. */
static ir_status_t count_changes(const ir_mongodb_t *store, uint64_t *rejected, ir_error_t *error) {
    bson_t *pipeline = BCON_NEW(
        "pipeline", "[", "{", "$sort", "{", "raw", BCON_INT32(1), "at_ns", BCON_INT32(1), "_id",
        BCON_INT32(1), "}", "}", "{", "$group", "{", "_id", BCON_UTF8("$raw"), "first", "{",
        "$last", BCON_UTF8("$first"), "}", "status", "{", "$last", BCON_UTF8("$status"), "}", "}",
        "}", "{", "$group", "{", "_id", "{", "first", BCON_UTF8("$first"), "status",
        BCON_UTF8("$status"), "}", "n", "{", "$sum", BCON_INT64(1), "}", "}", "}", "]");
    return ir_mongodb_aggregate(store, IR_MONGODB_OUTCOMES, pipeline, visit_changes, rejected,
                                error);
}

ir_status_t ir_mongodb_count(void *context, ir_documents_counts_t *counts, ir_error_t *error) {
    const ir_mongodb_t *store = context;
    ir_documents_counts_t found = {0};
    bson_error_t reason;
    bson_t all = BSON_INITIALIZER;
    bson_t rejected = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&rejected, "status", "rejected");
    const bool good =
        count_documents(store, IR_MONGODB_RAW, &all, &found.raw, &reason) &&
        count_documents(store, IR_MONGODB_RAW, &rejected, &found.raw_rejected, &reason) &&
        count_documents(store, IR_MONGODB_OBSERVATIONS, &all, &found.observations, &reason) &&
        count_documents(store, IR_MONGODB_REVISIONS, &all, &found.revisions, &reason);
    bson_destroy(&all);
    bson_destroy(&rejected);
    if (!good) {
        return ir_mongodb_failed(store, &reason, "cannot count", error);
    }
    const ir_status_t status = count_changes(store, &found.raw_rejected, error);
    if (status == IR_OK) {
        *counts = found;
    }
    return status;
}

/* ---- ids ---- */

typedef struct ir_observation_walk {
    ir_each_document_fn each;
    void *context;
} ir_observation_walk_t;

static ir_view_t text_at(const bson_t *document, const char *path) {
    bson_iter_t all, found;
    return bson_iter_init(&all, document) && bson_iter_find_descendant(&all, path, &found) &&
                   BSON_ITER_HOLDS_UTF8(&found)
               ? ir_view_text(bson_iter_utf8(&found, NULL))
               : ir_view(NULL, 0);
}

static ir_status_t visit_id(void *context, const bson_t *document) {
    const ir_observation_walk_t *ids = context;
    /* A document that another program wrote is reported with an id that no ledger lists, so it
     * counts as foreign. */
    ir_document_key_t key = {.mote = text_at(document, "mote")};
    if (!ir_mongodb_read_id(document, "_id", &key.id)) {
        key.id = (ir_id_t){{0}};
    }
    if (!ir_mongodb_read_id(document, "raw", &key.raw_id)) {
        key.raw_id = key.id;
    }
    return ids->each(ids->context, &key);
}

ir_status_t ir_mongodb_each(void *store, ir_document_kind_t kind, ir_each_document_fn each,
                            void *context, ir_error_t *error) {
    static const char *const collections[] = {
        [IR_DOCUMENT_RAW] = IR_MONGODB_RAW,
        [IR_DOCUMENT_OBSERVATION] = IR_MONGODB_OBSERVATIONS,
        [IR_DOCUMENT_REVISION] = IR_MONGODB_REVISIONS,
    };
    ir_observation_walk_t ids = {.each = each, .context = context};
    bson_t *options = BCON_NEW("projection", "{", "_id", BCON_INT32(1), "raw", BCON_INT32(1),
                               "mote", BCON_INT32(1), "}");
    return ir_mongodb_walk(store, collections[kind], bson_new(), options, visit_id, &ids, error);
}

/* ---- whole observations ---- */

typedef struct ir_selected_walk {
    ir_each_observation_fn each;
    void *context;
    ir_error_t *error;
} ir_selected_walk_t;

static ir_status_t visit_described(void *context, const bson_t *document) {
    const ir_selected_walk_t *walk = context;
    ir_mongodb_described_t described;
    return ir_mongodb_read_described(document, &described)
               ? walk->each(walk->context, &described.stored)
               : ir_error_set(walk->error, IR_ERR_PROTOCOL,
                              "documents mongodb: a document of the collection observations is not "
                              "one of this program's; remove it");
}

/* The index by id is in the order of time, to the millisecond. Times before 1970 come first. */
ir_status_t ir_mongodb_each_selected(void *store, const ir_observation_selection_t *selection,
                                     ir_each_observation_fn each, void *context,
                                     ir_error_t *error) {
    ir_selected_walk_t walk = {each, context, error};
    ir_id_t least, greatest;
    bson_t *filter = bson_new();
    ir_id_stretch(selection->from_ns, selection->to_ns, &least, &greatest);
    if (selection->after != NULL) {
        ir_mongodb_append_later(filter, "_id", selection->after, &greatest);
    } else {
        ir_mongodb_append_bound(filter, "_id", &least, &greatest);
    }
    BCON_APPEND(filter, "time_ns", "{", "$gte", BCON_INT64(selection->from_ns), "$lte",
                BCON_INT64(selection->to_ns), "}");
    if (selection->mote != NULL) {
        BSON_APPEND_UTF8(filter, "mote", selection->mote);
    }
    if (selection->property != NULL) {
        BSON_APPEND_UTF8(filter, "property", selection->property);
    }
    return ir_mongodb_walk(
        store, IR_MONGODB_OBSERVATIONS, filter,
        BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "allowDiskUse", BCON_BOOL(true)),
        visit_described, &walk, error);
}

ir_status_t ir_mongodb_last(void *store, const char *mote, const char *sensor,
                            ir_each_observation_fn each, void *context, ir_error_t *error) {
    ir_selected_walk_t walk = {each, context, error};
    return ir_mongodb_walk(store, IR_MONGODB_OBSERVATIONS,
                           BCON_NEW("mote", BCON_UTF8(mote), "sensor", BCON_UTF8(sensor)),
                           BCON_NEW("sort", "{", "time", BCON_INT32(-1), "time_ns", BCON_INT32(-1),
                                    "}", "limit", BCON_INT64(1)),
                           visit_described, &walk, error);
}

/* ---- series ---- */

typedef struct ir_series_walk {
    ir_each_sensor_fn each_sensor;
    ir_each_observation_fn each_observation;
    ir_each_revision_fn each_revision;
    void *context;
} ir_series_walk_t;

static ir_status_t visit_sensor(void *context, const bson_t *group) {
    const ir_series_walk_t *series = context;
    const ir_view_t mote = text_at(group, "_id.mote");
    const ir_view_t name = text_at(group, "_id.sensor");
    return name.size > 0 ? series->each_sensor(series->context, mote, name) : IR_OK;
}

ir_status_t ir_mongodb_each_sensor(void *store, ir_each_sensor_fn each, void *context,
                                   ir_error_t *error) {
    ir_series_walk_t series = {.each_sensor = each, .context = context};
    bson_t *pipeline =
        BCON_NEW("pipeline", "[", "{", "$group", "{", "_id", "{", "mote", BCON_UTF8("$mote"),
                 "sensor", BCON_UTF8("$sensor"), "}", "}", "}", "]");
    return ir_mongodb_aggregate(store, IR_MONGODB_OBSERVATIONS, pipeline, visit_sensor, &series,
                                error);
}

static ir_status_t visit_stored(void *context, const bson_t *document) {
    const ir_series_walk_t *series = context;
    ir_stored_observation_t stored;
    return ir_mongodb_read_stored(document, &stored)
               ? series->each_observation(series->context, &stored)
               : IR_OK;
}

ir_status_t ir_mongodb_each_observation(void *store, const char *mote, const char *sensor,
                                        int64_t from_ns, int64_t to_ns, ir_each_observation_fn each,
                                        void *context, ir_error_t *error) {
    ir_series_walk_t series = {.each_observation = each, .context = context};
    return ir_mongodb_walk(store, IR_MONGODB_OBSERVATIONS, stretch_of(mote, sensor, from_ns, to_ns),
                           BCON_NEW("sort", "{", "time", BCON_INT32(1), "time_ns", BCON_INT32(1),
                                    "late", BCON_INT32(1), "}", "allowDiskUse", BCON_BOOL(true)),
                           visit_stored, &series, error);
}

static ir_status_t visit_revision(void *context, const bson_t *document) {
    const ir_series_walk_t *series = context;
    ir_stored_revision_t stored;
    return ir_mongodb_read_revision(document, &stored)
               ? series->each_revision(series->context, &stored)
               : IR_OK;
}

ir_status_t ir_mongodb_each_revision(void *store, const char *sensor, int64_t from_ns,
                                     int64_t to_ns, ir_each_revision_fn each, void *context,
                                     ir_error_t *error) {
    ir_series_walk_t series = {.each_revision = each, .context = context};
    ir_id_t least, greatest;
    bson_t *filter = BCON_NEW("sensor", BCON_UTF8(sensor), "time_ns", "{", "$gte",
                              BCON_INT64(from_ns), "$lte", BCON_INT64(to_ns), "}");
    ir_id_stretch(from_ns, to_ns, &least, &greatest);
    ir_mongodb_append_bound(filter, "_id", &least, &greatest);
    return ir_mongodb_walk(store, IR_MONGODB_REVISIONS, filter, bson_new(), visit_revision, &series,
                           error);
}

ir_status_t ir_mongodb_revisions_from(void *store, const ir_id_t *least, size_t limit,
                                      ir_each_revision_fn each, void *context, ir_error_t *error) {
    ir_series_walk_t series = {.each_revision = each, .context = context};
    ir_id_t greatest;
    bson_t *filter = bson_new();
    memset(greatest.bytes, 0xff, sizeof greatest.bytes);
    ir_mongodb_append_bound(filter, "_id", least, &greatest);
    return ir_mongodb_walk(
        store, IR_MONGODB_REVISIONS, filter,
        BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64((int64_t)limit)),
        visit_revision, &series, error);
}
