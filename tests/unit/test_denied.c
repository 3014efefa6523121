/* Routing keys that were proved to be refused are remembered and tried again later. When there are
 * too many, old ones are replaced. */
#include "worker/denied.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define LONG_NS (3600 * IR_SECOND_NS)

static void add(ir_denied_t *denied, unsigned number) {
    char key[32];
    ir_error_t why;
    snprintf(key, sizeof key, "csv.creek-%u", number);
    ir_error_set(&why, IR_ERR_AUTH, "no right to %s", key);
    ir_denied_add(denied, ir_view_text(key), &why);
}

static ir_denial_t find(ir_denied_t *denied, const char *key) {
    ir_error_t why;
    return ir_denied_find(denied, ir_view_text(key), &why);
}

static void only_what_was_added_is_found(void **state) {
    (void)state;
    ir_denied_t *denied = ir_denied_new(LONG_NS);
    ir_error_t why;
    add(denied, 1);
    add(denied, 2);
    add(denied, 1);
    assert_int_equal(ir_denied_find(denied, ir_view_text("csv.creek-1"), &why), IR_DENIAL_STANDS);
    assert_string_equal(why.text, "no right to csv.creek-1");
    assert_int_equal(find(denied, "csv.creek-10"), IR_DENIAL_NONE);
    assert_int_equal(find(denied, "csv.creek"), IR_DENIAL_NONE);
    ir_denied_remove(denied, ir_view_text("csv.creek-1"));
    ir_denied_remove(denied, ir_view_text("csv.creek-1"));
    assert_int_equal(find(denied, "csv.creek-1"), IR_DENIAL_NONE);
    assert_int_equal(find(denied, "csv.creek-2"), IR_DENIAL_STANDS);
    ir_denied_free(denied);
}

static void the_one_asked_for_longest_ago_makes_room(void **state) {
    (void)state;
    ir_denied_t *denied = ir_denied_new(LONG_NS);
    for (unsigned i = 0; i < IR_DENIED_MAX; i++) {
        add(denied, i);
    }
    add(denied, 0);
    add(denied, IR_DENIED_MAX);
    assert_int_equal(find(denied, "csv.creek-0"), IR_DENIAL_STANDS);
    assert_int_equal(find(denied, "csv.creek-1"), IR_DENIAL_NONE);
    assert_int_equal(find(denied, "csv.creek-64"), IR_DENIAL_STANDS);
    ir_denied_free(denied);
}

static void it_is_asked_for_when_its_time_has_come(void **state) {
    (void)state;
    ir_denied_t *now = ir_denied_new(0);
    ir_denied_t *later = ir_denied_new(LONG_NS);
    add(now, 1);
    add(later, 1);
    assert_int_equal(find(now, "csv.creek-1"), IR_DENIAL_DUE);
    assert_int_equal(find(later, "csv.creek-1"), IR_DENIAL_STANDS);
    ir_denied_free(now);
    ir_denied_free(later);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_added_is_found),
        cmocka_unit_test(the_one_asked_for_longest_ago_makes_room),
        cmocka_unit_test(it_is_asked_for_when_its_time_has_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
