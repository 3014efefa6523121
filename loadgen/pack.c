#include "loadgen/pack.h"

#include "common/clock.h"

#include <string.h>

#include <cbor/encoding.h>

#define MICROSECOND_NS 1000
#define CBOR_ITEM_MAX 9 /* head of any item, or a number */

/* CBOR labels of RFC 8428, section 6: -1 - N for the negative ones. */
enum { CBOR_BN = 1, CBOR_BT = 2, CBOR_N = 0, CBOR_U = 1, CBOR_V = 2 };

/* ---- JSON ---- */

static void json_head(ir_buffer_t *out, ir_view_t mote, size_t n_records) {
    (void)n_records;
    ir_buffer_append_text(out, "[{\"bn\":\"");
    ir_buffer_append_view(out, mote);
    ir_buffer_append_text(out, "/\",\"bt\":");
}

static void json_record(ir_buffer_t *out, const char *name, const char *unit, double value,
                        bool first) {
    ir_buffer_append_format(out, "%s\"n\":\"%s\",\"u\":\"%s\",\"v\":", first ? "," : ",{", name,
                            unit);
    ir_buffer_append_double(out, value);
    ir_buffer_append_char(out, '}');
}

static void json_tail(ir_buffer_t *out) {
    ir_buffer_append_char(out, ']');
}

static void json_time(ir_buffer_t *out, int64_t time_ns) {
    ir_buffer_append_int(out, time_ns / IR_SECOND_NS);
    int64_t fraction = time_ns % IR_SECOND_NS / MICROSECOND_NS;
    if (fraction == 0) {
        return;
    }
    int digits = 6;
    for (; fraction % 10 == 0; fraction /= 10) {
        digits--;
    }
    ir_buffer_append_format(out, ".%0*lld", digits, (long long)fraction);
}

/* ---- CBOR ---- */

typedef struct ir_cbor_item {
    unsigned char bytes[CBOR_ITEM_MAX];
} ir_cbor_item_t;

static void cbor_array(ir_buffer_t *out, size_t size) {
    ir_cbor_item_t item;
    ir_buffer_append(out, item.bytes, cbor_encode_array_start(size, item.bytes, CBOR_ITEM_MAX));
}

static void cbor_map(ir_buffer_t *out, size_t size) {
    ir_cbor_item_t item;
    ir_buffer_append(out, item.bytes, cbor_encode_map_start(size, item.bytes, CBOR_ITEM_MAX));
}

static void cbor_label(ir_buffer_t *out, uint8_t label, bool base) {
    ir_cbor_item_t item;
    ir_buffer_append(out, item.bytes,
                     base ? cbor_encode_negint(label, item.bytes, CBOR_ITEM_MAX)
                          : cbor_encode_uint(label, item.bytes, CBOR_ITEM_MAX));
}

static void cbor_text_start(ir_buffer_t *out, size_t size) {
    ir_cbor_item_t item;
    ir_buffer_append(out, item.bytes, cbor_encode_string_start(size, item.bytes, CBOR_ITEM_MAX));
}

static void cbor_text(ir_buffer_t *out, const char *text) {
    cbor_text_start(out, strlen(text));
    ir_buffer_append_text(out, text);
}

static void cbor_double(ir_buffer_t *out, double value) {
    ir_cbor_item_t item;
    ir_buffer_append(out, item.bytes, cbor_encode_double(value, item.bytes, CBOR_ITEM_MAX));
}

static void cbor_head(ir_buffer_t *out, ir_view_t mote, size_t n_records) {
    cbor_array(out, n_records);
    cbor_map(out, 5);
    cbor_label(out, CBOR_BN, true);
    cbor_text_start(out, mote.size + 1);
    ir_buffer_append_view(out, mote);
    ir_buffer_append_char(out, '/');
    cbor_label(out, CBOR_BT, true);
}

static void cbor_record(ir_buffer_t *out, const char *name, const char *unit, double value,
                        bool first) {
    if (!first) {
        cbor_map(out, 3);
    }
    cbor_label(out, CBOR_N, false);
    cbor_text(out, name);
    cbor_label(out, CBOR_U, false);
    cbor_text(out, unit);
    cbor_label(out, CBOR_V, false);
    cbor_double(out, value);
}

static void cbor_tail(ir_buffer_t *out) {
    (void)out;
}

static void cbor_time(ir_buffer_t *out, int64_t time_ns) {
    ir_cbor_item_t item;
    if (time_ns % IR_SECOND_NS != 0) {
        /* The nearest double to the microseconds, as a reader of the JSON form gets it. */
        const int64_t microseconds = time_ns / MICROSECOND_NS;
        cbor_double(out, (double)microseconds / 1e6);
        return;
    }
    ir_buffer_append(
        out, item.bytes,
        cbor_encode_uint((uint64_t)(time_ns / IR_SECOND_NS), item.bytes, CBOR_ITEM_MAX));
}

/* ---- the two formats ---- */

static const ir_pack_writer_t writers[] = {
    [IR_PACK_JSON] = {"application/senml+json", json_head, json_time, json_record, json_tail},
    [IR_PACK_CBOR] = {"application/senml+cbor", cbor_head, cbor_time, cbor_record, cbor_tail},
};

const ir_pack_writer_t *ir_pack_writer(ir_pack_format_t format) {
    return &writers[format];
}
