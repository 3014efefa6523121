/* Compares ids with constants that another implementation computed: Python's hashlib, over the 16
 * bytes of the namespace and then the parts of observation/identity.h, joined by line feeds. */
#include "observation/identity.h"
#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAME "USGS-08068500/00010"
#define MAY_1 INT64_C(1304222400000000000)

static void expect_id(const ir_id_t *id, const char *text) {
    char shown[IR_ID_TEXT_SIZE];
    assert_ptr_equal(ir_id_format(id, shown), shown);
    assert_string_equal(shown, text);
}

static ir_value_t number(double value) {
    return (ir_value_t){.kind = IR_VALUE_NUMBER, .number = value};
}

static ir_value_t boolean(bool value) {
    return (ir_value_t){.kind = IR_VALUE_BOOL, .boolean = value};
}

static ir_value_t string(const char *text) {
    return (ir_value_t){.kind = IR_VALUE_STRING, .bytes = ir_view_text(text)};
}

static ir_value_t data(const char *bytes, size_t size) {
    return (ir_value_t){.kind = IR_VALUE_DATA, .bytes = ir_view(bytes, size)};
}

/* `size` times the same character, in a heap block of exactly that size; the caller frees it. */
static ir_view_t repeated(char c, size_t size) {
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, c, size);
    return ir_view(text, size);
}

#define BODY "[{\"n\":\"a\",\"v\":1}]"
#define MOTE "USGS-08068500"

static void expect_raw_id(const ir_raw_key_t *key, const char *text) {
    ir_id_t id;
    ir_id_raw(key, &id);
    assert_int_equal(ir_id_version(&id), IR_ID_VERSION);
    expect_id(&id, text);
}

static void raw_messages(void **state) {
    (void)state;
    static const struct {
        ir_raw_kind_t kind;
        const char *mote, *body;
        size_t size;
        const char *name;
        int64_t time_ns;
        const char *id;
    } cases[] = {
        {IR_RAW_ABSOLUTE, MOTE, BODY, 17, "", MAY_1, "012fa9b6-7e00-8052-b243-f1c2e7fbcb53"},
        {IR_RAW_ABSOLUTE, MOTE, BODY, 17, "", -1, "00000000-0000-8052-b243-f1c2e7fbcb53"},
        {IR_RAW_ARRIVED, MOTE, BODY, 17, "", MAY_1 + 123456000,
         "012fa9b6-7e7b-8974-90a8-1880b2f49fc2"},
        {IR_RAW_ARRIVED, MOTE, BODY, 17, "", MAY_1 + 123457000,
         "012fa9b6-7e7b-8cf7-a807-61c1fceb41e1"},
        {IR_RAW_NAMED, MOTE, BODY, 17, "k-17/1", MAY_1, "ca73325d-7237-8438-9d4d-88524d213e25"},
        {IR_RAW_NAMED, MOTE, "x\n" BODY, 19, "a", 0, "5c6becd1-3a94-84dc-9cbd-32fac1bb5001"},
        {IR_RAW_NAMED, MOTE, BODY, 17, "a\nx", 0, "688ed12d-3fc2-8e1e-8811-5fb7b1dbce94"},
        {IR_RAW_PLAIN, MOTE, BODY, 17, "", MAY_1, "00000000-0000-8cce-aed6-e62d64f28f3e"},
        {IR_RAW_PLAIN, "", "", 0, "", 0, "00000000-0000-84e7-a31e-31da165e6c1f"},
        {IR_RAW_PLAIN, "m", "\x81\xa0\x00\xff\n", 5, "", 0, "00000000-0000-83c8-ac9a-eb976057406b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ir_raw_key_t key = {.kind = cases[i].kind,
                                  .mote = ir_view_text(cases[i].mote),
                                  .body = ir_view(cases[i].body, cases[i].size),
                                  .name = ir_view_text(cases[i].name),
                                  .time_ns = cases[i].time_ns};
        expect_raw_id(&key, cases[i].id);
    }
}

static void bodies_of_any_length(void **state) {
    (void)state;
    static const struct {
        size_t size;
        const char *id;
    } cases[] = {
        {4094, "00000000-0000-893a-a4ac-03e21dd8528e"},
        {4095, "00000000-0000-8f2c-a1e4-7581317462ca"},
        {5000, "00000000-0000-8909-b8df-32adcdbfaa91"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ir_view_t body = repeated('x', cases[i].size);
        const ir_raw_key_t key = {.kind = IR_RAW_PLAIN, .mote = ir_view_text("m"), .body = body};
        expect_raw_id(&key, cases[i].id);
        free((void *)body.data);
    }
}

/* The kind of a message depends only on its content, not on clocks, limits and registries. */
static void kinds_of_raw_messages(void **state) {
    (void)state;
    static const struct {
        const char *body, *name;
        int64_t arrival_ns;
        ir_raw_kind_t kind;
        int64_t time_ns;
    } cases[] = {
        {"[{\"n\":\"a\",\"t\":1304222400,\"v\":1}]", "", MAY_1, IR_RAW_ABSOLUTE, MAY_1},
        {"[{\"n\":\"a\",\"t\":1304222400,\"v\":1}]", "k", 0, IR_RAW_ABSOLUTE, MAY_1},
        /* too far in the future; the first record is refused for another reason */
        {"[{\"n\":\"!\",\"v\":1},{\"n\":\"a\",\"t\":2304222400,\"v\":1}]", "", MAY_1,
         IR_RAW_ABSOLUTE, INT64_C(2304222400000000000)},
        {"[{\"n\":\"a\",\"v\":1}]", "", MAY_1, IR_RAW_ARRIVED, MAY_1},
        {"[{\"n\":\"a\",\"t\":-5,\"v\":1}]", "", MAY_1, IR_RAW_ARRIVED, MAY_1},
        {"[{\"n\":\"a\",\"t\":1304222400,\"v\":1},{\"n\":\"b\",\"v\":1}]", "", MAY_1,
         IR_RAW_ARRIVED, MAY_1},
        {"[{\"n\":\"a\",\"v\":1},{\"n\":\"a\",\"t\":1304222400,\"v\":1}]", "", MAY_1,
         IR_RAW_ARRIVED, MAY_1},
        {"[{\"n\":\"a\",\"v\":1}]", "k", MAY_1, IR_RAW_NAMED, 0},
        {"[{\"n\":\"a\",\"v\":1}]", "k", 0, IR_RAW_NAMED, 0},
        {"[{\"n\":\"a\",\"v\":1}]", "", 0, IR_RAW_PLAIN, 0},
        {"[{\"n\":\"!\",\"v\":1}]", "k", MAY_1, IR_RAW_PLAIN, 0},
        {"[{\"n\":\"a\",\"v\":1}", "k", MAY_1, IR_RAW_PLAIN, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_arena_t *arena = ir_arena_new(4096);
        ir_senml_pack_t pack;
        const ir_senml_clock_t clock = {.arrival_ns = MAY_1};
        assert_int_equal(ir_senml_decode(IR_MEDIA_SENML_JSON, ir_view_text(cases[i].body), clock,
                                         &ir_senml_limits_default, arena, &pack),
                         IR_OK);
        const ir_raw_key_t key = ir_raw_key(&pack, ir_view_text("m"), ir_view_text(cases[i].body),
                                            ir_view_text(cases[i].name), cases[i].arrival_ns);
        assert_int_equal(key.kind, cases[i].kind);
        assert_int_equal(key.time_ns, cases[i].time_ns);
        assert_int_equal(key.name.size, key.kind == IR_RAW_NAMED ? 1 : 0);
        ir_arena_free(arena);
    }
    const ir_raw_key_t key =
        ir_raw_key(NULL, ir_view_text("m"), ir_view_text("x"), ir_view_text("k"), MAY_1);
    assert_int_equal(key.kind, IR_RAW_PLAIN);
}

static void observations(void **state) {
    (void)state;
    const struct {
        int64_t time_ns;
        ir_value_t value;
        const char *id;
    } cases[] = {
        {MAY_1, number(19.6), "012fa9b6-7e00-88cf-96f8-1d6de728b76a"},
        {MAY_1, number(-0.0), "012fa9b6-7e00-8ab1-8bfd-47ae1bd1749f"},
        {0, number(0), "00000000-0000-8624-b8eb-14d0d443fb7d"},
        {0, number(3.14), "00000000-0000-80e0-bcb5-e8b4c35a98d5"},
        {-1, number(1e21), "00000000-0000-8546-a76d-e22365711117"},
        {INT64_MIN, number(0.1), "00000000-0000-850e-8a47-c6783bbe2cc5"},
        {MAY_1 + 123456000, number(1.7976931348623157e308), "012fa9b6-7e7b-88c6-acbf-5801034de100"},
        {INT64_MAX, number(1), "08637bd0-5af6-899d-bbfe-d6a8e2f93609"},
        {0, boolean(true), "00000000-0000-89be-b6ac-11ba445bbd2d"},
        {0, boolean(false), "00000000-0000-845f-8df3-ce879cb14f51"},
        {0, string("true"), "00000000-0000-8295-9457-8e5becc830e8"},
        {0, number(1), "00000000-0000-8338-bab2-1e576b3c3099"},
        {0, string("1"), "00000000-0000-8ad7-aba2-3698b4f8fba0"},
        {0, string(""), "00000000-0000-8741-a841-1500166f4981"},
        {0, {.kind = IR_VALUE_NONE}, "00000000-0000-8dd4-a474-b01e30187755"},
        {0, string("caf\xc3\xa9 \"q\"\nx"), "00000000-0000-882c-84e0-0040954363f9"},
        {0, data("\xfb\xff", 2), "00000000-0000-8110-a6b4-92ad3984b8ff"},
        {0, string("-_8"), "00000000-0000-8ac4-9c39-32b19da70b0d"},
        {0, data("hi \n", 4), "00000000-0000-855c-b4c9-02765eca4f94"},
        {0, data("", 0), "00000000-0000-89b1-a8fd-421c981e64b6"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_id_t id;
        ir_id_observation(ir_view_text(NAME), cases[i].time_ns, &cases[i].value, &id);
        expect_id(&id, cases[i].id);
    }
    ir_id_t id;
    ir_id_observation_number(ir_view_text(NAME), MAY_1, ir_view_text("19.6"), &id);
    expect_id(&id, cases[0].id);
}

/* The text buffer has room for the largest time. A different value makes a different
 * observation. */
static void times_and_values_tell_observations_apart(void **state) {
    (void)state;
    const ir_value_t values[] = {number(1), number(2)};
    static const int64_t times[] = {INT64_MAX, INT64_MAX - 1, -INT64_MAX, INT64_MIN};
    ir_id_t ids[8];
    for (size_t i = 0; i < 8; i++) {
        ir_id_observation(ir_view_text(NAME), times[i / 2], &values[i % 2], &ids[i]);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(ir_id_compare(&ids[i], &ids[j]), 0);
        }
    }
    ir_id_t again;
    ir_id_observation(ir_view_text(NAME), times[1], &values[0], &again);
    assert_int_equal(ir_id_compare(&again, &ids[2]), 0);
}

static void revisions(void **state) {
    (void)state;
    static const struct {
        const char *test;
        int flag;
        const char *id;
    } cases[] = {
        {"spike", 4, "c63c9519-0000-8c37-84e8-bec387e5adfd"},
        {"spike", 3, "c63c9519-0000-8fa6-91b5-2993411a42cb"},
        {"flat_line", 3, "c63c9519-0000-85c8-8aa6-3dc4ccc60e0c"},
    };
    ir_id_t observation;
    assert_true(ir_id_parse(ir_view_text("c63c9519-0000-0000-0300-000000000000"), &observation));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_id_t id;
        ir_id_revision(&observation, cases[i].test, cases[i].flag, NULL, &id);
        expect_id(&id, cases[i].id);
    }
}

/* Revisions that supersede different verdicts have different ids. */
static void superseding_revisions(void **state) {
    (void)state;
    ir_id_t observation, plain, first, second;
    assert_true(ir_id_parse(ir_view_text("c63c9519-0000-0000-0300-000000000000"), &observation));
    ir_id_revision(&observation, "spike", 3, NULL, &plain);
    ir_id_revision(&observation, "spike", 3, &observation, &first);
    ir_id_revision(&observation, "spike", 3, &first, &second);
    assert_int_not_equal(ir_id_compare(&plain, &first), 0);
    assert_int_not_equal(ir_id_compare(&first, &second), 0);
    assert_memory_equal(first.bytes, observation.bytes, 6);
    ir_id_t least, greatest;
    ir_id_stretch(-1, 1500000, &least, &greatest);
    expect_id(&least, "00000000-0000-0000-0000-000000000000");
    expect_id(&greatest, "00000000-0001-ffff-ffff-ffffffffffff");
}

/* The code uses the namespaces of the header file. Version and variant alone would not show
 * this. */
static void namespaces_are_ids(void **state) {
    (void)state;
    static const char *const texts[] = {IR_NAMESPACE_RAW, IR_NAMESPACE_OBSERVATION,
                                        IR_NAMESPACE_REVISION};
    ir_id_t ids[3];
    for (size_t i = 0; i < 3; i++) {
        assert_true(ir_id_parse(ir_view_text(texts[i]), &ids[i]));
        expect_id(&ids[i], texts[i]);
    }
    assert_true(ir_id_compare(&ids[0], &ids[1]) < 0);
    assert_true(ir_id_compare(&ids[2], &ids[1]) > 0);
}

static void text_is_read_back(void **state) {
    (void)state;
    static const ir_id_t id = {{0x00, 0x1f, 0x80, 0xff, 0x10, 0xa5, 0x5a, 0x01, 0xfe, 0xdc, 0xba,
                                0x98, 0x76, 0x54, 0x32, 0x10}};
    ir_id_t parsed;
    expect_id(&id, "001f80ff-10a5-5a01-fedc-ba9876543210");
    assert_true(ir_id_parse(ir_view_text("001F80ff-10A5-5a01-FEDC-ba9876543210"), &parsed));
    assert_int_equal(ir_id_compare(&id, &parsed), 0);
}

static void other_texts_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "001f80ff-10a5-5a01-fedc-ba987654321",
        "001f80ff-10a5-5a01-fedc-ba98765432100",
        "001f80ff-10a5-5a01-fedc-ba987654321g",
        "001f80ff-10a5-5a01-fedc-ba987654321 ",
        "001f80ff-10a5-5a01-fedc+ba9876543210",
        "001f80ff010a5-5a01-fedc-ba9876543210",
        "{01f80ff-10a5-5a01-fedc-ba987654321}",
        "001f80ff-10a5-5a01-fedc-ba98765432\x11\x31",
        "--------------------------------1234",
    };
    static const ir_id_t before = {{1, 2, 3}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ir_id_t id = before;
        assert_false(ir_id_parse(ir_view_text(texts[i]), &id));
        assert_int_equal(ir_id_compare(&id, &before), 0);
    }
    ir_id_t id = before;
    assert_false(ir_id_parse(ir_view(NULL, 0), &id));
}

/* Replacing any character at any place makes the id invalid. */
static void every_place_is_looked_at(void **state) {
    (void)state;
    for (size_t i = 0; i < IR_ID_TEXT_SIZE - 1; i++) {
        char text[] = "001f80ff-10a5-5a01-fedc-ba9876543210";
        ir_id_t id;
        text[i] = text[i] == '-' ? '0' : '-';
        assert_false(ir_id_parse(ir_view_text(text), &id));
    }
}

static void nothing_is_allocated(void **state) {
    (void)state;
    failing_alloc_required();
    const ir_view_t large = repeated('s', 5000);
    const ir_value_t text = {.kind = IR_VALUE_STRING, .bytes = large};
    const ir_raw_key_t key = {.kind = IR_RAW_NAMED, .mote = large, .body = large, .name = large};
    ir_id_t id;
    failing_alloc_arm(1, FAILING_ALLOC_PROGRAM);
    ir_id_raw(&key, &id);
    ir_id_observation(ir_view_text(NAME), 0, &text, &id);
    assert_false(failing_alloc_disarm());
    expect_id(&id, "00000000-0000-8843-817a-1d7989ff118b");
    free((void *)large.data);
}

/* Consecutive ids of one sensor are spread over the whole table. */
static void hashes_are_spread(void **state) {
    (void)state;
    enum { IDS = 4096, SLOTS = 8192 };
    static bool taken[SLOTS];
    unsigned distinct = 0;
    for (int64_t i = 0; i < IDS; i++) {
        ir_id_t id;
        ir_id_observation_number(ir_view_text(NAME), MAY_1 + i * 1000000000, ir_view_text("1"),
                                 &id);
        const size_t slot = ir_id_hash(&id) % SLOTS;
        distinct += !taken[slot];
        taken[slot] = true;
    }
    assert_true(distinct > IDS / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_messages),
        cmocka_unit_test(bodies_of_any_length),
        cmocka_unit_test(kinds_of_raw_messages),
        cmocka_unit_test(observations),
        cmocka_unit_test(times_and_values_tell_observations_apart),
        cmocka_unit_test(revisions),
        cmocka_unit_test(superseding_revisions),
        cmocka_unit_test(namespaces_are_ids),
        cmocka_unit_test(text_is_read_back),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(every_place_is_looked_at),
        cmocka_unit_test(hashes_are_spread),
        cmocka_unit_test(nothing_is_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
