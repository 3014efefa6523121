#include "observation/senml/senml.h"

#include "common/clock.h"
#include "observation/senml/fields.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VERSION_DEFAULT 10
#define RELATIVE_BELOW_S 268435456.0 /* 2^28: RFC 8428, section 4.5.3 */
#define TIME_MAX_S 9.2e9             /* int64 ns end a little later */
#define MICROSECONDS 1e6
#define MICROSECOND_NS 1000
#define BIT(label) (UINT32_C(1) << (label))
#define VALUE_BITS (BIT(IR_LABEL_V) | BIT(IR_LABEL_VS) | BIT(IR_LABEL_VB) | BIT(IR_LABEL_VD))
#define BASE_BITS (BIT(IR_LABEL_N) - 1)

const ir_senml_limits_t ir_senml_limits_default = {
    .bytes = 1024 * 1024, .depth = 16, .records = 10000, .future_ns = 86400 * IR_SECOND_NS};

/* ---- labels ---- */

static const struct label_row {
    const char *name;
    int number;
    ir_value_kind_t kind;
} labels[IR_LABEL_COUNT] = {
    [IR_LABEL_BVER] = {"bver", -1, IR_VALUE_NUMBER}, [IR_LABEL_BN] = {"bn", -2, IR_VALUE_STRING},
    [IR_LABEL_BT] = {"bt", -3, IR_VALUE_NUMBER},     [IR_LABEL_BU] = {"bu", -4, IR_VALUE_STRING},
    [IR_LABEL_BV] = {"bv", -5, IR_VALUE_NUMBER},     [IR_LABEL_BS] = {"bs", -6, IR_VALUE_NUMBER},
    [IR_LABEL_N] = {"n", 0, IR_VALUE_STRING},        [IR_LABEL_U] = {"u", 1, IR_VALUE_STRING},
    [IR_LABEL_V] = {"v", 2, IR_VALUE_NUMBER},        [IR_LABEL_VS] = {"vs", 3, IR_VALUE_STRING},
    [IR_LABEL_VB] = {"vb", 4, IR_VALUE_BOOL},        [IR_LABEL_S] = {"s", 5, IR_VALUE_NUMBER},
    [IR_LABEL_T] = {"t", 6, IR_VALUE_NUMBER},        [IR_LABEL_UT] = {"ut", 7, IR_VALUE_NUMBER},
    [IR_LABEL_VD] = {"vd", 8, IR_VALUE_DATA},
};

ir_label_t ir_label_find(ir_view_t name) {
    for (int label = 0; label < IR_LABEL_COUNT; label++) {
        const char *text = labels[label].name;
        if (name.size > 0 && text[0] == name.data[0] && strlen(text) == name.size &&
            memcmp(text, name.data, name.size) == 0) {
            return (ir_label_t)label;
        }
    }
    return IR_LABEL_UNKNOWN;
}

ir_label_t ir_label_find_number(int64_t number) {
    for (int label = 0; label < IR_LABEL_COUNT; label++) {
        if (labels[label].number == number) {
            return (ir_label_t)label;
        }
    }
    return IR_LABEL_UNKNOWN;
}

const char *ir_label_text(ir_label_t label) {
    return labels[label].name;
}

bool ir_label_must_understand(ir_view_t name) {
    return name.size > 0 && name.data[name.size - 1] == '_';
}

/* ---- fields ---- */

void ir_senml_fields_clear(ir_senml_fields_t *fields) {
    fields->present = 0;
    fields->fault.reason = IR_REASON_NONE;
    fields->wordless = false;
}

void ir_senml_fields_fault(ir_senml_fields_t *fields, ir_reason_t reason, const char *format, ...) {
    if (fields->fault.reason != IR_REASON_NONE) {
        return;
    }
    char detail[sizeof fields->fault.detail] = "";
    if (!fields->wordless) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(detail, sizeof detail, format, arguments);
        va_end(arguments);
    }
    ir_refusal_set(&fields->fault, reason, -1, "%s", detail);
}

void ir_resolver_refuse(ir_resolver_t *resolver, ir_reason_t reason, const char *format, ...) {
    if (ir_resolver_refused(resolver)) {
        return;
    }
    char detail[sizeof resolver->whole.detail];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    ir_refusal_set(&resolver->whole, reason, -1, "%s", detail);
}

bool ir_resolver_refused(const ir_resolver_t *resolver) {
    return resolver->whole.reason != IR_REASON_NONE;
}

static const char *const kind_texts[] = {[IR_VALUE_NONE] = "nothing",
                                         [IR_VALUE_NUMBER] = "a number",
                                         [IR_VALUE_STRING] = "a string",
                                         [IR_VALUE_BOOL] = "true or false",
                                         [IR_VALUE_DATA] = "base64url data"};

/* Reports a faulty field. A base field refuses the whole pack, any other field only its record. */
static void fault_field(ir_resolver_t *resolver, ir_senml_fields_t *fields, ir_label_t label,
                        ir_reason_t reason, const char *what, int position) {
    if ((BIT(label) & BASE_BITS) != 0) {
        ir_resolver_refuse(resolver, reason == IR_REASON_BAD_FIELD ? IR_REASON_NOT_SENML : reason,
                           "record %d: %s %s", position, labels[label].name, what);
    } else {
        ir_senml_fields_fault(fields, reason, "%s %s", labels[label].name, what);
    }
}

void ir_resolver_set(ir_resolver_t *resolver, ir_senml_fields_t *fields, ir_label_t label,
                     const ir_value_t *value, int position) {
    char what[40];
    if ((fields->present & BIT(label)) != 0) {
        fault_field(resolver, fields, label, IR_REASON_BAD_FIELD, "stands twice", position);
    } else if (value->kind != labels[label].kind) {
        snprintf(what, sizeof what, "is not %s", kind_texts[labels[label].kind]);
        fault_field(resolver, fields, label, IR_REASON_BAD_FIELD, what, position);
    } else if (value->kind == IR_VALUE_NUMBER && !isfinite(value->number)) {
        fault_field(resolver, fields, label, IR_REASON_NOT_FINITE, "is NaN or infinite", position);
    } else {
        fields->values[label] = *value;
    }
    fields->present |= BIT(label);
}

static bool has(const ir_senml_fields_t *fields, ir_label_t label) {
    return (fields->present & BIT(label)) != 0;
}

static double number_of(const ir_senml_fields_t *fields, ir_label_t label) {
    return has(fields, label) ? fields->values[label].number : 0;
}

/* ---- base fields ---- */

/* Versions above the default are sets of features, with one bit for each (RFC 9100, section 2). */
static bool version_is_known(double version) {
    return version <= VERSION_DEFAULT ||
           (version <= IR_SENML_VERSION && ((unsigned)version & ~IR_SENML_VERSION) == 0);
}

static void take_version(ir_resolver_t *resolver, double version, int position) {
    if (version < 1 || version != floor(version)) {
        ir_resolver_refuse(resolver, IR_REASON_NOT_SENML,
                           "record %d: bver is not a positive integer", position);
    } else if (!version_is_known(version)) {
        ir_resolver_refuse(resolver, IR_REASON_VERSION,
                           "record %d: bver %.17g needs features other than secondary units (%u)",
                           position, version, IR_SENML_VERSION);
    } else if (resolver->version != 0 && resolver->version != version) {
        ir_resolver_refuse(resolver, IR_REASON_VERSION, "record %d: bver changes from %g to %g",
                           position, resolver->version, version);
    }
    resolver->version = version;
}

static void keep_text(ir_resolver_t *resolver, ir_view_t text, ir_view_t *kept) {
    *kept = ir_arena_copy(resolver->arena, text);
    resolver->out_of_memory = resolver->out_of_memory || kept->data == NULL;
}

static void take_base(ir_resolver_t *resolver, const ir_senml_fields_t *fields, int position) {
    if (has(fields, IR_LABEL_BVER)) {
        take_version(resolver, fields->values[IR_LABEL_BVER].number, position);
    } else if (position == 0) {
        resolver->version = VERSION_DEFAULT;
    }
    if (has(fields, IR_LABEL_BN)) {
        keep_text(resolver, fields->values[IR_LABEL_BN].bytes, &resolver->base_name);
    }
    if (has(fields, IR_LABEL_BU)) {
        keep_text(resolver, fields->values[IR_LABEL_BU].bytes, &resolver->base_unit);
    }
    if (has(fields, IR_LABEL_BT)) {
        resolver->base_time = fields->values[IR_LABEL_BT].number;
    }
    if (has(fields, IR_LABEL_BV)) {
        resolver->base_value = fields->values[IR_LABEL_BV].number;
    }
    if (has(fields, IR_LABEL_BS)) {
        resolver->base_sum = fields->values[IR_LABEL_BS].number;
        resolver->has_base_sum = true;
    }
}

/* ---- one record ---- */

static bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool name_is_legal(ir_view_t name) {
    if (name.size == 0 || !is_alphanumeric(name.data[0])) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        const char c = name.data[i];
        if (!is_alphanumeric(c) && (c == '\0' || strchr("-:./_", c) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool resolve_name(ir_resolver_t *resolver, ir_senml_fields_t *fields,
                         ir_senml_record_t *record) {
    const ir_view_t own =
        has(fields, IR_LABEL_N) ? fields->values[IR_LABEL_N].bytes : (ir_view_t){NULL, 0};
    const size_t size = resolver->base_name.size + own.size;
    if (size == 0 || size > IR_NAME_SIZE_MAX) {
        ir_senml_fields_fault(fields, IR_REASON_BAD_NAME,
                              size == 0 ? "no name: neither n nor bn"
                                        : "name of %zu bytes exceeds the limit of %d",
                              size, IR_NAME_SIZE_MAX);
        return false;
    }
    char *joined = ir_arena_alloc(resolver->arena, size);
    if (joined == NULL) {
        resolver->out_of_memory = true;
        return false;
    }
    if (resolver->base_name.size > 0) {
        memcpy(joined, resolver->base_name.data, resolver->base_name.size);
    }
    if (own.size > 0) {
        memcpy(joined + resolver->base_name.size, own.data, own.size);
    }
    record->name = ir_view(joined, size);
    if (!name_is_legal(record->name)) {
        ir_senml_fields_fault(fields, IR_REASON_BAD_NAME,
                              "name '%.*s' has a character other than A-Z a-z 0-9 - : . / _ or "
                              "does not begin with a letter or digit",
                              size > 60 ? 60 : (int)size, joined);
        return false;
    }
    return true;
}

static bool resolve_unit(ir_resolver_t *resolver, ir_senml_fields_t *fields,
                         ir_senml_record_t *record) {
    if (!has(fields, IR_LABEL_U)) {
        record->unit = resolver->base_unit;
    } else {
        keep_text(resolver, fields->values[IR_LABEL_U].bytes, &record->unit);
    }
    if (record->unit.size > IR_UNIT_SIZE_MAX) {
        ir_senml_fields_fault(fields, IR_REASON_BAD_FIELD,
                              "unit of %zu bytes exceeds the limit of %d", record->unit.size,
                              IR_UNIT_SIZE_MAX);
        return false;
    }
    return true;
}

/* Converts seconds to ns: the whole part exactly, the fraction within the precision of the double.
 */
static __int128 nanoseconds(double seconds) {
    double whole = 0;
    const double fraction = modf(seconds, &whole);
    const bool coarse = fabs(seconds) >= RELATIVE_BELOW_S;
    const double ns = coarse ? round(fraction * MICROSECONDS) * (double)MICROSECOND_NS
                             : round(fraction * (double)IR_SECOND_NS);
    return (__int128)whole * IR_SECOND_NS + (__int128)ns;
}

/* Rounds to the nearest microsecond. */
static __int128 whole_microseconds(__int128 ns) {
    const __int128 half = ns < 0 ? -MICROSECOND_NS / 2 : MICROSECOND_NS / 2;
    return (ns + half) / MICROSECOND_NS * MICROSECOND_NS;
}

static void note_valid(ir_senml_pack_t *pack, const ir_senml_record_t *record) {
    if (pack->n_valid++ == 0) {
        pack->first_ns = record->time_ns;
    }
    pack->relative = pack->relative || record->relative;
}

/* The time is resolved last: if it is valid, the record is valid. */
static bool resolve_time(ir_resolver_t *resolver, ir_senml_fields_t *fields,
                         ir_senml_record_t *record) {
    const ir_senml_clock_t *clock = &resolver->clock;
    const double own = number_of(fields, IR_LABEL_T);
    __int128 time = 0;
    bool fits = fabs(own) <= TIME_MAX_S && fabs(resolver->base_time) <= TIME_MAX_S &&
                fabs(own + resolver->base_time) <= TIME_MAX_S;
    if (fits) {
        time = nanoseconds(own) + nanoseconds(resolver->base_time);
        record->relative = time < (__int128)RELATIVE_BELOW_S * IR_SECOND_NS;
        if (record->relative) {
            time += clock->sent_ns != 0 ? clock->sent_ns : clock->arrival_ns;
        }
        time = whole_microseconds(time);
        fits = time <= INT64_MAX && time >= INT64_MIN;
    }
    if (!fits) {
        ir_senml_fields_fault(fields, IR_REASON_OUT_OF_RANGE, "time %.17g s does not fit",
                              own + resolver->base_time);
        return false;
    }
    record->time_ns = (int64_t)time;
    note_valid(&resolver->pack, record);
    if (time > (__int128)clock->arrival_ns + resolver->limits->future_ns) {
        char text[IR_TIME_SIZE];
        ir_clock_format(record->time_ns, text);
        ir_senml_fields_fault(fields, IR_REASON_FUTURE,
                              "time %s is more than %.17g s after the message arrived", text,
                              (double)resolver->limits->future_ns / (double)IR_SECOND_NS);
        return false;
    }
    return true;
}

static bool resolve_number(ir_senml_fields_t *fields, double base, ir_label_t label,
                           double *number) {
    *number = base + number_of(fields, label);
    if (!isfinite(*number)) {
        ir_senml_fields_fault(fields, IR_REASON_OUT_OF_RANGE,
                              "%s and its base value together do not fit", labels[label].name);
        return false;
    }
    return true;
}

static bool resolve_value(ir_resolver_t *resolver, ir_senml_fields_t *fields,
                          ir_senml_record_t *record) {
    const uint32_t given = fields->present & VALUE_BITS;
    record->value = (ir_value_t){.kind = IR_VALUE_NONE};
    if (given == 0 && !has(fields, IR_LABEL_S)) {
        ir_senml_fields_fault(fields, IR_REASON_NO_VALUE, "none of v, vs, vb, vd and s");
        return false;
    }
    if ((given & (given - 1)) != 0) {
        ir_senml_fields_fault(fields, IR_REASON_MANY_VALUES, "more than one of v, vs, vb, vd");
        return false;
    }
    if (has(fields, IR_LABEL_V)) {
        record->value.kind = IR_VALUE_NUMBER;
        return resolve_number(fields, resolver->base_value, IR_LABEL_V, &record->value.number);
    }
    if (has(fields, IR_LABEL_VB)) {
        record->value = fields->values[IR_LABEL_VB];
    } else if (given != 0) {
        record->value = fields->values[has(fields, IR_LABEL_VS) ? IR_LABEL_VS : IR_LABEL_VD];
        keep_text(resolver, record->value.bytes, &record->value.bytes);
    }
    return true;
}

static bool resolve_sum(ir_resolver_t *resolver, ir_senml_fields_t *fields,
                        ir_senml_record_t *record) {
    record->has_sum = resolver->has_base_sum || has(fields, IR_LABEL_S);
    record->has_update = has(fields, IR_LABEL_UT);
    record->update_seconds = number_of(fields, IR_LABEL_UT);
    record->sum = 0;
    return !record->has_sum || resolve_number(fields, resolver->base_sum, IR_LABEL_S, &record->sum);
}

/* A record without a measurement (RFC 8428, section 5.1.7). */
static bool is_base_only(const ir_senml_fields_t *fields) {
    return fields->present != 0 && (fields->present & ~BASE_BITS) == 0 &&
           fields->fault.reason == IR_REASON_NONE;
}

void ir_resolver_take(ir_resolver_t *resolver, const ir_senml_fields_t *found, int position) {
    if (ir_resolver_refused(resolver) || resolver->out_of_memory) {
        return;
    }
    take_base(resolver, found, position);
    if (ir_resolver_refused(resolver) || resolver->out_of_memory || is_base_only(found)) {
        return;
    }
    ir_senml_fields_t fields = *found;
    fields.wordless = resolver->pack.n_refusals > IR_REFUSALS_LISTED;
    ir_senml_record_t *record = &resolver->pack.records[resolver->pack.n_records];
    record->position = position;
    const bool good =
        fields.fault.reason == IR_REASON_NONE && resolve_name(resolver, &fields, record) &&
        resolve_unit(resolver, &fields, record) && resolve_value(resolver, &fields, record) &&
        resolve_sum(resolver, &fields, record) && resolve_time(resolver, &fields, record);
    if (good) {
        resolver->pack.n_records++;
    } else if (!resolver->out_of_memory) {
        ir_refusal_t *refusal = &resolver->pack.refusals[resolver->pack.n_refusals++];
        *refusal = fields.fault;
        refusal->record = position;
    }
}

/* ---- the pack ---- */

bool ir_resolver_begin(ir_resolver_t *resolver, size_t n_records) {
    if (n_records == 0) {
        ir_resolver_refuse(resolver, IR_REASON_EMPTY_PACK, "a pack without records");
        return false;
    }
    if (n_records > resolver->limits->records) {
        ir_resolver_refuse(resolver, IR_REASON_TOO_MANY_RECORDS,
                           "%zu records exceed the limit of %u", n_records,
                           resolver->limits->records);
        return false;
    }
    resolver->pack.records =
        ir_arena_alloc(resolver->arena, n_records * sizeof *resolver->pack.records);
    resolver->pack.refusals =
        ir_arena_alloc(resolver->arena, n_records * sizeof *resolver->pack.refusals);
    resolver->out_of_memory = resolver->pack.records == NULL || resolver->pack.refusals == NULL;
    return !resolver->out_of_memory;
}

static void refuse_whole(ir_resolver_t *resolver) {
    ir_senml_pack_t *pack = &resolver->pack;
    *pack = (ir_senml_pack_t){.n_refusals = 1};
    pack->refusals = ir_arena_alloc(resolver->arena, sizeof *pack->refusals);
    if (pack->refusals == NULL) {
        resolver->out_of_memory = true;
        return;
    }
    *pack->refusals = resolver->whole;
}

ir_status_t ir_senml_decode(ir_media_t media, ir_view_t body, ir_senml_clock_t clock,
                            const ir_senml_limits_t *limits, ir_arena_t *arena,
                            ir_senml_pack_t *pack) {
    ir_resolver_t resolver = {.arena = arena, .limits = limits, .clock = clock};
    if (body.size > limits->bytes) {
        ir_resolver_refuse(&resolver, IR_REASON_TOO_LARGE,
                           "body of %zu bytes exceeds the limit of %zu", body.size, limits->bytes);
    } else if (media == IR_MEDIA_SENML_JSON) {
        ir_senml_decode_json(&resolver, body);
    } else if (media == IR_MEDIA_SENML_CBOR) {
        ir_senml_decode_cbor(&resolver, body);
    } else {
        ir_resolver_refuse(&resolver, IR_REASON_CONTENT_TYPE,
                           "neither application/senml+json nor application/senml+cbor");
    }
    if (resolver.pack.n_records == 0 && resolver.pack.n_refusals == 0) {
        ir_resolver_refuse(&resolver, IR_REASON_EMPTY_PACK, "no record has a measurement");
    }
    if (!resolver.out_of_memory && ir_resolver_refused(&resolver)) {
        refuse_whole(&resolver);
    }
    if (resolver.out_of_memory) {
        return IR_ERR_MEMORY;
    }
    *pack = resolver.pack;
    return IR_OK;
}
