/* Decoding of requests, the answers, gzip with a size limit, and each allocation failing in
 * turn. */
#include "common/gunzip.h"
#include "http/problem.h"
#include "ingest/key.h"
#include "ingest/refusal.h"
#include "ingest/shipment.h"
#include "ingest/submission.h"
#include "observation/ownership.h"
#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#define NOW_NS (INT64_C(1400000000) * 1000000000)
#define JSON "application/senml+json"
#define LINES "application/x-ndjson"

static const ir_submission_limits_t limits = {
    .senml = {.bytes = 512, .depth = 16, .records = 100, .future_ns = 0},
    .body_bytes = 2048,
    .expanded_bytes = 4096,
    .packs = 4};

static int set_up(void **state) {
    *state = ir_submission_reader_new(&limits);
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    ir_submission_reader_free(*state);
    return 0;
}

static ir_submission_input_t input_of(const char *type, const char *encoding, ir_view_t body) {
    return (ir_submission_input_t){.mote = "creek-1",
                                   .content_type = type,
                                   .content_encoding = encoding,
                                   .body = body,
                                   .arrival_ns = NOW_NS};
}

static void read_body(ir_submission_reader_t *reader, const char *type, const char *body,
                      ir_submission_t *submission) {
    const ir_submission_input_t input = input_of(type, NULL, ir_view_text(body));
    assert_int_equal(ir_submission_read(reader, &input, submission), IR_OK);
}

/* ---- gzip ---- */

static size_t compress_text(const char *text, size_t size, char *out, size_t room) {
    z_stream stream = {.next_in = (Bytef *)text, .avail_in = (uInt)size};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    const size_t made = stream.total_out;
    deflateEnd(&stream);
    return made;
}

static void gzip_expands_up_to_the_bound_and_no_further(void **state) {
    (void)state;
    static char zeros[200000];
    static char packed[4096];
    const size_t size = compress_text(zeros, sizeof zeros, packed, sizeof packed);
    ir_buffer_t out;
    ir_buffer_init(&out);
    assert_int_equal(ir_gunzip(ir_view(packed, size), sizeof zeros, &out), IR_OK);
    assert_int_equal(out.size, sizeof zeros);
    ir_buffer_clear(&out);
    assert_int_equal(ir_gunzip(ir_view(packed, size), sizeof zeros - 1, &out), IR_ERR_FULL);
    assert_true(out.size <= sizeof zeros);
    for (size_t cut = 0; cut < size; cut += 7) {
        ir_buffer_clear(&out);
        assert_int_equal(ir_gunzip(ir_view(packed, cut), sizeof zeros, &out), IR_ERR_SYNTAX);
    }
    packed[size] = 'x';
    ir_buffer_clear(&out);
    assert_int_equal(ir_gunzip(ir_view(packed, size + 1), sizeof zeros, &out), IR_ERR_SYNTAX);
    ir_buffer_free(&out);
}

/* ---- names of other motes ---- */

static void names_belong_to_the_mote_they_begin_with(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool own;
    } cases[] = {
        {"creek-1", true},   {"creek-1/t", true},   {"creek-1:t", true},  {"creek-1.t", true},
        {"creek-1_t", true}, {"creek-12/t", false}, {"creek-1-2", false}, {"creek-", false},
        {"creek", false},    {"Creek-1/t", false},  {"", false},          {"xcreek-1/t", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ir_mote_owns("creek-1", ir_view_text(cases[i].name)), cases[i].own);
    }
}

/* ---- submissions ---- */

static void packs_are_taken_as_they_are(void **state) {
    ir_submission_t s;
    const char *body = "[{\"n\":\"creek-1/t\",\"v\":1},{\"n\":\"creek-1/u\",\"v\":2}]";
    read_body(*state, JSON, body, &s);
    assert_int_equal(s.code, 202);
    assert_int_equal(s.n_packs, 1);
    assert_int_equal(s.observations, 2);
    assert_true(ir_view_equal(s.packs[0].body, ir_view_text(body)));
    ir_id_t id;
    const ir_raw_key_t key = {.kind = IR_RAW_ARRIVED,
                              .mote = ir_view_text("creek-1"),
                              .body = ir_view_text(body),
                              .time_ns = NOW_NS};
    ir_id_raw(&key, &id);
    assert_memory_equal(&id, &s.packs[0].raw_id, sizeof id);
    read_body(*state, LINES, " [{\"n\":\"creek-1\",\"v\":1}]\r\n\n[{\"n\":\"creek-1\",\"v\":2}]",
              &s);
    assert_int_equal(s.code, 202);
    assert_int_equal(s.n_packs, 2);
    assert_true(ir_view_equal(s.packs[0].body, ir_view_text("[{\"n\":\"creek-1\",\"v\":1}]")));
}

/* Equal readings without a time stay distinct: the second one gets an arrival a microsecond
 * later. */
static void equal_lines_without_a_time_have_ids_of_their_own(void **state) {
    ir_submission_t s;
    read_body(*state, LINES, "[{\"n\":\"creek-1\",\"v\":1}]\n[{\"n\":\"creek-1\",\"v\":1}]", &s);
    assert_int_equal(s.n_packs, 2);
    assert_int_equal(s.packs[0].arrival_ns, NOW_NS);
    assert_int_equal(s.packs[1].arrival_ns, NOW_NS + IR_PACK_INTERVAL_NS);
    assert_memory_not_equal(&s.packs[0].raw_id, &s.packs[1].raw_id, sizeof s.packs[0].raw_id);
}

static void expect_named(const ir_submission_pack_t *pack, const char *name) {
    const ir_raw_key_t key = {.kind = IR_RAW_NAMED,
                              .mote = ir_view_text("creek-1"),
                              .body = pack->body,
                              .name = ir_view_text(name)};
    ir_id_t id;
    ir_id_raw(&key, &id);
    assert_true(ir_view_equal(pack->name, ir_view_text(name)));
    assert_memory_equal(&id, &pack->raw_id, sizeof id);
}

/* In a request with several packs and a key, each pack is named KEY/LINE. */
static void a_key_names_the_packs(void **state) {
    ir_submission_t s;
    ir_submission_input_t input =
        input_of(JSON, NULL, ir_view_text("[{\"n\":\"creek-1/t\",\"v\":1}]"));
    static const char *const keys[] = {"k-1", "\"k-1\""};
    for (size_t i = 0; i < 2; i++) {
        input.idempotency_key = keys[i];
        assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
        assert_int_equal(s.code, 202);
        expect_named(&s.packs[0], "k-1");
    }
    input.content_type = LINES;
    input.body =
        ir_view_text("[{\"n\":\"creek-1/t\",\"v\":1}]\n\n[{\"n\":\"creek-1/t\",\"v\":1}]\n");
    assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
    assert_int_equal(s.n_packs, 2);
    expect_named(&s.packs[0], "k-1/1");
    expect_named(&s.packs[1], "k-1/3");
}

/* The name is always passed on, because only the worker decides whether times are relative. */
static void a_key_does_not_change_the_id_of_absolute_packs(void **state) {
    ir_submission_t s;
    ir_submission_input_t input =
        input_of(JSON, NULL, ir_view_text("[{\"n\":\"creek-1/t\",\"t\":1320469200,\"v\":1}]"));
    assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
    assert_int_equal(s.packs[0].name.size, 0);
    const ir_id_t without = s.packs[0].raw_id;
    input.idempotency_key = "k";
    assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
    assert_memory_equal(&without, &s.packs[0].raw_id, sizeof without);
    assert_true(ir_view_equal(s.packs[0].name, ir_view_text("k")));
}

static void keys_that_are_none(void **state) {
    char longest[IR_KEY_MAX + 2];
    memset(longest, 'k', sizeof longest);
    longest[IR_KEY_MAX] = '\0';
    ir_submission_t s;
    ir_submission_input_t input =
        input_of(JSON, NULL, ir_view_text("[{\"n\":\"creek-1/t\",\"v\":1}]"));
    input.idempotency_key = longest;
    assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
    assert_int_equal(s.code, 202);
    longest[IR_KEY_MAX] = 'k';
    longest[IR_KEY_MAX + 1] = '\0';
    const char *const wrong[] = {"",          "\"\"", "\"",       "a b",      "a\tb", "k\x7f",
                                 "k\xc3\xa9", "k\"",  "\"a\"b\"", "\"a\\b\"", longest};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        input.idempotency_key = wrong[i];
        assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
        assert_int_equal(s.code, 400);
        assert_string_equal(s.reason, "idempotency-key");
        assert_int_equal(s.n_packs, 0);
    }
}

static void anything_wrong_refuses_the_whole(void **state) {
    static const struct {
        const char *type, *body;
        int code;
        const char *reason;
        size_t faults;
    } cases[] = {
        {NULL, "{}", 415, "content-type", 0},
        {"text/html", "[]", 415, "content-type", 0},
        {"text/plain", "creek-1 7", 415, "content-type", 0},
        {"application/json; charset=utf-8", "{}", 400, "not-senml", 1},
        {"text/plain", "[]", 400, "empty-pack", 1},
        {NULL, "", 400, "empty", 0},
        {JSON, "", 400, "empty", 0},
        {JSON, "[]", 400, "empty-pack", 1},
        {LINES, "\n\n", 400, "empty", 0},
        {LINES, "[{\"n\":\"creek-1\",\"v\":1}]\n[1]\n{", 400, "not-senml", 2},
        {LINES, "1\n2\n3\n4\n5\n", 413, "too-many-packs", 4},
        {JSON, "[{\"n\":\"creek-1\"},{\"n\":\"creek-1\",\"v\":1},{\"v\":1}]", 400, "no-value", 2},
        {JSON, "[{\"n\":\"other/t\",\"v\":1}]", 403, "foreign-name", 1},
        {JSON, "[{\"n\":\"creek-1\"},{\"n\":\"other/t\",\"v\":1}]", 403, "foreign-name", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_submission_t s;
        read_body(*state, cases[i].type, cases[i].body, &s);
        assert_int_equal(s.code, cases[i].code);
        assert_string_equal(s.reason, cases[i].reason);
        assert_int_equal(s.n_faults, cases[i].faults);
        assert_true(s.detail[0] != '\0');
    }
}

/* The content types that clients send by default. The body is a C string with its NUL. */
static void what_clients_send_by_default(void **state) {
    static const char *const types[] = {NULL,
                                        "application/json; charset=utf-8",
                                        "text/plain",
                                        "application/x-www-form-urlencoded",
                                        "application/octet-stream",
                                        LINES};
    static const char body[] = "\xef\xbb\xbf[{\"n\":\"creek-1\",\"v\":1}]\r\n";
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        ir_submission_t s;
        const ir_submission_input_t input = input_of(types[i], NULL, ir_view(body, sizeof body));
        assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
        assert_int_equal(s.code, 202);
        assert_int_equal(s.media, IR_MEDIA_SENML_JSON);
        assert_int_equal(s.n_packs, 1);
    }
}

/* ---- with a registry ---- */

static ir_submission_t read_known(ir_submission_reader_t *reader, const char *type,
                                  const char *body, bool accept) {
    static ir_registry_t *registry;
    ir_error_t error;
    ir_submission_t s;
    if (registry == NULL) {
        assert_int_equal(ir_registry_load("tests/data/annotate/lake.ttl", &registry, NULL, &error),
                         IR_OK);
    }
    ir_submission_input_t input = input_of(type, NULL, ir_view_text(body));
    input.mote = "BUOY-7";
    input.registry = registry;
    input.accept_unregistered = accept;
    assert_int_equal(ir_submission_read(reader, &input, &s), IR_OK);
    return s;
}

static void what_the_registry_knows_is_told_at_once(void **state) {
    static const struct {
        const char *type, *body;
        int code;
        const char *reason;
        size_t faults, observations;
    } cases[] = {
        {JSON, "[{\"n\":\"BUOY-7/temp\",\"v\":1}]", 202, "accepted", 0, 1},
        {JSON, "[{\"n\":\"BUOY-7/none\",\"v\":1}]", 400, "unknown-sensor", 1, 0},
        {JSON, "[{\"n\":\"other/none\",\"v\":1}]", 400, "unknown-sensor", 1, 0},
        {JSON, "[{\"n\":\"BUOY-7/temp\",\"u\":\"m\",\"v\":1}]", 400, "unit", 1, 0},
        {JSON, "[{\"n\":\"BUOY-7/temp\",\"vs\":\"x\"}]", 400, "value-type", 1, 0},
        {JSON, "[{\"n\":\"BUOY-7/none\",\"v\":1},{\"n\":\"BUOY-7/temp\",\"v\":1}]", 202, "accepted",
         1, 1},
        {LINES, "[{\"n\":\"BUOY-7/none\",\"v\":1}]\n[{\"n\":\"BUOY-7/temp\",\"v\":1}]", 202,
         "accepted", 1, 1},
        /* invalid SenML takes precedence */
        {LINES, "[{\"n\":\"BUOY-7/none\",\"v\":1}]\n[{\"n\":\"BUOY-7/temp\"}]", 400, "no-value", 1,
         0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ir_submission_t s = read_known(*state, cases[i].type, cases[i].body, false);
        assert_int_equal(s.code, cases[i].code);
        assert_string_equal(s.reason, cases[i].reason);
        assert_int_equal(s.n_faults, cases[i].faults);
        assert_int_equal(s.observations, cases[i].observations);
    }
}

static void strangers_are_known_by_their_names(void **state) {
    ir_submission_t s = read_known(*state, JSON, "[{\"n\":\"BUOY-7/none\",\"v\":1}]", true);
    assert_int_equal(s.code, 202);
    assert_int_equal(s.observations, 1);
    s = read_known(*state, JSON, "[{\"n\":\"other/none\",\"v\":1}]", true);
    assert_int_equal(s.code, 403);
}

static void sizes_are_bounded(void **state) {
    static char body[3000];
    ir_submission_t s;
    memset(body, ' ', sizeof body);
    ir_submission_input_t input = input_of(JSON, NULL, ir_view(body, limits.body_bytes + 1));
    assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
    assert_int_equal(s.code, 413);
    input.body.size = limits.senml.bytes + 1;
    assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
    assert_int_equal(s.code, 413);
    assert_string_equal(s.reason, "too-large");
    static char zeros[100000];
    static char packed[2048];
    input.body = ir_view(packed, compress_text(zeros, sizeof zeros, packed, sizeof packed));
    input.content_encoding = "gzip";
    assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
    assert_int_equal(s.code, 413);
    input.content_encoding = "br";
    assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
    assert_int_equal(s.code, 415);
}

/* ---- the texts of faults ---- */

static void problems_are_json_with_the_first_faults(void **state) {
    ir_submission_t s;
    ir_buffer_t out;
    ir_buffer_init(&out);
    read_body(
        *state, LINES,
        "[{\"n\":\"creek-1\"},{\"n\":\"a b\",\"v\":1}]\n\n[{\"n\":\"creek-1\",\"v\":\"\\\"\"}]\nx",
        &s);
    ir_refusal_append(&out, &s);
    json_t *problem = json_loadb(out.data, out.size, 0, NULL);
    assert_non_null(problem);
    assert_int_equal(json_integer_value(json_object_get(problem, "status")), 400);
    assert_int_equal(json_integer_value(json_object_get(problem, "refused")), 4);
    const json_t *refusals = json_object_get(problem, "refusals");
    assert_int_equal(json_array_size(refusals), 4);
    const json_t *third = json_array_get(refusals, 2);
    assert_int_equal(json_integer_value(json_object_get(third, "line")), 3);
    assert_int_equal(json_integer_value(json_object_get(third, "record")), 0);
    assert_string_equal(json_string_value(json_object_get(third, "reason")), "bad-field");
    assert_null(json_object_get(json_array_get(refusals, 3), "record"));
    json_decref(problem);
    ir_buffer_free(&out);
}

static void every_code_has_a_phrase(void **state) {
    (void)state;
    static const int codes[] = {202, 400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 503};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_string_not_equal(ir_problem_phrase(codes[i]), "Unknown");
    }
    assert_string_equal(ir_problem_phrase(999), "Unknown");
}

/* ---- shipments ---- */

static void a_shipment_copies_and_has_the_worst_fate(void **state) {
    ir_submission_t s;
    char body[] = "[{\"n\":\"creek-1\",\"v\":1}]\n[{\"n\":\"creek-1\",\"v\":22}]\n[{\"n\":\"creek-"
                  "1\",\"v\":3}]";
    char key[] = "k";
    ir_submission_input_t input = input_of(LINES, NULL, ir_view_text(body));
    input.idempotency_key = key;
    assert_int_equal(ir_submission_read(*state, &input, &s), IR_OK);
    ir_shipment_t *shipment = ir_shipment_new(&s, "creek-1");
    memset(body, 'x', sizeof body - 1);
    memset(key, 'x', sizeof key - 1);
    memset((char *)s.packs[1].name.data, 'x', s.packs[1].name.size);
    assert_true(ir_view_equal(shipment->messages[1].name, ir_view_text("k/2")));
    assert_int_equal(shipment->messages[0].arrival_ns, NOW_NS);
    assert_int_equal(shipment->messages[2].arrival_ns, NOW_NS + 2 * IR_PACK_INTERVAL_NS);
    assert_true(ir_view_equal(shipment->routing_key, ir_view_text("ir.creek-1")));
    assert_true(
        ir_view_equal(shipment->messages[1].body, ir_view_text("[{\"n\":\"creek-1\",\"v\":22}]")));
    assert_int_equal(ir_shipment_body_bytes(shipment), sizeof body - 1 - 2);
    ir_shipment_settle(shipment, 1, IR_SHIPMENT_CONFIRMED);
    ir_shipment_settle(shipment, 1, IR_SHIPMENT_UNKNOWN);
    assert_int_equal(shipment->open, 1);
    ir_shipment_settle(shipment, 1, IR_SHIPMENT_REFUSED);
    assert_int_equal(shipment->open, 0);
    assert_int_equal(shipment->fate, IR_SHIPMENT_UNKNOWN);
    ir_buffer_t out;
    ir_buffer_init(&out);
    ir_shipment_append_answer(shipment, &out);
    json_t *answer = json_loadb(out.data, out.size, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(answer, "raw_ids")), 3);
    json_decref(answer);
    ir_buffer_free(&out);
    ir_shipment_free(shipment);
}

/* ---- memory ---- */

static bool read_all(const ir_submission_input_t *input) {
    ir_submission_t s;
    ir_submission_reader_t *reader = ir_submission_reader_new(&limits);
    const bool good = reader != NULL && ir_submission_read(reader, input, &s) == IR_OK;
    ir_shipment_t *shipment = good ? ir_shipment_new(&s, "creek-1") : NULL;
    ir_shipment_free(shipment);
    ir_submission_reader_free(reader);
    return shipment != NULL;
}

static void failing_allocations_are_told(void **state) {
    (void)state;
    failing_alloc_required();
    static const char body[] = "[{\"n\":\"creek-1\",\"v\":1}]\n[{\"n\":\"creek-1\",\"v\":2}]";
    static char packed[512];
    ir_submission_input_t input =
        input_of(LINES, "gzip",
                 ir_view(packed, compress_text(body, sizeof body - 1, packed, sizeof packed)));
    input.idempotency_key = "k";
    assert_true(read_all(&input));
    unsigned nth = 1;
    for (;; nth++) {
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        const bool good = read_all(&input);
        if (!failing_alloc_disarm()) {
            break;
        }
        assert_false(good);
    }
    assert_true(nth > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_expands_up_to_the_bound_and_no_further),
        cmocka_unit_test(names_belong_to_the_mote_they_begin_with),
        cmocka_unit_test_setup_teardown(packs_are_taken_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_lines_without_a_time_have_ids_of_their_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_key_names_the_packs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_does_not_change_the_id_of_absolute_packs, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keys_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(anything_wrong_refuses_the_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_clients_send_by_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_registry_knows_is_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_are_known_by_their_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(problems_are_json_with_the_first_faults, set_up, tear_down),
        cmocka_unit_test(every_code_has_a_phrase),
        cmocka_unit_test_setup_teardown(a_shipment_copies_and_has_the_worst_fate, set_up,
                                        tear_down),
        cmocka_unit_test(failing_allocations_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
