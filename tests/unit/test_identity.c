/* Ids against constants that another implementation of UUIDv5 computed (Python's uuid module). */
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

/* `size` times the same character, on the heap in its own size; the caller frees. */
static ir_view_t repeated(char c, size_t size) {
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, c, size);
    return ir_view(text, size);
}

static void raw_messages(void **state) {
    (void)state;
    static const struct {
        const char *mote, *body;
        size_t size;
        const char *id;
    } cases[] = {
        {"USGS-08068500", "[{\"n\":\"a\",\"v\":1}]", 17, "89537d81-9985-5df9-bc6b-af466527f52b"},
        {"", "", 0, "8464de05-0408-5263-ac6c-84056353d293"},
        {"m", "\x81\xa0\x00\xff\n", 5, "6112c749-3ef2-5010-8e64-e108ee783f59"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_id_t id;
        assert_true(
            ir_id_raw(ir_view_text(cases[i].mote), ir_view(cases[i].body, cases[i].size), &id));
        expect_id(&id, cases[i].id);
    }
}

static void bodies_of_any_length(void **state) {
    (void)state;
    static const struct {
        size_t size;
        const char *id;
    } cases[] = {
        {4094, "a6ced3a7-f3e5-536a-8f86-88b71004a4b8"},
        {4095, "34588db1-c06f-5c19-b872-835954a4d0a8"},
        {5000, "c9bbf13c-1d22-5d80-9a06-0d13c509c94c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ir_view_t body = repeated('x', cases[i].size);
        ir_id_t id;
        assert_true(ir_id_raw(ir_view_text("m"), body, &id));
        expect_id(&id, cases[i].id);
        free((void *)body.data);
    }
}

static void observations(void **state) {
    (void)state;
    const struct {
        int64_t time_ns;
        ir_value_t value;
        const char *id;
    } cases[] = {
        {MAY_1, number(19.6), "66cd16f9-d5aa-5b20-887a-83b503037620"},
        {MAY_1, number(-0.0), "f74e24b0-222f-5d5e-9bd5-4254e371c280"},
        {0, number(0), "eafa6281-8a91-5a55-9ac0-489c667b1b05"},
        {0, number(3.14), "d8932b55-239c-5a4e-bad6-44acfb191367"},
        {-1, number(1e21), "eb0aae04-0a01-5812-94fb-3552ec2f8683"},
        {INT64_MIN, number(0.1), "35e0f9a9-e09a-5279-b87a-bf1a34485589"},
        {MAY_1 + 123456000, number(1.7976931348623157e308), "e8434512-a7bf-5384-8a62-63211751b06c"},
        {0, boolean(true), "193d2ca2-0fd5-542c-bd82-510f02b13003"},
        {0, boolean(false), "7a4ea1d2-e1f1-5bf4-adcd-472d2b05ee96"},
        {0, string("true"), "193d2ca2-0fd5-542c-bd82-510f02b13003"},
        {0, string(""), "ee7d93b5-6616-5ab4-9c71-9938219fb624"},
        {0, {.kind = IR_VALUE_NONE}, "ee7d93b5-6616-5ab4-9c71-9938219fb624"},
        {0, string("caf\xc3\xa9 \"q\"\nx"), "bbbe90ca-16a2-5280-9e24-c21fc27e824e"},
        {0, data("\xfb\xff", 2), "710c057a-cc0a-57e3-acc2-4db15010ba2e"},
        {0, data("hi \n", 4), "b7c5e5e7-2bb8-5b4e-a315-4cbdebb0ae84"},
        {0, data("", 0), "ee7d93b5-6616-5ab4-9c71-9938219fb624"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_id_t id;
        assert_true(ir_id_observation(ir_view_text(NAME), cases[i].time_ns, &cases[i].value, &id));
        expect_id(&id, cases[i].id);
    }
}

/* The end of time fits its text, and another value is another observation. */
static void times_and_values_tell_observations_apart(void **state) {
    (void)state;
    const ir_value_t values[] = {number(1), number(2)};
    static const int64_t times[] = {INT64_MAX, INT64_MAX - 1, -INT64_MAX, INT64_MIN};
    ir_id_t ids[8];
    for (size_t i = 0; i < 8; i++) {
        assert_true(ir_id_observation(ir_view_text(NAME), times[i / 2], &values[i % 2], &ids[i]));
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(ir_id_compare(&ids[i], &ids[j]), 0);
        }
    }
    ir_id_t again;
    assert_true(ir_id_observation(ir_view_text(NAME), times[1], &values[0], &again));
    assert_int_equal(ir_id_compare(&again, &ids[2]), 0);
}

static void revisions(void **state) {
    (void)state;
    static const struct {
        const char *test;
        int flag;
        const char *id;
    } cases[] = {
        {"spike", 4, "fd260b48-7d0a-5078-8d04-12f50afce664"},
        {"spike", 3, "f8dde300-ff93-56f5-b257-66ead8b7b621"},
        {"flat_line", 3, "fee80450-00f7-52f1-ba7f-76805304d795"},
    };
    ir_id_t observation;
    assert_true(ir_id_parse(ir_view_text("c63c9519-0000-0000-0300-000000000000"), &observation));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_id_t id;
        assert_true(ir_id_revision(&observation, cases[i].test, cases[i].flag, &id));
        expect_id(&id, cases[i].id);
    }
}

/* The namespaces in the header are those that are used: version and variant alone would not tell.
 */
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

/* Whatever a character is exchanged for at any place, it is no id any more. */
static void every_place_is_looked_at(void **state) {
    (void)state;
    for (size_t i = 0; i < IR_ID_TEXT_SIZE - 1; i++) {
        char text[] = "001f80ff-10a5-5a01-fedc-ba9876543210";
        ir_id_t id;
        text[i] = text[i] == '-' ? '0' : '-';
        assert_false(ir_id_parse(ir_view_text(text), &id));
    }
}

static void memory_that_is_out_is_told(void **state) {
    (void)state;
    failing_alloc_required();
    const ir_view_t large = repeated('s', 5000);
    const ir_value_t text = {.kind = IR_VALUE_STRING, .bytes = large};
    const ir_value_t data = {.kind = IR_VALUE_DATA, .bytes = large};
    ir_id_t id;
    unsigned nth = 1;
    for (;; nth++) {
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        const bool done = ir_id_observation(ir_view_text(NAME), 0, &data, &id);
        if (!failing_alloc_disarm()) {
            assert_true(done);
            break;
        }
        assert_false(done);
    }
    assert_true(nth > 1);
    failing_alloc_arm(1, FAILING_ALLOC_PROGRAM);
    assert_true(ir_id_raw(ir_view_text("m"), large, &id));
    assert_true(ir_id_observation(ir_view_text(NAME), 0, &text, &id));
    assert_false(failing_alloc_disarm());
    expect_id(&id, "d0d996b3-3966-5ecd-812f-882f520164ac");
    free((void *)large.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_messages),
        cmocka_unit_test(bodies_of_any_length),
        cmocka_unit_test(observations),
        cmocka_unit_test(times_and_values_tell_observations_apart),
        cmocka_unit_test(revisions),
        cmocka_unit_test(namespaces_are_ids),
        cmocka_unit_test(text_is_read_back),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(every_place_is_looked_at),
        cmocka_unit_test(memory_that_is_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
