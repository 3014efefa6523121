#include "store/documents/mongodb/mongodb.h"

#include <stdlib.h>

typedef struct ir_raw_walk {
    ir_each_raw_fn each;
    void *context;
    ir_refusal_list_t refusals;
    ir_error_t *error;
} ir_raw_walk_t;

static ir_status_t visit_raw(void *context, const bson_t *document) {
    ir_raw_walk_t *raws = context;
    ir_raw_document_t raw;
    if (!ir_mongodb_read_raw(document, &raw, &raws->refusals)) {
        return ir_error_set(raws->error, IR_ERR_MEMORY, "documents: out of memory for one message");
    }
    return raws->each(raws->context, &raw);
}

static ir_status_t see_outcome(void *context, const bson_t *document) {
    (void)document;
    *(bool *)context = true;
    return IR_OK;
}

/* ---- the pipeline ---- */

static void append_stage(bson_t *pipeline, int *n, const bson_t *stage) {
    char scratch[16];
    const char *key = NULL;
    bson_uint32_to_string((uint32_t)(*n)++, &key, scratch, sizeof scratch);
    bson_append_document(pipeline, key, -1, stage);
}

static void take_stage(bson_t *pipeline, int *n, bson_t *stage) {
    append_stage(pipeline, n, stage);
    bson_destroy(stage);
}

static bson_t *match(const ir_raw_selection_t *selection) {
    bson_t *filter = selection->id != NULL
                         ? ir_mongodb_any_of("_id", selection->id, sizeof *selection->id, 1)
                         : bson_new();
    bson_t bounds;
    if (selection->mote != NULL) {
        BSON_APPEND_UTF8(filter, "mote", selection->mote);
    }
    if (selection->since_ns != 0 || selection->until_ns != 0) {
        BSON_APPEND_DOCUMENT_BEGIN(filter, "received_ns", &bounds);
        BSON_APPEND_INT64(&bounds, "$gte",
                          selection->since_ns != 0 ? selection->since_ns : INT64_MIN);
        BSON_APPEND_INT64(&bounds, "$lt",
                          selection->until_ns != 0 ? selection->until_ns : INT64_MAX);
        bson_append_document_end(filter, &bounds);
    }
    bson_t *stage = BCON_NEW("$match", BCON_DOCUMENT(filter));
    bson_destroy(filter);
    return stage;
}

/* Adds the newest outcome as `later`, an array with one element or none. */
static bson_t *look_up(void) {
    return BCON_NEW("$lookup", "{", "from", BCON_UTF8(IR_MONGODB_OUTCOMES), "let", "{", "raw",
                    BCON_UTF8("$_id"), "}", "pipeline", "[", "{", "$match", "{", "$expr", "{",
                    "$eq", "[", BCON_UTF8("$raw"), BCON_UTF8("$$raw"), "]", "}", "}", "}", "{",
                    "$sort", "{", "at_ns", BCON_INT32(-1), "_id", BCON_INT32(-1), "}", "}", "{",
                    "$limit", BCON_INT32(1), "}", "]", "as", BCON_UTF8("later"), "}");
}

/* Replaces the status and the refusals of the raw document with those of `later`. The earlier
 * status becomes `first`. */
static bson_t *take_newest(void) {
    return BCON_NEW("$addFields", "{", "first", BCON_UTF8("$status"), "status", "{", "$ifNull", "[",
                    "{", "$arrayElemAt", "[", BCON_UTF8("$later.status"), BCON_INT32(0), "]", "}",
                    BCON_UTF8("$status"), "]", "}", "refusals", "{", "$cond", "[", "{", "$eq", "[",
                    BCON_UTF8("$later"), "[", "]", "]", "}", BCON_UTF8("$refusals"), "{",
                    "$arrayElemAt", "[", BCON_UTF8("$later.refusals"), BCON_INT32(0), "]", "}", "]",
                    "}", "}");
}

static bson_t *match_refused(void) {
    return BCON_NEW("$match", "{", "status", "{", "$in", "[", BCON_UTF8("rejected"),
                    BCON_UTF8("partly"), "]", "}", "}");
}

/* May use the server's disk, because sorting documents with bodies may exceed its memory limit. */
static bson_t *pipeline_of(const ir_raw_selection_t *selection, bool ordered, bool later) {
    bson_t *whole = bson_new();
    bson_t stages;
    int n = 0;
    BSON_APPEND_ARRAY_BEGIN(whole, "pipeline", &stages);
    take_stage(&stages, &n, match(selection));
    if (ordered) {
        take_stage(&stages, &n,
                   BCON_NEW("$sort", "{", "received_ns", BCON_INT32(1), "_id", BCON_INT32(1), "}"));
    }
    if (later) {
        take_stage(&stages, &n, look_up());
        take_stage(&stages, &n, take_newest());
    }
    if (selection->refused) {
        take_stage(&stages, &n, match_refused());
    }
    bson_append_array_end(whole, &stages);
    return whole;
}

ir_status_t ir_mongodb_each_raw(void *store, const ir_raw_selection_t *selection,
                                ir_each_raw_fn each, void *context, ir_error_t *error) {
    static const ir_raw_selection_t everything = {.id = NULL};
    ir_raw_walk_t raws = {.each = each, .context = context, .error = error};
    bool later = false;
    ir_status_t status =
        ir_mongodb_walk(store, IR_MONGODB_OUTCOMES, bson_new(), BCON_NEW("limit", BCON_INT64(1)),
                        see_outcome, &later, error);
    if (status == IR_OK) {
        status = ir_mongodb_aggregate(
            store, IR_MONGODB_RAW,
            pipeline_of(selection != NULL ? selection : &everything, selection != NULL, later),
            visit_raw, &raws, error);
    }
    free(raws.refusals.refusals);
    return status;
}
