#include "send/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIRST "38a28cbf-3847-573b-988c-c3503b432dc1"
#define SECOND "00000000-0000-5000-8000-000000000000"

static ir_view_t view(const char *text) {
    return ir_view_text(text);
}

static void takes_as_many_as_there_are_ids(void **state) {
    (void)state;
    ir_reply_t *reply = ir_reply_parse(view("{\"raw_ids\":[\"" FIRST "\",\"" SECOND "\"]}\n"));
    assert_non_null(reply);
    assert_true(ir_reply_takes(reply, 2));
    assert_false(ir_reply_takes(reply, 1));
    assert_false(ir_reply_takes(reply, 3));
    assert_false(ir_reply_takes(reply, 0));
    char why[64];
    assert_false(ir_reply_refuses(reply, 0, why, sizeof why));
    ir_reply_free(reply);
}

static void refuses_by_line(void **state) {
    (void)state;
    ir_reply_t *reply = ir_reply_parse(
        view("{\"status\":400,\"refused\":3,\"refusals\":["
             "{\"reason\":\"no-value\",\"record\":1,\"line\":2,\"detail\":\"none of v\"},"
             "{\"reason\":\"no-name\",\"record\":2,\"line\":2,\"detail\":\"later\"},"
             "{\"line\":4}, {\"reason\":\"not-json\",\"detail\":\"of the whole\"}, 7]}"));
    assert_non_null(reply);
    char why[64] = "";
    assert_false(ir_reply_refuses(reply, 0, why, sizeof why));
    assert_true(ir_reply_refuses(reply, 1, why, sizeof why));
    assert_string_equal(why, "no-value: none of v");
    assert_true(ir_reply_refuses(reply, 3, why, sizeof why));
    assert_string_equal(why, ": ");
    assert_true(ir_reply_refuses(reply, IR_REPLY_WHOLE, why, sizeof why));
    assert_string_equal(why, "not-json: of the whole");
    char cut[9];
    assert_true(ir_reply_refuses(reply, 1, cut, sizeof cut));
    assert_string_equal(cut, "no-value");
    assert_false(ir_reply_takes(reply, 3));
    ir_reply_free(reply);
}

/* An answer applies to a pack only if it names the pack. */
static void anything_else_says_nothing(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "",
        "<html>",
        "null",
        "{}",
        "{\"raw_ids\":\"38a28cbf-3847-573b-988c-c3503b432dc1\"}",
        "[\"38a28cbf-3847-573b-988c-c3503b432dc1\"]",
        "{\"raw_ids\":[1,null]}",
        "{\"raw_ids\":[]}",
        ("{\"raw_ids\":[\"" FIRST "\",\"\"]}"),
        "{\"raw_ids\":[",
        "{\"refusals\":{\"line\":1}}",
        "{\"refusals\":[{\"line\":\"1\"}]}",
    };
    char why[64];
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        ir_reply_t *reply = ir_reply_parse(view(bodies[i]));
        for (size_t count = 0; count < 3; count++) {
            assert_false(ir_reply_takes(reply, count));
        }
        assert_false(ir_reply_refuses(reply, 0, why, sizeof why));
        ir_reply_free(reply);
    }
    assert_null(ir_reply_parse(ir_view(NULL, 0)));
    ir_reply_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_as_many_as_there_are_ids),
        cmocka_unit_test(refuses_by_line),
        cmocka_unit_test(anything_else_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
