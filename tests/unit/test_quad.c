#include "store/graph/quad.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_quad(const char *line, const char *triple, const char *graph) {
    ir_quad_t quad;
    assert_true(ir_quad_split(ir_view_text(line), &quad));
    assert_true(ir_view_equal(quad.triple, ir_view_text(triple)));
    assert_true(ir_view_equal(quad.graph, ir_view_text(graph)));
}

static void test_statements(void **state) {
    (void)state;
    assert_quad("<a> <b> <c> <g> .", "<a> <b> <c>", "g");
    assert_quad("<a> <b> <c> .", "<a> <b> <c>", "");
    assert_quad("<a>\t<b>\t\"c\" .", "<a>\t<b>\t\"c\"", "");
    assert_quad("<a> <b> \"a \\\" . <g> \\\\\" <g> .", "<a> <b> \"a \\\" . <g> \\\\\"", "g");
    assert_quad("<a> <b> \"c\"@de <g> .", "<a> <b> \"c\"@de", "g");
    assert_quad("<a> <b> \"1\"^^<int> .", "<a> <b> \"1\"^^<int>", "");
    assert_quad("_:a <b> _:c .", "_:a <b> _:c", "");
}

static void test_what_is_none(void **state) {
    static const char *const lines[] = {
        "",           "# batch 1",    "<a> <b> .",      "<a> <b> <c>",
        "<a> <b> \"", "<a> <b> \"\\", "<a> <b> <c> <g>"};
    (void)state;
    ir_quad_t quad;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_false(ir_quad_split(ir_view_text(lines[i]), &quad));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
