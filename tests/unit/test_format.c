/* Compares every format with its golden file in tests/data/formats. IR_WRITE_GOLDEN=1 rewrites
 * these files; review the changes before you keep them. Also tests the line reader and the merge of
 * ir-annotate. */
#include "annotation/formats/format.h"
#include "annotation/packs.h"
#include "annotation/quality/quality.h"
#include "annotation/revision_merge.h"
#include "observation/analysis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static ir_registry_t *registry;

static int set_up(void **state) {
    (void)state;
    ir_error_t error;
    return ir_registry_load("tests/data/annotate/lake.ttl", &registry, NULL, &error) == IR_OK ? 0
                                                                                              : -1;
}

static int tear_down(void **state) {
    (void)state;
    ir_registry_unref(registry);
    return 0;
}

static void add(ir_batch_t *batch, const char *body) {
    static const char base[] = "https://example.org/";
    const ir_analysis_t analysis = {
        .limits = ir_senml_limits_default, .base_iri = base, .accept_unregistered = true};
    const ir_batch_input_t input = {.routing_key = ir_view_text("ir.BUOY-7"),
                                    .content_type = ir_view_text("application/senml+json"),
                                    .body = ir_view_text(body),
                                    .arrival_ns = INT64_C(1400000000000000000)};
    assert_int_equal(ir_batch_add(batch, &analysis, &input), IR_OK);
}

/* The packs contain two numbers at one instant, every other kind of value, and a spike that only
 * the last pack decides. */
static ir_batch_t *sample(void) {
    ir_batch_t *batch = ir_batch_new(registry);
    add(batch, "[{\"bn\":\"BUOY-7/\",\"bt\":1304208000,\"n\":\"temp\",\"u\":\"Cel\",\"v\":7.25},"
               "{\"n\":\"wind\",\"u\":\"m/s\",\"v\":5,\"s\":12}]");
    add(batch, "[{\"bn\":\"BUOY-7/\",\"bt\":1304208600.25,\"n\":\"temp\",\"u\":\"Cel\",\"v\":-30},"
               "{\"n\":\"mode\",\"vs\":\"a \\\"b\\\",\\n\\\\ é\"},{\"n\":\"on\",\"vb\":true},"
               "{\"n\":\"blob\",\"vd\":\"-_8A\"}]");
    add(batch, "[{\"n\":\"BUOY-7/temp\",\"t\":1304209200,\"u\":\"Cel\",\"v\":7.5}]");
    ir_quality_t *quality = ir_quality_new(100, NULL, NULL, false);
    ir_error_t error;
    assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
    assert_int_equal(batch->n_revisions, 1);
    ir_quality_free(quality);
    return batch;
}

static void write_all(ir_buffer_t *out, const ir_format_t *format, const ir_batch_t *batch,
                      const ir_format_options_t *options) {
    bool first = true;
    if (format->head != NULL) {
        format->head(out, options);
    }
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        const ir_format_item_t item = {.batch = batch, .message = &batch->messages[i]};
        assert_false(ir_format_item_empty(&item));
        format->item(out, &item, options, first);
        first = false;
    }
    if (format->has_quality) {
        const ir_format_item_t item = {
            .batch = batch, .message = &batch->messages[2], .revision = &batch->revisions[0]};
        format->item(out, &item, options, first);
    }
    if (format->tail != NULL) {
        format->tail(out, options);
    }
    assert_true(ir_buffer_ok(out));
}

static void compare(const char *path, const ir_buffer_t *written) {
    if (getenv("IR_WRITE_GOLDEN") != NULL) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(written->data, 1, written->size, file), written->size);
        assert_int_equal(fclose(file), 0);
    }
    static char golden[1 << 20];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t size = fread(golden, 1, sizeof golden, file);
    fclose(file);
    if (size != written->size || memcmp(golden, written->data, size) != 0) {
        fail_msg("%s differs; written is:\n%.*s", path, (int)written->size, written->data);
    }
}

static void every_format_is_as_its_golden_file(void **state) {
    (void)state;
    static const char *const details[] = {"lean", "full"};
    size_t count = 0;
    const ir_format_t *const *formats = ir_formats(&count);
    assert_int_equal(count, 8);
    ir_batch_t *batch = sample();
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(ir_format_find(ir_view_text(formats[i]->name)), formats[i]);
        for (int detail = 0; detail < 2; detail++) {
            const ir_format_options_t options = {.base_iri = "https://example.org/",
                                                 .detail = (ir_graph_detail_t)detail,
                                                 .naming =
                                                     detail == 0 ? IR_GRAPH_DAY : IR_GRAPH_MOTE};
            char path[128];
            snprintf(path, sizeof path, "tests/data/formats/%s.%s", formats[i]->name,
                     details[detail]);
            ir_buffer_t out;
            ir_buffer_init(&out);
            write_all(&out, formats[i], batch, &options);
            compare(path, &out);
            ir_buffer_free(&out);
        }
    }
    ir_batch_free(batch);
}

static void refused_observations_are_left_out(void **state) {
    (void)state;
    ir_batch_t *batch = sample();
    batch->observations[0].state = IR_OBSERVATION_REFUSED;
    const ir_format_options_t options = {.base_iri = "https://example.org/"};
    const ir_format_item_t item = {.batch = batch, .message = &batch->messages[0]};
    ir_buffer_t out;
    ir_buffer_init(&out);
    ir_format_find(ir_view_text("json"))->item(&out, &item, &options, true);
    assert_null(memmem(out.data, out.size, "BUOY-7/temp", 11));
    assert_non_null(memmem(out.data, out.size, "BUOY-7/wind", 11));
    batch->observations[1].state = IR_OBSERVATION_REFUSED;
    assert_true(ir_format_item_empty(&item));
    ir_buffer_free(&out);
    ir_batch_free(batch);
}

static void lists_of_formats(void **state) {
    (void)state;
    const ir_format_t *found[IR_FORMATS_MAX];
    size_t count = 9;
    ir_error_t error;
    assert_int_equal(ir_formats_parse("csv,, json,csv ", found, &count, &error), IR_OK);
    assert_int_equal(count, 2);
    assert_string_equal(found[0]->name, "csv");
    assert_int_equal(ir_formats_parse("", found, &count, &error), IR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(ir_formats_parse(",", found, &count, &error), IR_ERR_USAGE);
    assert_int_equal(ir_formats_parse("csv,xml", found, &count, &error), IR_ERR_USAGE);
    assert_non_null(strstr(error.text, "xml"));
    assert_null(ir_format_find(ir_view_text("")));
}

static void base_iris(void **state) {
    (void)state;
    assert_true(ir_base_iri_valid("https://example.org/id/"));
    assert_true(ir_base_iri_valid("urn:x#"));
    assert_false(ir_base_iri_valid("https://example.org"));
    assert_false(ir_base_iri_valid("https://exa mple.org/"));
    assert_false(ir_base_iri_valid("no-scheme/"));
    assert_false(ir_base_iri_valid(""));
    assert_false(ir_base_iri_valid(NULL));
}

/* ---- merge ---- */

static void hindsight_puts_a_revision_into_an_earlier_batch(void **state) {
    (void)state;
    ir_revision_merge_t *merge = ir_revision_merge_new();
    ir_quality_t *quality = ir_quality_new(100, NULL, NULL, true);
    static const char *const values[] = {"7", "-30", "7"};
    ir_error_t error;
    for (int i = 0; i < 3; i++) {
        char body[128];
        snprintf(body, sizeof body, "[{\"n\":\"BUOY-7/temp\",\"t\":%d,\"v\":%s}]",
                 1304208000 + 600 * i, values[i]);
        ir_batch_t *batch = ir_batch_new(registry);
        add(batch, body);
        assert_int_equal(ir_quality_check(quality, batch, &error), IR_OUTCOME_OK);
        assert_true(ir_revision_merge_add(merge, batch));
    }
    size_t count = 0;
    ir_batch_t *const *batches = ir_revision_merge_batches(merge, &count);
    assert_int_equal(count, 3);
    assert_int_equal(batches[0]->observations[0].flags[IR_TEST_SPIKE], IR_FLAG_NOT_EVALUATED);
    assert_int_equal(batches[1]->observations[0].flags[IR_TEST_SPIKE], IR_FLAG_FAIL);
    assert_int_equal(batches[1]->observations[0].aggregate, IR_FLAG_FAIL);
    ir_quality_free(quality);
    ir_revision_merge_free(merge);
    ir_revision_merge_free(NULL);
}

/* ---- packs ---- */

typedef struct pack_case {
    const char *text;
    unsigned long line;
    bool too_long;
} pack_case_t;

static void expect_packs(const char *text, size_t longest, const pack_case_t *expected,
                         size_t count) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    ir_packs_t *packs = ir_packs_new(ends[0], longest);
    ir_pack_text_t pack;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ir_packs_next(packs, &pack), IR_OK);
        assert_int_equal(pack.line, expected[i].line);
        assert_int_equal(pack.too_long, expected[i].too_long);
        assert_true(ir_view_equal(pack.text, ir_view_text(expected[i].text)));
    }
    assert_int_equal(ir_packs_next(packs, &pack), IR_ERR_NOT_FOUND);
    ir_packs_free(packs);
    close(ends[0]);
}

static void packs_on_lines_are_cut_and_bounded(void **state) {
    (void)state;
    static const pack_case_t expected[] = {{"one", 1, false},   {"", 2, false},
                                           {"three", 3, false}, {"0123456789", 4, false},
                                           {"", 5, true},       {"last", 6, false}};
    expect_packs("one\r\n\nthree\n0123456789\n01234567890\nlast", 10, expected, 6);
    ir_packs_t *packs = ir_packs_new(-1, 10);
    ir_pack_text_t pack;
    assert_int_equal(ir_packs_next(packs, &pack), IR_ERR_IO);
    ir_packs_free(packs);
}

static void packs_go_over_lines(void **state) {
    (void)state;
    static const pack_case_t expected[] = {
        {"[\n {\"n\":\"a]\\\"]\"}\r\n]", 1, false}, /* brackets in strings do not count */
        {"[1]", 4, false},
        {"[{\"n\":\"cut", 5, false}, /* a truncated pack does not include the next one */
        {"[2]", 6, false},
        {"", 7, true},
        {"[3]", 11, false},
        {"]", 12, false},
        {"[{", 13, false},
    };
    expect_packs("[\n {\"n\":\"a]\\\"]\"}\r\n]\r\n[1]\n[{\"n\":\"cut\n[2]\n"
                 "[\n0123456789,\n0123456789\n]\n[3]\n]\n[{",
                 20, expected, sizeof expected / sizeof expected[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_is_as_its_golden_file),
        cmocka_unit_test(refused_observations_are_left_out),
        cmocka_unit_test(lists_of_formats),
        cmocka_unit_test(base_iris),
        cmocka_unit_test(hindsight_puts_a_revision_into_an_earlier_batch),
        cmocka_unit_test(packs_on_lines_are_cut_and_bounded),
        cmocka_unit_test(packs_go_over_lines),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
