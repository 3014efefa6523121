#include "observation/analysis.h"

#include "common/legible.h"
#include "common/routing.h"
#include "observation/body.h"
#include "observation/id_set.h"
#include "observation/resolve.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINEAR_MAX 24 /* packs up to this size are searched linearly for repeats */

typedef struct addition {
    ir_batch_t *batch;
    const ir_analysis_t *analysis;
    const ir_batch_input_t *input;
    ir_message_t message;
    ir_resolution_t resolution;
    ir_id_set_t seen; /* for large packs: the observations so far; its slots are in the arena */
    bool out_of_memory;
} addition_t;

static ir_view_t text_of(addition_t *addition, ir_view_t bytes) {
    const ir_view_t text = ir_legible_text(addition->batch->arena, bytes);
    addition->out_of_memory = addition->out_of_memory || text.data == NULL;
    return text;
}

/* Copies a view into the arena; not NULL even if it is empty. */
static ir_view_t copy(addition_t *addition, ir_view_t view) {
    const ir_view_t copied = ir_arena_copy(addition->batch->arena, view);
    addition->out_of_memory = addition->out_of_memory || copied.data == NULL;
    return copied;
}

static ir_refusal_t *push_refusal(addition_t *addition) {
    ir_batch_t *batch = addition->batch;
    if (!ir_batch_reserve((void **)&batch->refusals, &batch->refusals_capacity, batch->n_refusals,
                          1, sizeof *batch->refusals)) {
        addition->out_of_memory = true;
        return NULL;
    }
    return &batch->refusals[batch->n_refusals++];
}

static void refuse(addition_t *addition, ir_reason_t reason, int record, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A refusal that will be merged with others needs no text. */
static bool needs_words(const addition_t *addition) {
    return addition->batch->n_refusals - addition->message.first_refusal <= IR_REFUSALS_LISTED;
}

static void refuse(addition_t *addition, ir_reason_t reason, int record, const char *format, ...) {
    char detail[sizeof((ir_refusal_t *)0)->detail] = "";
    if (needs_words(addition)) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(detail, sizeof detail, format, arguments);
        va_end(arguments);
    }
    ir_refusal_t *refusal = push_refusal(addition);
    if (refusal != NULL) {
        ir_refusal_set(refusal, reason, record, "%s", detail);
        addition->message.refused = addition->message.refused || record < 0;
    }
}

/* Adds a refusal from decoding or resolving. */
static void pass_on(addition_t *addition, const ir_refusal_t *refusal) {
    ir_refusal_t *pushed = push_refusal(addition);
    if (pushed != NULL) {
        *pushed = *refusal;
        addition->message.refused = addition->message.refused || refusal->record < 0;
    }
}

/* Records the result of resolving; returns whether it succeeded. */
static bool note(addition_t *addition, bool good, const ir_refusal_t *refusal) {
    addition->out_of_memory = addition->out_of_memory || addition->resolution.out_of_memory;
    if (!good && !addition->out_of_memory) {
        pass_on(addition, refusal);
    }
    return good;
}

/* Limits the memory if many records are refused: keeps the first refusals, and one refusal for all
 * others. */
static void fold_refusals(addition_t *addition) {
    ir_batch_t *batch = addition->batch;
    const uint32_t count = batch->n_refusals - addition->message.first_refusal;
    if (count <= IR_REFUSALS_LISTED + 1) {
        return;
    }
    ir_refusal_t *refusals = batch->refusals + addition->message.first_refusal;
    const size_t size = (size_t)refusals[count - 1].record / 4 + 1;
    char *records = ir_arena_alloc(batch->arena, size + 1);
    if (records == NULL) {
        addition->out_of_memory = true;
        return;
    }
    memset(records, 0, size + 1);
    for (uint32_t i = IR_REFUSALS_LISTED; i < count; i++) {
        records[refusals[i].record / 4] |= (char)(1 << refusals[i].record % 4);
    }
    for (size_t i = 0; i < size; i++) {
        records[i] = "0123456789abcdef"[(int)records[i]];
    }
    ir_refusal_t *rest = &refusals[IR_REFUSALS_LISTED];
    ir_refusal_set(rest, rest->reason, rest->record, "and %u more records",
                   count - IR_REFUSALS_LISTED);
    rest->count = count - IR_REFUSALS_LISTED;
    rest->records = records;
    batch->n_refusals = addition->message.first_refusal + IR_REFUSALS_LISTED + 1;
}

/* ---- the mote ---- */

static bool find_mote_id(addition_t *addition) {
    const ir_view_t key = addition->input->routing_key;
    const size_t prefix = strlen(IR_ROUTING_PREFIX);
    const bool prefixed = key.size > prefix && memcmp(key.data, IR_ROUTING_PREFIX, prefix) == 0;
    const ir_view_t id =
        prefixed ? ir_view(key.data + prefix, key.size - prefix) : (ir_view_t){NULL, 0};
    if (!prefixed || !ir_mote_id_valid(id)) {
        refuse(addition, IR_REASON_NO_ROUTING_KEY, -1, "routing key '%.*s' is not ir.MOTE",
               key.size > 80 ? 80 : (int)key.size, key.size > 0 ? key.data : "");
        return false;
    }
    addition->message.mote =
        ir_view(addition->message.routing_key.data + prefix, key.size - prefix);
    return true;
}

static bool find_mote(addition_t *addition) {
    ir_refusal_t refusal;
    addition->resolution.mote_id = addition->message.mote;
    const bool found = ir_resolve_mote(&addition->resolution, &refusal);
    note(addition, found, &refusal);
    return found;
}

/* Returns the mote of the first record with a registered sensor. Otherwise, if unregistered motes
 * are accepted, returns the first name up to its first '/'. NULL: every record has an unknown
 * sensor. */
static void infer_mote(addition_t *addition, const ir_senml_pack_t *pack) {
    const ir_sensor_t *sensor = NULL;
    for (size_t i = 0; i < pack->n_records && sensor == NULL; i++) {
        sensor = ir_registry_sensor(addition->batch->registry, pack->records[i].name);
    }
    if (sensor != NULL) {
        addition->resolution.mote = sensor->mote;
        addition->message.mote = ir_view_text(sensor->mote->id);
        addition->resolution.mote_id = addition->message.mote;
    } else if (pack->n_records > 0 && addition->analysis->accept_unregistered) {
        const ir_view_t name = pack->records[0].name;
        const char *slash = memchr(name.data, '/', name.size);
        const ir_view_t id =
            ir_view(name.data, slash != NULL ? (size_t)(slash - name.data) : name.size);
        if (ir_mote_id_valid(id)) {
            addition->message.mote = copy(addition, id);
            find_mote(addition);
        }
    }
}

/* ---- the same measurement twice in one pack ---- */

static bool found_one_by_one(const addition_t *addition, const ir_observation_t *wanted) {
    const ir_batch_t *batch = addition->batch;
    for (uint32_t i = addition->message.first_observation; i < batch->n_observations; i++) {
        if (ir_id_equal(&batch->observations[i].id, &wanted->id)) {
            return true;
        }
    }
    return false;
}

/* For large packs, ids are kept in a set. */
static bool make_set(addition_t *addition, size_t n_records) {
    size_t capacity = 64;
    while (capacity < n_records * 2) {
        capacity *= 2;
    }
    const size_t size = capacity * sizeof *addition->seen.slots;
    ir_id_t *slots = ir_arena_alloc(addition->batch->decoding, size);
    if (slots == NULL) {
        return false;
    }
    memset(slots, 0, size);
    addition->seen = (ir_id_set_t){.slots = slots, .capacity = capacity};
    return true;
}

static bool is_repeated(addition_t *addition, const ir_observation_t *wanted) {
    return addition->seen.capacity > 0 ? !ir_id_set_add(&addition->seen, &wanted->id)
                                       : found_one_by_one(addition, wanted);
}

/* ---- the records ---- */

/* Records of one pack usually have the same unit, so the last unit is remembered. */
static void keep_texts(addition_t *addition, ir_observation_t *observation) {
    const ir_batch_t *batch = addition->batch;
    const bool first = batch->n_observations == addition->message.first_observation;
    const ir_view_t before =
        first ? (ir_view_t){NULL, 0} : batch->observations[batch->n_observations - 1].source_unit;
    observation->source_unit =
        observation->source_unit.size > 0 && ir_view_equal(before, observation->source_unit)
            ? before
            : copy(addition, observation->source_unit);
    const ir_value_kind_t kind = observation->source_value.kind;
    if (kind == IR_VALUE_STRING || kind == IR_VALUE_DATA) {
        observation->source_value.bytes = copy(addition, observation->source_value.bytes);
        addition->batch->text_bytes += observation->source_value.bytes.size;
        if (observation->value.kind == kind) {
            observation->value.bytes = observation->source_value.bytes;
        }
    }
}

static void take_record(addition_t *addition, const ir_senml_record_t *record) {
    ir_batch_t *batch = addition->batch;
    ir_resolved_t resolved;
    ir_refusal_t refusal;
    if (!note(addition, ir_resolve_record(&addition->resolution, record, &resolved, &refusal),
              &refusal)) {
        return;
    }
    ir_observation_t observation = {.sensor = resolved.sensor,
                                    .time_ns = record->time_ns,
                                    .value = resolved.value,
                                    .source_value = record->value,
                                    .source_unit = record->unit,
                                    .has_sum = record->has_sum,
                                    .sum = record->sum,
                                    .aggregate = IR_FLAG_NOT_EVALUATED,
                                    .message = batch->n_messages,
                                    .record = record->position};
    memset(observation.flags, IR_FLAG_NOT_EVALUATED, sizeof observation.flags);
    ir_id_observation(record->name, record->time_ns, &record->value, &observation.id);
    if (is_repeated(addition, &observation)) {
        refuse(addition, IR_REASON_DUPLICATE, record->position,
               "this pack contains the same measurement of '%.80s' before",
               observation.sensor->name);
        return;
    }
    keep_texts(addition, &observation);
    batch->observations[batch->n_observations++] = observation;
}

static int compare_times(const void *a, const void *b, void *observations) {
    const ir_observation_t *first = &((const ir_observation_t *)observations)[*(const uint32_t *)a];
    const ir_observation_t *second =
        &((const ir_observation_t *)observations)[*(const uint32_t *)b];
    if (first->time_ns != second->time_ns) {
        return first->time_ns < second->time_ns ? -1 : 1;
    }
    return first->record - second->record;
}

static bool is_chronological(const ir_observation_t *observations, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        if (observations[i].time_ns < observations[i - 1].time_ns) {
            return false;
        }
    }
    return true;
}

static void order_by_time(addition_t *addition) {
    const uint32_t begin = addition->message.first_observation;
    const uint32_t count = addition->batch->n_observations - begin;
    ir_observation_t *observations = count > 0 ? addition->batch->observations + begin : NULL;
    if (is_chronological(observations, count)) {
        return;
    }
    uint32_t *by_time = ir_arena_alloc(addition->batch->arena, count * sizeof *by_time);
    if (by_time == NULL) {
        addition->out_of_memory = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        by_time[i] = i;
    }
    qsort_r(by_time, count, sizeof *by_time, compare_times, observations);
    addition->message.by_time = by_time;
}

/* Adds the refusals from decoding and from this file to the batch, in the order of the records. */
static void take_pack(addition_t *addition, const ir_senml_pack_t *pack) {
    ir_batch_t *batch = addition->batch;
    if (!ir_batch_reserve((void **)&batch->observations, &batch->observations_capacity,
                          batch->n_observations, pack->n_records, sizeof *batch->observations) ||
        (pack->n_records > LINEAR_MAX && !make_set(addition, pack->n_records))) {
        addition->out_of_memory = true;
        return;
    }
    size_t r = 0;
    for (size_t i = 0; i <= pack->n_records && !addition->out_of_memory; i++) {
        const int position = i < pack->n_records ? pack->records[i].position : INT32_MAX;
        for (; r < pack->n_refusals && pack->refusals[r].record < position; r++) {
            pass_on(addition, &pack->refusals[r]);
        }
        if (i < pack->n_records) {
            take_record(addition, &pack->records[i]);
        }
    }
    order_by_time(addition);
}

/* `pack` is NULL when decoding failed. */
static void identify(addition_t *addition, const ir_senml_pack_t *pack) {
    ir_message_t *message = &addition->message;
    const ir_raw_key_t key = ir_raw_key(pack, message->mote, message->body, message->name,
                                        message->stamped ? message->arrival_ns : 0);
    ir_id_raw(&key, &message->raw_id);
    message->ask = key.kind == IR_RAW_NAMED || !message->stamped;
}

static void analyse(addition_t *addition) {
    const ir_batch_input_t *input = addition->input;
    const bool infer = addition->analysis->infer_mote;
    if (!infer && !find_mote_id(addition)) {
        identify(addition, NULL);
        return;
    }
    const ir_senml_clock_t clock = {.arrival_ns = addition->message.arrival_ns,
                                    .sent_ns = addition->message.sent_ns};
    ir_senml_pack_t pack;
    if (ir_body_decode(input->content_type, input->body, clock, &addition->analysis->limits,
                       addition->batch->decoding, &pack) != IR_OK) {
        addition->out_of_memory = true;
        return;
    }
    if (infer) {
        infer_mote(addition, &pack);
    }
    identify(addition, &pack);
    if (infer || find_mote(addition)) {
        take_pack(addition, &pack);
    }
}

static int64_t whole_microseconds(int64_t ns) {
    return ns - ns % 1000;
}

static void begin_message(addition_t *addition) {
    const ir_batch_t *batch = addition->batch;
    const ir_batch_input_t *input = addition->input;
    const bool stamped = input->arrival_ns != 0;
    ir_message_t *message = &addition->message;
    *message = (ir_message_t){
        .routing_key = copy(addition, input->routing_key),
        .content_type = copy(addition, input->content_type),
        .body = copy(addition, input->body),
        .name = copy(addition, input->name),
        .arrival_ns = whole_microseconds(stamped ? input->arrival_ns : input->now_ns),
        .sent_ns = input->sent_ns,
        .stamped = stamped,
        .redelivered = input->redelivered,
        .first_observation = batch->n_observations,
        .first_refusal = batch->n_refusals,
        .partition = input->partition,
        .session = input->session,
        .delivery_tag = input->delivery_tag,
    };
    message->key_text = text_of(addition, message->routing_key);
    message->type_text = text_of(addition, message->content_type);
}

ir_status_t ir_batch_add(ir_batch_t *batch, const ir_analysis_t *analysis,
                         const ir_batch_input_t *input) {
    addition_t addition = {
        .batch = batch,
        .analysis = analysis,
        .input = input,
        .resolution = {.registry = batch->registry,
                       .strangers_iri = analysis->accept_unregistered ? analysis->base_iri : NULL,
                       .arena = batch->arena}};
    const uint32_t n_observations = batch->n_observations;
    const uint32_t n_refusals = batch->n_refusals;
    if (!ir_batch_reserve((void **)&batch->messages, &batch->messages_capacity, batch->n_messages,
                          1, sizeof *batch->messages)) {
        return IR_ERR_MEMORY;
    }
    begin_message(&addition);
    ir_arena_reset(batch->decoding);
    if (!addition.out_of_memory) {
        analyse(&addition);
        fold_refusals(&addition);
    }
    if (addition.out_of_memory) {
        batch->n_observations = n_observations;
        batch->n_refusals = n_refusals;
        return IR_ERR_MEMORY;
    }
    ir_message_t *message = &addition.message;
    message->n_observations = batch->n_observations - n_observations;
    message->n_refusals = batch->n_refusals - n_refusals;
    batch->messages[batch->n_messages++] = *message;
    batch->body_bytes += input->body.size;
    return IR_OK;
}
