#include "loadgen/pack.h"

#include "broker/topology.h"
#include "common/arena.h"
#include "common/clock.h"
#include "common/number.h"
#include "observation/senml.h"

#include <stdlib.h>
#include <string.h>

#include <cbor/encoding.h>

#define ARENA_CHUNK (256 * 1024)
#define MICROSECOND_NS 1000
#define CBOR_ITEM_MAX 9 /* head of any item, or a number */

/* CBOR labels of RFC 8428, section 6: -1 - N for the negative ones. */
enum { CBOR_BN = 1, CBOR_BT = 2, CBOR_N = 0, CBOR_U = 1, CBOR_V = 2 };

/* What identifies a row beside its time. */
typedef struct ir_pack_row {
    ir_view_t name;
    ir_view_t value;
} ir_pack_row_t;

/* A message of one repetition; its body is head, time, tail. */
typedef struct ir_pack_frame {
    size_t head, head_size, tail_size; /* in `text`, one after the other */
    size_t first_row;
    size_t n_rows;
} ir_pack_frame_t;

struct ir_packs {
    const ir_replay_row_t *rows;
    int64_t step_ns;
    int64_t repeat;
    ir_pack_format_t format;
    ir_arena_t *arena;
    ir_pack_row_t *row_texts;
    ir_view_t *routing_keys; /* by mote */
    ir_buffer_t text;
    ir_pack_frame_t *frames;
    size_t n_frames;
    size_t records_max;
    uint64_t messages, observations;
};

/* ---- JSON ---- */

static void json_head(ir_buffer_t *out, const ir_replay_row_t *row, size_t n_rows) {
    (void)n_rows;
    ir_buffer_append_format(out, "[{\"bn\":\"%s/\",\"bt\":", row->station);
}

/* Names and units need no escapes. */
static void json_record(ir_buffer_t *out, const ir_replay_row_t *row, bool first) {
    ir_buffer_append_format(out, "%s\"n\":\"%s\",\"u\":\"%s\",\"v\":", first ? "," : ",{",
                            row->parameter, row->unit);
    ir_buffer_append_double(out, row->value);
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

static void cbor_head(ir_buffer_t *out, const ir_replay_row_t *row, size_t n_rows) {
    cbor_array(out, n_rows);
    cbor_map(out, 5);
    cbor_label(out, CBOR_BN, true);
    cbor_text_start(out, strlen(row->station) + 1);
    ir_buffer_append_text(out, row->station);
    ir_buffer_append_char(out, '/');
    cbor_label(out, CBOR_BT, true);
}

static void cbor_record(ir_buffer_t *out, const ir_replay_row_t *row, bool first) {
    if (!first) {
        cbor_map(out, 3);
    }
    cbor_label(out, CBOR_N, false);
    cbor_text(out, row->parameter);
    cbor_label(out, CBOR_U, false);
    cbor_text(out, row->unit);
    cbor_label(out, CBOR_V, false);
    cbor_double(out, row->value);
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

typedef struct ir_pack_writer {
    const char *content_type;
    void (*head)(ir_buffer_t *out, const ir_replay_row_t *row, size_t n_rows);
    void (*time)(ir_buffer_t *out, int64_t time_ns);
    void (*record)(ir_buffer_t *out, const ir_replay_row_t *row, bool first);
    void (*tail)(ir_buffer_t *out);
} ir_pack_writer_t;

static const ir_pack_writer_t writers[] = {
    [IR_PACK_JSON] = {"application/senml+json", json_head, json_time, json_record, json_tail},
    [IR_PACK_CBOR] = {"application/senml+cbor", cbor_head, cbor_time, cbor_record, cbor_tail},
};

/* ---- making ---- */

static size_t rows_of_message(const ir_replay_row_t *rows, size_t count, bool single) {
    size_t n = 1;
    while (!single && n < count && rows[n].mote == rows[0].mote &&
           rows[n].time_ns == rows[0].time_ns) {
        n++;
    }
    return n;
}

static void write_frame(ir_packs_t *packs, ir_pack_frame_t *frame) {
    const ir_pack_writer_t *writer = &writers[packs->format];
    const ir_replay_row_t *rows = &packs->rows[frame->first_row];
    frame->head = packs->text.size;
    writer->head(&packs->text, rows, frame->n_rows);
    frame->head_size = packs->text.size - frame->head;
    for (size_t i = 0; i < frame->n_rows; i++) {
        writer->record(&packs->text, &rows[i], i == 0);
    }
    writer->tail(&packs->text);
    frame->tail_size = packs->text.size - frame->head - frame->head_size;
}

static bool write_frames(ir_packs_t *packs, size_t n_rows, bool single) {
    for (size_t row = 0; row < n_rows;) {
        ir_pack_frame_t *frame = &packs->frames[packs->n_frames++];
        frame->first_row = row;
        frame->n_rows = rows_of_message(&packs->rows[row], n_rows - row, single);
        packs->records_max =
            frame->n_rows > packs->records_max ? frame->n_rows : packs->records_max;
        write_frame(packs, frame);
        row += frame->n_rows;
    }
    return ir_buffer_ok(&packs->text);
}

static bool write_row_texts(ir_packs_t *packs, size_t n_rows) {
    for (size_t i = 0; i < n_rows; i++) {
        const ir_replay_row_t *row = &packs->rows[i];
        char name[IR_NAME_SIZE_MAX + 1];
        char *at = stpcpy(stpcpy(stpcpy(name, row->station), "/"), row->parameter);
        char value[IR_NUMBER_SIZE];
        const size_t value_size = ir_number_format(row->value, value);
        packs->row_texts[i].name = ir_arena_copy(packs->arena, ir_view(name, (size_t)(at - name)));
        packs->row_texts[i].value = ir_arena_copy(packs->arena, ir_view(value, value_size));
        if (packs->row_texts[i].name.data == NULL || packs->row_texts[i].value.data == NULL) {
            return false;
        }
    }
    return true;
}

static bool write_routing_keys(ir_packs_t *packs, size_t n_rows) {
    for (size_t i = 0; i < n_rows; i++) {
        ir_view_t *key = &packs->routing_keys[packs->rows[i].mote];
        if (key->data != NULL) {
            continue;
        }
        char text[sizeof IR_ROUTING_PREFIX + IR_NAME_SIZE_MAX];
        char *at = stpcpy(stpcpy(text, IR_ROUTING_PREFIX), packs->rows[i].station);
        *key = ir_arena_copy(packs->arena, ir_view(text, (size_t)(at - text)));
        if (key->data == NULL) {
            return false;
        }
    }
    return true;
}

static bool render(ir_packs_t *packs, size_t n_rows, unsigned n_motes, bool single) {
    packs->arena = ir_arena_new(ARENA_CHUNK);
    packs->row_texts = calloc(n_rows, sizeof packs->row_texts[0]);
    packs->routing_keys = calloc(n_motes, sizeof packs->routing_keys[0]);
    packs->frames = calloc(n_rows, sizeof packs->frames[0]);
    return packs->arena != NULL && packs->row_texts != NULL && packs->routing_keys != NULL &&
           packs->frames != NULL && write_frames(packs, n_rows, single) &&
           write_row_texts(packs, n_rows) && write_routing_keys(packs, n_rows);
}

static void count(ir_packs_t *packs, size_t n_rows, uint64_t limit) {
    packs->messages = packs->n_frames * (uint64_t)packs->repeat;
    packs->observations = n_rows * (uint64_t)packs->repeat;
    if (limit == 0 || limit >= packs->messages) {
        return;
    }
    packs->messages = limit;
    packs->observations = limit / packs->n_frames * n_rows;
    for (uint64_t i = 0; i < limit % packs->n_frames; i++) {
        packs->observations += packs->frames[i].n_rows;
    }
}

ir_status_t ir_packs_new(const ir_replay_t *replay, const ir_packs_options_t *options,
                         ir_packs_t **packs, ir_error_t *error) {
    const int64_t repeats = ir_replay_repeats(replay);
    if (options->repeat < 1 || options->repeat > repeats) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "repeat: %lld is not within 1 … %lld: each repetition lies %lld days "
                            "before the next, and SenML's times begin in 1978",
                            (long long)options->repeat, (long long)repeats,
                            (long long)(ir_replay_step(replay) / (86400 * IR_SECOND_NS)));
    }
    size_t n_rows = 0;
    ir_packs_t *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->rows = ir_replay_rows(replay, &n_rows);
        made->step_ns = ir_replay_step(replay);
        made->repeat = options->repeat;
        made->format = options->format;
        ir_buffer_init(&made->text);
    }
    if (made == NULL || !render(made, n_rows, ir_replay_motes(replay), options->single_records)) {
        ir_packs_free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the messages of the replay");
    }
    count(made, n_rows, options->messages);
    *packs = made;
    return IR_OK;
}

void ir_packs_free(ir_packs_t *packs) {
    if (packs != NULL) {
        ir_arena_free(packs->arena);
        ir_buffer_free(&packs->text);
        free(packs->row_texts);
        free(packs->routing_keys);
        free(packs->frames);
        free(packs);
    }
}

/* ---- reading ---- */

uint64_t ir_packs_messages(const ir_packs_t *packs) {
    return packs->messages;
}

uint64_t ir_packs_observations(const ir_packs_t *packs) {
    return packs->observations;
}

size_t ir_packs_records_max(const ir_packs_t *packs) {
    return packs->records_max;
}

const char *ir_packs_content_type(const ir_packs_t *packs) {
    return writers[packs->format].content_type;
}

static const ir_pack_frame_t *frame_of(const ir_packs_t *packs, uint64_t number) {
    return &packs->frames[number % packs->n_frames];
}

static int64_t time_of(const ir_packs_t *packs, uint64_t number) {
    const int64_t repetition = (int64_t)(number / packs->n_frames);
    return packs->rows[frame_of(packs, number)->first_row].time_ns -
           (packs->repeat - 1 - repetition) * packs->step_ns;
}

void ir_packs_get(const ir_packs_t *packs, uint64_t number, ir_pack_t *pack) {
    const ir_pack_frame_t *frame = frame_of(packs, number);
    const unsigned mote = packs->rows[frame->first_row].mote;
    const ir_view_t key = packs->routing_keys[mote];
    const size_t prefix = strlen(IR_ROUTING_PREFIX);
    *pack = (ir_pack_t){.mote = ir_view(key.data + prefix, key.size - prefix),
                        .routing_key = key,
                        .mote_number = mote,
                        .n_records = frame->n_rows};
}

void ir_packs_body(const ir_packs_t *packs, uint64_t number, ir_buffer_t *out) {
    const ir_pack_frame_t *frame = frame_of(packs, number);
    const char *head = packs->text.data + frame->head;
    ir_buffer_append(out, head, frame->head_size);
    writers[packs->format].time(out, time_of(packs, number));
    ir_buffer_append(out, head + frame->head_size, frame->tail_size);
}

bool ir_packs_ids(const ir_packs_t *packs, uint64_t number, ir_id_t *ids) {
    const ir_pack_frame_t *frame = frame_of(packs, number);
    const int64_t time_ns = time_of(packs, number);
    for (size_t i = 0; i < frame->n_rows; i++) {
        const ir_pack_row_t *row = &packs->row_texts[frame->first_row + i];
        /* A number's identity is that of its shortest text, which was written once. */
        const ir_value_t value = {.kind = IR_VALUE_STRING, .bytes = row->value};
        if (!ir_id_observation(row->name, time_ns, &value, &ids[i])) {
            return false;
        }
    }
    return true;
}
