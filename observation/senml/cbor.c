/* libcbor's streaming decoder reports one item at a time and does not allocate. This file keeps
 * track of the nesting. So a pack cannot make us allocate much memory by a large length field, and
 * cannot nest too deep. */
#include "common/utf8.h"
#include "observation/senml/fields.h"

#include <cbor.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_DECIMAL_FRACTION 4 /* RFC 8949, section 3.4.4 */
#define TAG_BIGNUM 2
#define TAG_NEGATIVE_BIGNUM 3
#define EXPONENT_MAX 400
#define CHUNKS_MAX 64      /* of one string */
#define UNBOUNDED SIZE_MAX /* the length of an array or map that is ended by a "break" byte */

typedef enum item_kind {
    ITEM_END, /* no more bytes, or not CBOR: see `cursor.fault` */
    ITEM_UNSIGNED,
    ITEM_NEGATIVE, /* the number is -1 - integer */
    ITEM_FLOAT,
    ITEM_BYTES,
    ITEM_TEXT,
    ITEM_BYTES_CHUNKED, /* chunks follow, then a break */
    ITEM_TEXT_CHUNKED,
    ITEM_ARRAY,
    ITEM_MAP,
    ITEM_TAG,
    ITEM_BOOL,
    ITEM_SIMPLE, /* null, undefined */
    ITEM_BREAK
} item_kind_t;

typedef struct item {
    item_kind_t kind;
    uint64_t integer; /* value of an integer, or number of a tag */
    double number;
    bool boolean;
    size_t length; /* length of an array or map, or UNBOUNDED */
    ir_view_t bytes;
} item_t;

typedef struct cursor {
    ir_resolver_t *resolver;
    const unsigned char *data;
    size_t size, at;
    unsigned depth;
} cursor_t;

/* ---- one item ---- */

static void set(void *context, item_kind_t kind, uint64_t integer) {
    item_t *item = context;
    item->kind = kind;
    item->integer = integer;
}

static void set_number(void *context, double number) {
    set(context, ITEM_FLOAT, 0);
    ((item_t *)context)->number = number;
}

static void set_bytes(void *context, item_kind_t kind, cbor_data data, size_t size) {
    set(context, kind, 0);
    ((item_t *)context)->bytes = ir_view((const char *)data, size);
}

static void set_length(void *context, item_kind_t kind, size_t length) {
    set(context, kind, 0);
    ((item_t *)context)->length = length;
}

static void on_uint8(void *context, uint8_t value) {
    set(context, ITEM_UNSIGNED, value);
}
static void on_uint16(void *context, uint16_t value) {
    set(context, ITEM_UNSIGNED, value);
}
static void on_uint32(void *context, uint32_t value) {
    set(context, ITEM_UNSIGNED, value);
}
static void on_uint64(void *context, uint64_t value) {
    set(context, ITEM_UNSIGNED, value);
}
static void on_negint8(void *context, uint8_t value) {
    set(context, ITEM_NEGATIVE, value);
}
static void on_negint16(void *context, uint16_t value) {
    set(context, ITEM_NEGATIVE, value);
}
static void on_negint32(void *context, uint32_t value) {
    set(context, ITEM_NEGATIVE, value);
}
static void on_negint64(void *context, uint64_t value) {
    set(context, ITEM_NEGATIVE, value);
}
static void on_float(void *context, float value) {
    set_number(context, (double)value);
}
static void on_double(void *context, double value) {
    set_number(context, value);
}
static void on_bytes(void *context, cbor_data data, size_t size) {
    set_bytes(context, ITEM_BYTES, data, size);
}
static void on_text(void *context, cbor_data data, size_t size) {
    set_bytes(context, ITEM_TEXT, data, size);
}
static void on_bytes_chunked(void *context) {
    set(context, ITEM_BYTES_CHUNKED, 0);
}
static void on_text_chunked(void *context) {
    set(context, ITEM_TEXT_CHUNKED, 0);
}
static void on_array(void *context, size_t length) {
    set_length(context, ITEM_ARRAY, length);
}
static void on_unbounded_array(void *context) {
    set_length(context, ITEM_ARRAY, UNBOUNDED);
}
static void on_map(void *context, size_t length) {
    set_length(context, ITEM_MAP, length);
}
static void on_unbounded_map(void *context) {
    set_length(context, ITEM_MAP, UNBOUNDED);
}
static void on_tag(void *context, uint64_t tag) {
    set(context, ITEM_TAG, tag);
}
static void on_bool(void *context, bool value) {
    set(context, ITEM_BOOL, 0);
    ((item_t *)context)->boolean = value;
}
static void on_simple(void *context) {
    set(context, ITEM_SIMPLE, 0);
}
static void on_break(void *context) {
    set(context, ITEM_BREAK, 0);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negint64,
    .byte_string_start = on_bytes_chunked,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_text_chunked,
    .indef_array_start = on_unbounded_array,
    .array_start = on_array,
    .indef_map_start = on_unbounded_map,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_simple,
    .null = on_simple,
    .boolean = on_bool,
    .indef_break = on_break,
};

static item_t next_item(cursor_t *cursor) {
    item_t item = {.kind = ITEM_END};
    const struct cbor_decoder_result result =
        cbor_stream_decode(cursor->data + cursor->at, cursor->size - cursor->at, &callbacks, &item);
    if (result.status != CBOR_DECODER_FINISHED) {
        ir_resolver_refuse(cursor->resolver, IR_REASON_NOT_CBOR,
                           result.status == CBOR_DECODER_NEDATA
                               ? "ends in the middle, after byte %zu"
                               : "byte %zu is not a CBOR item",
                           cursor->at);
        item.kind = ITEM_END;
        return item;
    }
    cursor->at += result.read;
    return item;
}

/* ---- nesting ---- */

static bool enter(cursor_t *cursor) {
    if (++cursor->depth <= cursor->resolver->limits->depth) {
        return true;
    }
    ir_resolver_refuse(cursor->resolver, IR_REASON_TOO_DEEP, "nested deeper than %u",
                       cursor->resolver->limits->depth);
    return false;
}

/* Skips the content of an item already read. */
static void skip_rest(cursor_t *cursor, const item_t *item);

static void skip_members(cursor_t *cursor, size_t length, bool pairs) {
    if (!enter(cursor)) {
        return;
    }
    for (size_t i = 0; i < length && !ir_resolver_refused(cursor->resolver); i++) {
        item_t member = next_item(cursor);
        if (length == UNBOUNDED && member.kind == ITEM_BREAK) {
            break;
        }
        skip_rest(cursor, &member);
        if (pairs) {
            member = next_item(cursor);
            skip_rest(cursor, &member);
        }
    }
    cursor->depth--;
}

static void skip_rest(cursor_t *cursor, const item_t *item) {
    switch (item->kind) {
    case ITEM_ARRAY:
        skip_members(cursor, item->length, false);
        break;
    case ITEM_MAP:
        skip_members(cursor, item->length, true);
        break;
    case ITEM_BYTES_CHUNKED:
    case ITEM_TEXT_CHUNKED:
        skip_members(cursor, UNBOUNDED, false);
        break;
    case ITEM_TAG:
        if (enter(cursor)) {
            const item_t tagged = next_item(cursor);
            skip_rest(cursor, &tagged);
            cursor->depth--;
        }
        break;
    case ITEM_BREAK:
        ir_resolver_refuse(cursor->resolver, IR_REASON_NOT_CBOR,
                           "byte %zu: a break where an item belongs", cursor->at - 1);
        break;
    default:
        break;
    }
}

/* ---- values ---- */

/* Reads the chunks of a string up to its end; returns their number. */
static unsigned read_chunks(cursor_t *cursor, item_kind_t kind, ir_view_t chunks[CHUNKS_MAX]) {
    for (unsigned n = 0;; n++) {
        const item_t item = next_item(cursor);
        if (item.kind == ITEM_BREAK || item.kind == ITEM_END) {
            return n;
        }
        if (item.kind != kind || n == CHUNKS_MAX) {
            ir_resolver_refuse(cursor->resolver, IR_REASON_NOT_CBOR,
                               "byte %zu: %s in a string of chunks", cursor->at,
                               n == CHUNKS_MAX ? "too many chunks" : "another item");
            return 0;
        }
        chunks[n] = item.bytes;
    }
}

/* Joins the chunks of a string. A name or a unit needs few, so their number bounds the work. */
static ir_view_t join_chunks(cursor_t *cursor, item_kind_t kind) {
    ir_view_t chunks[CHUNKS_MAX];
    const unsigned n_chunks = read_chunks(cursor, kind, chunks);
    size_t size = 0;
    for (unsigned i = 0; i < n_chunks; i++) {
        size += chunks[i].size;
    }
    char *bytes = ir_arena_alloc(cursor->resolver->arena, size + 1);
    if (bytes == NULL) {
        cursor->resolver->out_of_memory = true;
        return ir_view(NULL, 0);
    }
    char *end = bytes;
    for (unsigned i = 0; i < n_chunks; i++) {
        if (chunks[i].size > 0) {
            end = (char *)memcpy(end, chunks[i].data, chunks[i].size) + chunks[i].size;
        }
    }
    return ir_view(bytes, size);
}

/* Computes mantissa × 10^exponent with a single rounding. */
static double decimal(bool negative, uint64_t mantissa, int exponent) {
    char text[48];
    snprintf(text, sizeof text, "%s%" PRIu64 "e%d", negative ? "-" : "", mantissa, exponent);
    return strtod(text, NULL);
}

static bool read_bignum(cursor_t *cursor, uint64_t *magnitude) {
    const item_t item = next_item(cursor);
    if (item.kind != ITEM_BYTES) {
        skip_rest(cursor, &item);
        return false;
    }
    *magnitude = 0;
    for (size_t i = 0; i < item.bytes.size; i++) {
        if (*magnitude >> 56 != 0) {
            return false;
        }
        *magnitude = *magnitude << 8 | (unsigned char)item.bytes.data[i];
    }
    return true;
}

/* An integer: magnitude, or -magnitude. */
static bool read_integer(cursor_t *cursor, bool *negative, uint64_t *magnitude) {
    const item_t item = next_item(cursor);
    *negative = item.kind == ITEM_NEGATIVE;
    *magnitude = item.integer;
    if (item.kind == ITEM_TAG &&
        (item.integer == TAG_BIGNUM || item.integer == TAG_NEGATIVE_BIGNUM)) {
        *negative = item.integer == TAG_NEGATIVE_BIGNUM;
        if (!read_bignum(cursor, magnitude)) {
            return false;
        }
    } else if (item.kind != ITEM_UNSIGNED && item.kind != ITEM_NEGATIVE) {
        skip_rest(cursor, &item);
        return false;
    }
    if (*negative && *magnitude == UINT64_MAX) {
        return false;
    }
    *magnitude += *negative ? 1 : 0;
    return true;
}

static ir_value_t read_decimal(cursor_t *cursor) {
    const ir_value_t none = {.kind = IR_VALUE_NONE};
    const item_t pair = next_item(cursor);
    if (pair.kind != ITEM_ARRAY || pair.length != 2) {
        skip_rest(cursor, &pair);
        return none;
    }
    bool exponent_negative = false;
    bool negative = false;
    uint64_t exponent = 0;
    uint64_t mantissa = 0;
    const bool good_exponent = read_integer(cursor, &exponent_negative, &exponent);
    const bool good_mantissa = read_integer(cursor, &negative, &mantissa);
    if (!good_exponent || !good_mantissa) {
        return none;
    }
    const int bounded = exponent > EXPONENT_MAX ? EXPONENT_MAX : (int)exponent;
    return (ir_value_t){.kind = IR_VALUE_NUMBER,
                        .number =
                            decimal(negative, mantissa, exponent_negative ? -bounded : bounded)};
}

static ir_value_t text_value(ir_view_t text) {
    return ir_utf8_valid(text) ? (ir_value_t){.kind = IR_VALUE_STRING, .bytes = text}
                               : (ir_value_t){.kind = IR_VALUE_NONE};
}

static ir_value_t read_value(cursor_t *cursor) {
    ir_value_t value = {.kind = IR_VALUE_NONE};
    const item_t item = next_item(cursor);
    switch (item.kind) {
    case ITEM_UNSIGNED:
        value = (ir_value_t){.kind = IR_VALUE_NUMBER, .number = (double)item.integer};
        break;
    case ITEM_NEGATIVE:
        value = (ir_value_t){.kind = IR_VALUE_NUMBER, .number = -1.0 - (double)item.integer};
        break;
    case ITEM_FLOAT:
        value = (ir_value_t){.kind = IR_VALUE_NUMBER, .number = item.number};
        break;
    case ITEM_BOOL:
        value = (ir_value_t){.kind = IR_VALUE_BOOL, .boolean = item.boolean};
        break;
    case ITEM_TEXT:
        value = text_value(item.bytes);
        break;
    case ITEM_TEXT_CHUNKED:
        value = text_value(join_chunks(cursor, ITEM_TEXT));
        break;
    case ITEM_BYTES:
        value = (ir_value_t){.kind = IR_VALUE_DATA, .bytes = item.bytes};
        break;
    case ITEM_BYTES_CHUNKED:
        value = (ir_value_t){.kind = IR_VALUE_DATA, .bytes = join_chunks(cursor, ITEM_BYTES)};
        break;
    default:
        if (item.kind == ITEM_TAG && item.integer == TAG_DECIMAL_FRACTION) {
            value = read_decimal(cursor);
        } else {
            skip_rest(cursor, &item);
        }
        break;
    }
    return value;
}

/* ---- records ---- */

static ir_label_t read_label(cursor_t *cursor, const item_t *item, int position) {
    if (item->kind == ITEM_UNSIGNED && item->integer <= INT8_MAX) {
        return ir_label_find_number((int64_t)item->integer);
    }
    if (item->kind == ITEM_NEGATIVE && item->integer <= INT8_MAX) {
        return ir_label_find_number(-1 - (int64_t)item->integer);
    }
    if (item->kind == ITEM_TEXT) {
        if (ir_label_must_understand(item->bytes)) {
            ir_resolver_refuse(cursor->resolver, IR_REASON_UNKNOWN_LABEL,
                               "record %d: label '%.*s' must be understood and is not known",
                               position, item->bytes.size > 40 ? 40 : (int)item->bytes.size,
                               item->bytes.data);
        }
        return IR_LABEL_UNKNOWN;
    }
    if (item->kind != ITEM_UNSIGNED && item->kind != ITEM_NEGATIVE) {
        ir_resolver_refuse(cursor->resolver, IR_REASON_NOT_SENML,
                           "record %d: a label is neither an integer nor a string", position);
    }
    return IR_LABEL_UNKNOWN;
}

static void read_record(cursor_t *cursor, int position) {
    ir_resolver_t *resolver = cursor->resolver;
    ir_senml_fields_t fields;
    ir_senml_fields_clear(&fields);
    const item_t map = next_item(cursor);
    if (map.kind != ITEM_MAP) {
        ir_resolver_refuse(resolver, IR_REASON_NOT_SENML, "record %d is not a map", position);
        return;
    }
    if (!enter(cursor)) {
        return;
    }
    for (size_t i = 0; i < map.length && !ir_resolver_refused(resolver); i++) {
        const item_t key = next_item(cursor);
        if (map.length == UNBOUNDED && key.kind == ITEM_BREAK) {
            break;
        }
        const ir_label_t label = read_label(cursor, &key, position);
        const ir_value_t value = read_value(cursor);
        if (label != IR_LABEL_UNKNOWN) {
            ir_resolver_set(resolver, &fields, label, &value, position);
        }
    }
    cursor->depth--;
    if (!ir_resolver_refused(resolver)) {
        ir_resolver_take(resolver, &fields, position);
    }
}

void ir_senml_decode_cbor(ir_resolver_t *resolver, ir_view_t body) {
    cursor_t cursor = {.resolver = resolver,
                       .data = (const unsigned char *)body.data,
                       .size = body.size,
                       .depth = 1};
    const item_t pack = next_item(&cursor);
    if (ir_resolver_refused(resolver)) {
        return;
    }
    if (pack.kind != ITEM_ARRAY || pack.length == UNBOUNDED) {
        ir_resolver_refuse(resolver, IR_REASON_NOT_SENML,
                           "not an array of records with definite length");
        return;
    }
    /* A record takes at least one byte, so impossible counts are refused before allocating. */
    if (pack.length <= resolver->limits->records && pack.length > cursor.size - cursor.at) {
        ir_resolver_refuse(resolver, IR_REASON_NOT_CBOR, "%zu records in %zu bytes", pack.length,
                           cursor.size - cursor.at);
        return;
    }
    if (!ir_resolver_begin(resolver, pack.length)) {
        return;
    }
    for (size_t i = 0;
         i < pack.length && !ir_resolver_refused(resolver) && !resolver->out_of_memory; i++) {
        read_record(&cursor, (int)i);
    }
    if (!ir_resolver_refused(resolver) && cursor.at < cursor.size) {
        ir_resolver_refuse(resolver, IR_REASON_NOT_CBOR, "%zu bytes after the pack",
                           cursor.size - cursor.at);
    }
}
