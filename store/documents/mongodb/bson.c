#include "annotation/formats/document.h"
#include "common/clock.h"
#include "store/documents/mongodb/mongodb.h"

/* ---- writing ---- */

static void append_id(bson_t *out, const char *key, const ir_id_t *id) {
    bson_append_binary(out, key, -1, BSON_SUBTYPE_UUID, id->bytes, sizeof id->bytes);
}

static void append_view(bson_t *out, const char *key, ir_view_t text) {
    bson_append_utf8(out, key, -1, text.data != NULL ? text.data : "", (int)text.size);
}

static void append_text(bson_t *out, const char *key, const char *text) {
    if (text != NULL) {
        bson_append_utf8(out, key, -1, text, -1);
    }
}

int64_t ir_mongodb_date(int64_t time_ns) {
    return time_ns / IR_MILLISECOND_NS - (time_ns % IR_MILLISECOND_NS < 0);
}

static void append_time(bson_t *out, const char *key, const char *key_ns, int64_t time_ns) {
    bson_append_date_time(out, key, -1, ir_mongodb_date(time_ns));
    bson_append_int64(out, key_ns, -1, time_ns);
}

static void append_value(bson_t *out, const char *key, const ir_value_t *value) {
    switch (value->kind) {
    case IR_VALUE_NUMBER:
        bson_append_double(out, key, -1, value->number);
        break;
    case IR_VALUE_STRING:
        append_view(out, key, value->bytes);
        break;
    case IR_VALUE_BOOL:
        bson_append_bool(out, key, -1, value->boolean);
        break;
    case IR_VALUE_DATA:
        bson_append_binary(out, key, -1, BSON_SUBTYPE_BINARY,
                           (const uint8_t *)(value->bytes.data != NULL ? value->bytes.data : ""),
                           (uint32_t)value->bytes.size);
        break;
    case IR_VALUE_NONE:
        bson_append_null(out, key, -1);
        break;
    }
}

static void append_flags(bson_t *out, const ir_observation_t *o) {
    bson_t flags;
    bson_append_document_begin(out, "flags", -1, &flags);
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        bson_append_int32(&flags, ir_test_text((ir_test_t)test), -1, o->flags[test]);
    }
    bson_append_document_end(out, &flags);
    bson_append_int32(out, "aggregate", -1, o->aggregate);
    append_text(out, "quality", ir_flag_text(o->aggregate));
}

static void append_sensor(bson_t *out, const ir_sensor_t *sensor) {
    append_text(out, "mote", sensor->mote->id);
    append_text(out, "sensor", sensor->name);
    append_text(out, "sensor_iri", sensor->iri);
    append_text(out, "property", sensor->property->key);
    append_text(out, "property_iri", sensor->property->iri);
    append_text(out, "feature", sensor->feature->iri);
    append_text(out, "procedure", sensor->procedure_iri);
}

static void append_source(bson_t *out, const ir_observation_t *o) {
    bson_t source;
    bson_append_document_begin(out, "source", -1, &source);
    append_value(&source, "value", &o->source_value);
    if (o->source_unit.size > 0) {
        append_view(&source, "unit", o->source_unit);
    }
    if (o->has_sum) {
        bson_append_double(&source, "sum", -1, o->sum);
    }
    bson_append_document_end(out, &source);
}

void ir_mongodb_observation(bson_t *document, const ir_batch_t *batch, const ir_observation_t *o) {
    append_id(document, "_id", &o->id);
    append_id(document, "raw", &batch->messages[o->message].raw_id);
    append_sensor(document, o->sensor);
    append_time(document, "time", "time_ns", o->time_ns);
    append_value(document, "value", &o->value);
    append_text(document, "unit", o->sensor->unit != NULL ? o->sensor->unit->ucum : NULL);
    append_text(document, "unit_iri", o->sensor->unit_iri);
    append_source(document, o);
    append_flags(document, o);
    bson_append_bool(document, "late", -1, o->late);
    bson_append_int32(document, "record", -1, o->record);
}

typedef struct ir_bson_refusals {
    bson_t array;
    uint32_t count;
} ir_bson_refusals_t;

static void append_refusal(void *context, const ir_refusal_t *refusal) {
    ir_bson_refusals_t *refusals = context;
    char scratch[16];
    const char *key = NULL;
    bson_t one;
    bson_uint32_to_string(refusals->count++, &key, scratch, sizeof scratch);
    bson_append_document_begin(&refusals->array, key, -1, &one);
    append_text(&one, "reason", ir_reason_text(refusal->reason));
    bson_append_int32(&one, "record", -1, refusal->record);
    append_text(&one, "detail", refusal->detail);
    if (refusal->records != NULL) {
        append_text(&one, "records", refusal->records);
    }
    bson_append_document_end(&refusals->array, &one);
}

void ir_mongodb_raw(bson_t *document, const ir_batch_t *batch, uint32_t message) {
    const ir_message_t *m = &batch->messages[message];
    append_id(document, "_id", &m->raw_id);
    append_view(document, "mote", m->mote);
    append_view(document, "routing_key", m->key_text);
    append_view(document, "content_type", m->type_text);
    bson_append_binary(document, "body", -1, BSON_SUBTYPE_BINARY,
                       (const uint8_t *)(m->body.data != NULL ? m->body.data : ""),
                       (uint32_t)m->body.size);
    append_time(document, "received", "received_ns", m->arrival_ns);
    if (m->name.size > 0) {
        bson_append_binary(document, "name", -1, BSON_SUBTYPE_BINARY, (const uint8_t *)m->name.data,
                           (uint32_t)m->name.size);
    }
    if (m->sent_ns != 0) {
        append_time(document, "sent", "sent_ns", m->sent_ns);
    }
    ir_mongodb_outcome(document, batch, message);
}

void ir_mongodb_outcome_head(bson_t *document, const ir_id_t *raw_id, ir_view_t mote,
                             ir_view_t first, int64_t at_ns) {
    append_id(document, "raw", raw_id);
    append_view(document, "mote", mote);
    append_time(document, "at", "at_ns", at_ns);
    append_view(document, "first", first);
}

void ir_mongodb_outcome(bson_t *document, const ir_batch_t *batch, uint32_t message) {
    append_text(document, "status", ir_raw_status(batch, message));
    if (ir_raw_refusals(batch, message, NULL, NULL) > 0) {
        ir_bson_refusals_t refusals = {.count = 0};
        bson_append_array_begin(document, "refusals", -1, &refusals.array);
        ir_raw_refusals(batch, message, append_refusal, &refusals);
        bson_append_array_end(document, &refusals.array);
    }
}

void ir_mongodb_revision(bson_t *document, const ir_revision_t *revision) {
    const ir_observation_t *o = &revision->observation;
    append_id(document, "_id", &revision->id);
    append_id(document, "observation", &o->id);
    append_id(document, "raw", &revision->raw_id);
    append_id(document, "decided_by", &revision->decided_by);
    if (revision->supersedes) {
        append_id(document, "supersedes", &revision->superseded);
    }
    append_text(document, "mote", o->sensor->mote->id);
    append_text(document, "sensor", o->sensor->name);
    append_text(document, "property", o->sensor->property->key);
    append_time(document, "time", "time_ns", o->time_ns);
    append_text(document, "test", ir_test_text(revision->test));
    bson_append_int32(document, "previous", -1, revision->previous);
    bson_append_int32(document, "flag", -1, revision->flag);
    append_flags(document, o);
}

void ir_mongodb_dropped(bson_t *document, const ir_raw_document_t *raw) {
    bson_t list, one;
    char scratch[16];
    ir_mongodb_outcome_head(document, &raw->id, raw->mote, raw->first_status, ir_clock_now());
    append_text(document, "status", "dropped");
    bson_append_array_begin(document, "refusals", -1, &list);
    for (size_t i = 0; i < raw->n_refusals; i++) {
        const char *key = NULL;
        bson_uint32_to_string((uint32_t)i, &key, scratch, sizeof scratch);
        bson_append_document_begin(&list, key, -1, &one);
        append_view(&one, "reason", raw->refusals[i].reason);
        bson_append_int32(&one, "record", -1, raw->refusals[i].record);
        append_view(&one, "detail", raw->refusals[i].detail);
        if (raw->refusals[i].records.size > 0) {
            append_view(&one, "records", raw->refusals[i].records);
        }
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(document, &list);
}

static void append_range(bson_t *document, const char *key, const char *from, const ir_id_t *id,
                         const ir_id_t *greatest) {
    bson_t bounds;
    bson_append_document_begin(document, key, -1, &bounds);
    append_id(&bounds, from, id);
    append_id(&bounds, "$lte", greatest);
    bson_append_document_end(document, &bounds);
}

void ir_mongodb_append_bound(bson_t *document, const char *key, const ir_id_t *least,
                             const ir_id_t *greatest) {
    append_range(document, key, "$gte", least, greatest);
}

void ir_mongodb_append_later(bson_t *document, const char *key, const ir_id_t *after,
                             const ir_id_t *greatest) {
    append_range(document, key, "$gt", after, greatest);
}

bson_t *ir_mongodb_any_of(const char *key, const ir_id_t *ids, size_t stride, size_t count) {
    bson_t *filter = bson_new();
    bson_t any, list;
    BSON_APPEND_DOCUMENT_BEGIN(filter, key, &any);
    BSON_APPEND_ARRAY_BEGIN(&any, "$in", &list);
    for (size_t i = 0; i < count; i++) {
        char scratch[16];
        const char *number = NULL;
        bson_uint32_to_string((uint32_t)i, &number, scratch, sizeof scratch);
        append_id(&list, number, (const ir_id_t *)((const char *)ids + i * stride));
    }
    bson_append_array_end(&any, &list);
    bson_append_document_end(filter, &any);
    return filter;
}

/* ---- reading ---- */

static bool find(const bson_t *document, const char *path, bson_iter_t *found) {
    bson_iter_t iterator;
    return bson_iter_init(&iterator, document) && bson_iter_find_descendant(&iterator, path, found);
}

bool ir_mongodb_read_id(const bson_t *document, const char *key, ir_id_t *id) {
    bson_iter_t found;
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t size = 0;
    const uint8_t *bytes = NULL;
    if (!bson_iter_init_find(&found, document, key) || !BSON_ITER_HOLDS_BINARY(&found)) {
        return false;
    }
    bson_iter_binary(&found, &subtype, &size, &bytes);
    if (size != sizeof id->bytes) {
        return false;
    }
    memcpy(id->bytes, bytes, sizeof id->bytes);
    return true;
}

/* NULL when the field is absent. */
static const char *read_text(const bson_t *document, const char *key) {
    bson_iter_t found;
    return find(document, key, &found) && BSON_ITER_HOLDS_UTF8(&found)
               ? bson_iter_utf8(&found, NULL)
               : NULL;
}

static const char *read_text_or_empty(const bson_t *document, const char *key) {
    const char *text = read_text(document, key);
    return text != NULL ? text : "";
}

int64_t ir_mongodb_read_int(const bson_t *document, const char *path) {
    bson_iter_t found;
    return find(document, path, &found) ? bson_iter_as_int64(&found) : 0;
}

bool ir_mongodb_says(const bson_t *document, const char *path, const char *text) {
    const char *found = read_text(document, path);
    return found != NULL && strcmp(found, text) == 0;
}

static ir_value_t read_value(const bson_t *document, const char *path) {
    bson_iter_t found;
    uint32_t size = 0;
    const uint8_t *bytes = NULL;
    if (!find(document, path, &found)) {
        return (ir_value_t){.kind = IR_VALUE_NONE};
    }
    switch (bson_iter_type(&found)) {
    case BSON_TYPE_DOUBLE:
        return (ir_value_t){.kind = IR_VALUE_NUMBER, .number = bson_iter_double(&found)};
    case BSON_TYPE_BOOL:
        return (ir_value_t){.kind = IR_VALUE_BOOL, .boolean = bson_iter_bool(&found)};
    case BSON_TYPE_UTF8:
        bytes = (const uint8_t *)bson_iter_utf8(&found, &size);
        return (ir_value_t){.kind = IR_VALUE_STRING, .bytes = {(const char *)bytes, size}};
    case BSON_TYPE_BINARY:
        bson_iter_binary(&found, NULL, &size, &bytes);
        return (ir_value_t){.kind = IR_VALUE_DATA, .bytes = {(const char *)bytes, size}};
    default:
        return (ir_value_t){.kind = IR_VALUE_NONE};
    }
}

static void read_flags(const bson_t *document, uint8_t flags[static IR_TEST_COUNT]) {
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        char path[48];
        bson_snprintf(path, sizeof path, "flags.%s", ir_test_text((ir_test_t)test));
        flags[test] = (uint8_t)ir_mongodb_read_int(document, path);
    }
}

bool ir_mongodb_read_point(const bson_t *document, ir_point_t *point) {
    const ir_value_t value = read_value(document, "value");
    const ir_value_t source = read_value(document, "source.value");
    *point = (ir_point_t){
        .time_ns = ir_mongodb_read_int(document, "time_ns"),
        .value = value.kind == IR_VALUE_NUMBER ? value.number : 0,
        .source_value = source.kind == IR_VALUE_NUMBER ? source.number : 0,
        .aggregate = (uint8_t)ir_mongodb_read_int(document, "aggregate"),
        .record = (int)ir_mongodb_read_int(document, "record"),
    };
    bson_strncpy(point->source_unit, read_text_or_empty(document, "source.unit"),
                 sizeof point->source_unit);
    read_flags(document, point->flags);
    return value.kind == IR_VALUE_NUMBER && ir_mongodb_read_id(document, "_id", &point->id) &&
           ir_mongodb_read_id(document, "raw", &point->raw_id);
}

static ir_view_t read_view(const bson_t *document, const char *key) {
    const ir_value_t value = read_value(document, key);
    return value.kind == IR_VALUE_STRING || value.kind == IR_VALUE_DATA ? value.bytes
                                                                        : (ir_view_t){NULL, 0};
}

bool ir_mongodb_read_refusals(const bson_t *document, ir_refusal_list_t *list) {
    bson_iter_t found;
    bson_iter_t each;
    list->count = 0;
    if (!bson_iter_init_find(&found, document, "refusals") || !bson_iter_recurse(&found, &each)) {
        return true;
    }
    while (bson_iter_next(&each)) {
        const uint8_t *bytes = NULL;
        uint32_t size = 0;
        bson_t one;
        if (!BSON_ITER_HOLDS_DOCUMENT(&each)) {
            continue;
        }
        bson_iter_document(&each, &size, &bytes);
        if (bson_init_static(&one, bytes, size) &&
            !ir_refusal_list_add(
                list, (ir_stored_refusal_t){.reason = read_view(&one, "reason"),
                                            .detail = read_view(&one, "detail"),
                                            .records = read_view(&one, "records"),
                                            .record = (int)ir_mongodb_read_int(&one, "record")})) {
            return false;
        }
    }
    return true;
}

/* A document that another program wrote is reported with an id that no ledger lists, so it counts
 * as foreign. */
bool ir_mongodb_read_raw(const bson_t *document, ir_raw_document_t *raw, ir_refusal_list_t *list) {
    *raw = (ir_raw_document_t){
        .mote = read_view(document, "mote"),
        .key_text = read_view(document, "routing_key"),
        .type_text = read_view(document, "content_type"),
        .body = read_view(document, "body"),
        .name = read_view(document, "name"),
        .clock = {.arrival_ns = ir_mongodb_read_int(document, "received_ns"),
                  .sent_ns = ir_mongodb_read_int(document, "sent_ns")},
        .status = read_view(document, "status"),
        .first_status = read_view(document, "first"),
    };
    if (raw->first_status.size == 0) {
        raw->first_status = raw->status;
    }
    (void)ir_mongodb_read_id(document, "_id", &raw->id);
    if (!ir_mongodb_read_refusals(document, list)) {
        return false;
    }
    raw->refusals = list->refusals;
    raw->n_refusals = list->count;
    return true;
}

static bool read_observation(const bson_t *document, ir_observation_t *o) {
    const ir_value_t sum = read_value(document, "source.sum");
    *o = (ir_observation_t){
        .time_ns = ir_mongodb_read_int(document, "time_ns"),
        .value = read_value(document, "value"),
        .source_value = read_value(document, "source.value"),
        .source_unit = ir_view_text(read_text(document, "source.unit")),
        .has_sum = sum.kind == IR_VALUE_NUMBER,
        .sum = sum.kind == IR_VALUE_NUMBER ? sum.number : 0,
        .aggregate = (uint8_t)ir_mongodb_read_int(document, "aggregate"),
        .record = (int)ir_mongodb_read_int(document, "record"),
    };
    bson_iter_t late;
    o->late = find(document, "late", &late) && bson_iter_as_bool(&late);
    read_flags(document, o->flags);
    return ir_mongodb_read_id(document, "_id", &o->id);
}

bool ir_mongodb_read_stored(const bson_t *document, ir_stored_observation_t *stored) {
    stored->unit = ir_view_text(read_text(document, "unit"));
    return read_observation(document, &stored->observation) &&
           ir_mongodb_read_id(document, "raw", &stored->raw_id);
}

bool ir_mongodb_read_revision(const bson_t *document, ir_stored_revision_t *stored) {
    *stored = (ir_stored_revision_t){
        .test = ir_test_find(read_view(document, "test")),
        .flag = (uint8_t)ir_mongodb_read_int(document, "flag"),
        .aggregate = (uint8_t)ir_mongodb_read_int(document, "aggregate"),
    };
    (void)ir_mongodb_read_id(document, "decided_by", &stored->decided_by);
    stored->supersedes = ir_mongodb_read_id(document, "supersedes", &stored->superseded);
    return stored->test < IR_TEST_COUNT && ir_mongodb_read_id(document, "_id", &stored->id) &&
           ir_mongodb_read_id(document, "observation", &stored->observation);
}

bool ir_mongodb_read_described(const bson_t *document, ir_mongodb_described_t *described) {
    described->mote =
        (ir_mote_t){.id = read_text_or_empty(document, "mote"), .iri = "", .label = ""};
    described->property = (ir_property_t){.key = read_text_or_empty(document, "property"),
                                          .iri = read_text_or_empty(document, "property_iri"),
                                          .label = ""};
    described->feature =
        (ir_feature_t){.iri = read_text_or_empty(document, "feature"), .label = ""};
    described->unit = (ir_unit_t){.ucum = read_text(document, "unit")}; /* all that is shown */
    described->sensor = (ir_sensor_t){
        .name = read_text_or_empty(document, "sensor"),
        .iri = read_text_or_empty(document, "sensor_iri"),
        .label = "",
        .mote = &described->mote,
        .property = &described->property,
        .feature = &described->feature,
        .procedure_iri = read_text(document, "procedure"),
        .unit = described->unit.ucum != NULL ? &described->unit : NULL,
        .unit_iri = read_text(document, "unit_iri"),
    };
    const bool good = ir_mongodb_read_stored(document, &described->stored);
    described->stored.observation.sensor = &described->sensor;
    return good;
}
