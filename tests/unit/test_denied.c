/* Keys that were proved to be refused: found, replaced when there are too many, asked for again. */
#include "worker/denied.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static ir_denied_t denied;

static int set_up(void **state) {
    (void)state;
    denied = (ir_denied_t){.count = 0};
    return 0;
}

static void add(unsigned number) {
    char key[32];
    const ir_error_t why = {.status = IR_ERR_AUTH};
    snprintf(key, sizeof key, "csv.creek-%u", number);
    ir_denied_add(&denied, ir_view_text(key), &why);
}

static void only_what_was_added_is_found(void **state) {
    (void)state;
    add(1);
    add(2);
    add(1);
    assert_int_equal(denied.count, 2);
    assert_non_null(ir_denied_find(&denied, ir_view_text("csv.creek-1")));
    assert_null(ir_denied_find(&denied, ir_view_text("csv.creek-10")));
    assert_null(ir_denied_find(&denied, ir_view_text("csv.creek")));
    ir_denied_remove(&denied, ir_denied_find(&denied, ir_view_text("csv.creek-1")));
    assert_null(ir_denied_find(&denied, ir_view_text("csv.creek-1")));
    assert_non_null(ir_denied_find(&denied, ir_view_text("csv.creek-2")));
}

static void the_oldest_makes_room(void **state) {
    (void)state;
    for (unsigned i = 0; i < IR_DENIED_MAX; i++) {
        add(i);
        denied.keys[i].asked_ns = 1000 + (int64_t)i;
    }
    denied.keys[7].asked_ns = 1;
    add(IR_DENIED_MAX);
    assert_int_equal(denied.count, IR_DENIED_MAX);
    assert_null(ir_denied_find(&denied, ir_view_text("csv.creek-7")));
    assert_non_null(ir_denied_find(&denied, ir_view_text("csv.creek-64")));
}

static void it_is_asked_for_now_and_then(void **state) {
    (void)state;
    add(1);
    assert_false(ir_denied_ask(&denied.keys[0]));
    denied.keys[0].asked_ns -= 60 * IR_SECOND_NS;
    assert_true(ir_denied_ask(&denied.keys[0]));
    assert_false(ir_denied_ask(&denied.keys[0]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_what_was_added_is_found, set_up),
        cmocka_unit_test_setup(the_oldest_makes_room, set_up),
        cmocka_unit_test_setup(it_is_asked_for_now_and_then, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
