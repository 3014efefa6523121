#include "observation/senml/writer.h"

#include "common/clock.h"

#include <string.h>

#include <cbor/encoding.h>

#define MICROSECOND_NS 1000
#define FRACTION_DIGITS 6
#define CBOR_ITEM_MAX 9 /* head of any item, or a number */
#define SEQUENCE "seq"

/* CBOR labels of RFC 8428, section 6; negative ones are written as -1 - N. */
enum { CBOR_BVER = 0, CBOR_BN = 1, CBOR_BT = 2, CBOR_N = 0, CBOR_U = 1, CBOR_V = 2, CBOR_T = 6 };

/* ---- JSON ---- */

static void json_label(ir_buffer_t *out, const char *name, const char *unit) {
    ir_buffer_append_format(out, "\"n\":\"%s\",", name);
    if (unit != NULL) {
        ir_buffer_append_format(out, "\"u\":\"%s\",", unit);
    }
    ir_buffer_append_text(out, "\"v\":");
}

/* Between the fields of the head. */
static void json_comma(ir_buffer_t *out) {
    if (out->size > 0 && out->data[out->size - 1] != '{') {
        ir_buffer_append_char(out, ',');
    }
}

static void json_head(ir_buffer_t *out, const ir_pack_head_t *head) {
    ir_buffer_append_text(out, "[{");
    if (head->version > 0) {
        ir_buffer_append_format(out, "\"bver\":%u", head->version);
    }
    if (head->mote.size > 0) {
        json_comma(out);
        ir_buffer_append_text(out, "\"bn\":\"");
        ir_buffer_append_view(out, head->mote);
        ir_buffer_append_text(out, "/\"");
    }
    if (head->numbered) {
        json_comma(out);
        ir_buffer_append_text(out, "\"" SEQUENCE "\":");
        ir_buffer_append_uint(out, head->sequence);
    }
    if (!head->timeless) {
        json_comma(out);
        ir_buffer_append_text(out, "\"bt\":");
    }
}

static void json_time(ir_buffer_t *out, int64_t time_ns) {
    if (time_ns < 0) {
        ir_buffer_append_char(out, '-');
        time_ns = -time_ns;
    }
    ir_buffer_append_int(out, time_ns / IR_SECOND_NS);
    int64_t fraction = time_ns % IR_SECOND_NS / MICROSECOND_NS;
    if (fraction == 0) {
        return;
    }
    char text[1 + FRACTION_DIGITS] = ".";
    for (int i = FRACTION_DIGITS; i > 0; i--, fraction /= 10) {
        text[i] = (char)('0' + fraction % 10);
    }
    size_t size = sizeof text;
    while (text[size - 1] == '0') {
        size--;
    }
    ir_buffer_append(out, text, size);
}

static void json_record(ir_buffer_t *out, const ir_pack_record_t *record, bool first) {
    if (first) {
        json_comma(out);
    } else {
        ir_buffer_append_text(out, ",{");
    }
    if (record->after_s > 0) {
        ir_buffer_append_text(out, "\"t\":");
        ir_buffer_append_uint(out, record->after_s);
        ir_buffer_append_char(out, ',');
    }
    ir_buffer_append_view(out, record->label);
    ir_buffer_append_view(out, record->text);
    ir_buffer_append_char(out, '}');
}

static void json_tail(ir_buffer_t *out) {
    ir_buffer_append_char(out, ']');
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

static void cbor_uint(ir_buffer_t *out, uint64_t number) {
    ir_cbor_item_t item;
    ir_buffer_append(out, item.bytes, cbor_encode_uint(number, item.bytes, CBOR_ITEM_MAX));
}

static void cbor_base_label(ir_buffer_t *out, uint8_t label) {
    ir_cbor_item_t item;
    ir_buffer_append(out, item.bytes, cbor_encode_negint(label, item.bytes, CBOR_ITEM_MAX));
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

static void cbor_label(ir_buffer_t *out, const char *name, const char *unit) {
    cbor_uint(out, CBOR_N);
    cbor_text(out, name);
    cbor_uint(out, CBOR_U);
    cbor_text(out, unit);
    cbor_uint(out, CBOR_V);
}

static void cbor_head(ir_buffer_t *out, const ir_pack_head_t *head) {
    cbor_array(out, head->n_records);
    cbor_map(out, (size_t)4 + (head->version > 0) + head->numbered + !head->timeless);
    if (head->version > 0) {
        cbor_base_label(out, CBOR_BVER);
        cbor_uint(out, head->version);
    }
    cbor_base_label(out, CBOR_BN);
    cbor_text_start(out, head->mote.size + 1);
    ir_buffer_append_view(out, head->mote);
    ir_buffer_append_char(out, '/');
    if (head->numbered) {
        cbor_text(out, SEQUENCE);
        cbor_uint(out, head->sequence);
    }
    if (!head->timeless) {
        cbor_base_label(out, CBOR_BT);
    }
}

static void cbor_time(ir_buffer_t *out, int64_t time_ns) {
    if (time_ns >= 0 && time_ns % IR_SECOND_NS == 0) {
        cbor_uint(out, (uint64_t)(time_ns / IR_SECOND_NS));
        return;
    }
    /* Rounds to the double nearest to the microseconds, as a reader of the JSON form does. */
    const int64_t microseconds = time_ns / MICROSECOND_NS;
    cbor_double(out, (double)microseconds / 1e6);
}

static void cbor_record(ir_buffer_t *out, const ir_pack_record_t *record, bool first) {
    if (!first) {
        cbor_map(out, record->after_s > 0 ? 4 : 3);
    }
    if (record->after_s > 0) {
        cbor_uint(out, CBOR_T);
        cbor_uint(out, record->after_s);
    }
    ir_buffer_append_view(out, record->label);
    cbor_double(out, record->value);
}

static void cbor_tail(ir_buffer_t *out) {
    (void)out;
}

/* ---- the two formats ---- */

static const ir_pack_writer_t writers[] = {
    [IR_PACK_JSON] = {"application/senml+json", json_label, json_head, json_time, json_record,
                      json_tail},
    [IR_PACK_CBOR] = {"application/senml+cbor", cbor_label, cbor_head, cbor_time, cbor_record,
                      cbor_tail},
};

const ir_pack_writer_t *ir_pack_writer(ir_pack_format_t format) {
    return &writers[format];
}
