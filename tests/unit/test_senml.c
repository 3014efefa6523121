/* SenML decoding, compared with tests/data/senml: every rule and every refusal. Also with each
 * allocation failing in turn. */
#include "common/buffer.h"
#include "observation/senml/senml.h"
#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_NS (INT64_C(1400000000) * 1000000000)
#define CASE_SIZE 65536

static const ir_senml_limits_t limits = {
    .bytes = 4096, .depth = 16, .records = 8, .future_ns = INT64_C(86400) * 1000000000};

static const ir_senml_clock_t clock_now = {.arrival_ns = NOW_NS};

typedef struct sample {
    char name[128];
    char body[CASE_SIZE];
    char expected[CASE_SIZE];
} sample_t;

/* Reads the next case of the file; returns false at its end. */
static bool read_case(FILE *file, sample_t *sample) {
    static char line[CASE_SIZE];
    memset(sample, 0, sizeof *sample);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "case ", 5) == 0) {
            snprintf(sample->name, sizeof sample->name, "%.120s", line + 5);
        } else if (strncmp(line, "body", 4) == 0) {
            snprintf(sample->body, sizeof sample->body, "%s", line[4] == ' ' ? line + 5 : "");
        } else if (line[0] == '\0' && sample->name[0] != '\0') {
            return true;
        } else if (line[0] != '#' && line[0] != '\0') {
            const size_t size = strlen(sample->expected);
            snprintf(sample->expected + size, CASE_SIZE - size, "%s\n", line);
        }
    }
    return sample->name[0] != '\0';
}

static void show_value(ir_buffer_t *out, const ir_value_t *value) {
    switch (value->kind) {
    case IR_VALUE_NONE:
        ir_buffer_append_text(out, "none");
        break;
    case IR_VALUE_NUMBER:
        ir_buffer_append_double(out, value->number);
        break;
    case IR_VALUE_STRING:
        ir_buffer_append_format(out, "\"%.*s\"", IR_VIEW_ARG(value->bytes));
        break;
    case IR_VALUE_BOOL:
        ir_buffer_append_text(out, value->boolean ? "true" : "false");
        break;
    case IR_VALUE_DATA:
        ir_buffer_append_text(out, "data:");
        for (size_t i = 0; i < value->bytes.size; i++) {
            ir_buffer_append_format(out, "%02x", (unsigned char)value->bytes.data[i]);
        }
        break;
    }
}

static void show_record(ir_buffer_t *out, const ir_senml_record_t *record) {
    ir_buffer_append_format(out, "%d %.*s %.*s ", record->position, IR_VIEW_ARG(record->name),
                            record->unit.size > 0 ? (int)record->unit.size : 1,
                            record->unit.size > 0 ? record->unit.data : "-");
    show_value(out, &record->value);
    ir_buffer_append_format(out, " %lld", (long long)record->time_ns);
    if (record->has_sum) {
        ir_buffer_append_text(out, " sum ");
        ir_buffer_append_double(out, record->sum);
    }
    ir_buffer_append_char(out, '\n');
}

static void show_pack(ir_buffer_t *out, const ir_senml_pack_t *pack) {
    size_t r = 0;
    for (size_t i = 0; i <= pack->n_records; i++) {
        const int position = i < pack->n_records ? pack->records[i].position : 1 << 30;
        for (; r < pack->n_refusals && pack->refusals[r].record < position; r++) {
            assert_true(pack->refusals[r].detail[0] != '\0');
            ir_buffer_append_format(out, "%d refused %s\n", pack->refusals[r].record,
                                    ir_reason_text(pack->refusals[r].reason));
        }
        if (i < pack->n_records) {
            show_record(out, &pack->records[i]);
        }
    }
}

/* Decodes a body with each allocation failing in turn, then without failures. */
static void decode(const sample_t *sample, ir_media_t media, ir_view_t body) {
    ir_buffer_t shown;
    ir_buffer_init(&shown);
    for (unsigned nth = 1;; nth++) {
        ir_arena_t *arena = ir_arena_new(512);
        ir_senml_pack_t pack = {0};
        failing_alloc_arm(nth, FAILING_ALLOC_ALL);
        const ir_status_t status = ir_senml_decode(media, body, clock_now, &limits, arena, &pack);
        const bool failed = failing_alloc_disarm();
        if (failed) {
            assert_int_equal(status, IR_ERR_MEMORY);
        } else {
            assert_int_equal(status, IR_OK);
            show_pack(&shown, &pack);
        }
        ir_arena_free(arena);
        if (!failed) {
            break;
        }
    }
    ir_buffer_append_char(&shown, '\0');
    if (strcmp(shown.data, sample->expected) != 0) {
        fail_msg("case '%s'\nexpected:\n%sgot:\n%s", sample->name, sample->expected, shown.data);
    }
    ir_buffer_free(&shown);
}

/* Copies the body to a heap block of exactly its size, so that reads past its end are detected. */
static ir_view_t exact(const char *data, size_t size) {
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return ir_view(copy, size);
}

static void each_case(const char *path, ir_media_t media, bool hexadecimal) {
    static sample_t sample;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    unsigned count = 0;
    while (read_case(file, &sample)) {
        size_t size = strlen(sample.body);
        if (hexadecimal) {
            for (size_t i = 0; i < size / 2; i++) {
                unsigned byte = 0;
                assert_int_equal(sscanf(sample.body + 2 * i, "%2x", &byte), 1);
                sample.body[i] = (char)byte;
            }
            size /= 2;
        }
        const ir_view_t body = exact(sample.body, size);
        decode(&sample, media, body);
        free((void *)body.data);
        count++;
    }
    fclose(file);
    assert_true(count > 20);
}

static void json_cases(void **state) {
    (void)state;
    each_case("tests/data/senml/json.cases", IR_MEDIA_SENML_JSON, false);
}

static void cbor_cases(void **state) {
    (void)state;
    each_case("tests/data/senml/cbor.cases", IR_MEDIA_SENML_CBOR, true);
}

static void every_cut_of_a_pack_is_refused(void **state) {
    (void)state;
    static const char pack[] = "[{\"bn\":\"a\",\"bt\":1276020076,\"v\":1.5e3,\"u\":\"Cel\"}]";
    for (size_t size = 0; size + 1 < sizeof pack; size++) {
        ir_arena_t *arena = ir_arena_new(512);
        ir_senml_pack_t decoded;
        const ir_view_t body = exact(pack, size);
        assert_int_equal(
            ir_senml_decode(IR_MEDIA_SENML_JSON, body, clock_now, &limits, arena, &decoded), IR_OK);
        assert_int_equal(decoded.n_records, 0);
        assert_int_equal(decoded.n_refusals, 1);
        free((void *)body.data);
        ir_arena_free(arena);
    }
}

static void bounds(void **state) {
    (void)state;
    static char large[4097];
    memset(large, ' ', sizeof large);
    ir_arena_t *arena = ir_arena_new(512);
    ir_senml_pack_t pack;
    assert_int_equal(ir_senml_decode(IR_MEDIA_SENML_JSON, ir_view(large, sizeof large), clock_now,
                                     &limits, arena, &pack),
                     IR_OK);
    assert_int_equal(pack.refusals[0].reason, IR_REASON_TOO_LARGE);
    static char deep[4000];
    memset(deep, '[', sizeof deep);
    assert_int_equal(ir_senml_decode(IR_MEDIA_SENML_JSON, ir_view(deep, sizeof deep), clock_now,
                                     &limits, arena, &pack),
                     IR_OK);
    assert_int_equal(pack.refusals[0].reason, IR_REASON_TOO_DEEP);
    ir_arena_free(arena);
}

/* A long first chunk and many empty ones: as much memory as the string has bytes. */
static void chunks_cost_no_more_than_their_bytes(void **state) {
    (void)state;
    enum { LONG = 100000, EMPTY = 63 };
    static const char head[] = "\x81\xa2\x00\x61p\x03\x7f\x7a\x00\x01\x86\xa0";
    static char body[sizeof head - 1 + LONG + EMPTY + 1];
    memcpy(body, head, sizeof head - 1);
    memset(body + sizeof head - 1, 'x', LONG);
    memset(body + sizeof head - 1 + LONG, 0x60, EMPTY);
    body[sizeof body - 1] = (char)0xff;
    ir_arena_t *arena = ir_arena_new(4096);
    ir_senml_pack_t pack;
    assert_int_equal(ir_senml_decode(IR_MEDIA_SENML_CBOR, ir_view(body, sizeof body), clock_now,
                                     &ir_senml_limits_default, arena, &pack),
                     IR_OK);
    assert_int_equal(pack.n_records, 1);
    assert_int_equal(pack.records[0].value.bytes.size, LONG);
    assert_true(ir_arena_footprint(arena) < 4 * sizeof body);
    ir_arena_free(arena);
}

static void media_types(void **state) {
    (void)state;
    assert_int_equal(ir_media_parse(ir_view_text("application/senml+json")), IR_MEDIA_SENML_JSON);
    assert_int_equal(ir_media_parse(ir_view_text("Application/SenML+CBOR; x=y")),
                     IR_MEDIA_SENML_CBOR);
    assert_int_equal(ir_media_parse(ir_view_text("application/json;charset=utf-8")),
                     IR_MEDIA_SENML_JSON);
    assert_int_equal(ir_media_parse(ir_view_text("application/cbor")), IR_MEDIA_SENML_CBOR);
    assert_int_equal(ir_media_parse(ir_view_text("text/plain; charset=UTF-8")), IR_MEDIA_OPEN);
    assert_int_equal(ir_media_parse(ir_view_text("application/octet-stream")), IR_MEDIA_OPEN);
    assert_int_equal(ir_media_parse(ir_view_text("")), IR_MEDIA_OPEN);
    assert_int_equal(ir_media_parse(ir_view_text("application/jso")), IR_MEDIA_UNKNOWN);
    assert_int_equal(ir_media_parse(ir_view_text("text/html")), IR_MEDIA_UNKNOWN);
    assert_string_equal(ir_media_text(IR_MEDIA_SENML_JSON), "application/senml+json");
    assert_string_equal(ir_media_text(IR_MEDIA_SENML_CBOR), "application/senml+cbor");
}

static void open_media_are_told_from_the_body(void **state) {
    (void)state;
    const ir_view_t none = ir_view_text("");
    assert_int_equal(ir_media_of(none, ir_view_text(" \n[{}]")), IR_MEDIA_SENML_JSON);
    assert_int_equal(ir_media_of(none, ir_view_text("\xef\xbb\xbf[{}]")), IR_MEDIA_SENML_JSON);
    assert_int_equal(ir_media_of(none, ir_view_text("\x81\xa0")), IR_MEDIA_SENML_CBOR);
    assert_int_equal(ir_media_of(none, ir_view_text("{}")), IR_MEDIA_UNKNOWN);
    assert_int_equal(ir_media_of(none, none), IR_MEDIA_UNKNOWN);
    assert_int_equal(ir_media_of(ir_view_text("text/plain"), ir_view_text("[")),
                     IR_MEDIA_SENML_JSON);
    assert_int_equal(ir_media_of(ir_view_text("application/senml+cbor"), ir_view_text("[")),
                     IR_MEDIA_SENML_CBOR);
    assert_int_equal(ir_media_of(ir_view_text("image/png"), ir_view_text("[")), IR_MEDIA_UNKNOWN);
}

static void what_writers_leave_around_json(void **state) {
    (void)state;
    static const char body[] = "\xef\xbb\xbf[{\"n\":\"a\",\"v\":1}]\n\0\0";
    ir_arena_t *arena = ir_arena_new(4096);
    ir_senml_pack_t pack;
    assert_int_equal(ir_senml_decode(IR_MEDIA_SENML_JSON, ir_view(body, sizeof body), clock_now,
                                     &ir_senml_limits_default, arena, &pack),
                     IR_OK);
    assert_int_equal(pack.n_records, 1);
    assert_int_equal(pack.n_refusals, 0);
    ir_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_cases),
        cmocka_unit_test(cbor_cases),
        cmocka_unit_test(every_cut_of_a_pack_is_refused),
        cmocka_unit_test(bounds),
        cmocka_unit_test(chunks_cost_no_more_than_their_bytes),
        cmocka_unit_test(media_types),
        cmocka_unit_test(open_media_are_told_from_the_body),
        cmocka_unit_test(what_writers_leave_around_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
