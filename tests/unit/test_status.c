/* Every status and outcome has a different text; an error text is one line and limited in
 * length. */
#include "common/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_status_has_its_own_text(void **state) {
    (void)state;
    for (int i = 0; i < IR_STATUS_COUNT; i++) {
        assert_true(ir_status_text((ir_status_t)i)[0] != '\0');
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(ir_status_text((ir_status_t)i), ir_status_text((ir_status_t)j));
        }
    }
    assert_non_null(ir_status_text(IR_STATUS_COUNT));
}

static void every_outcome_has_its_text(void **state) {
    (void)state;
    assert_string_equal(ir_outcome_text(IR_OUTCOME_OK), "ok");
    assert_string_equal(ir_outcome_text(IR_OUTCOME_RETRY), "retry");
    assert_string_equal(ir_outcome_text(IR_OUTCOME_REFUSED), "refused");
}

static void an_error_is_one_printable_line(void **state) {
    (void)state;
    ir_error_t error;
    assert_int_equal(ir_error_set(&error, IR_ERR_IO, "cannot open %s: %d", "a\nb\x1b", 7),
                     IR_ERR_IO);
    assert_int_equal(error.status, IR_ERR_IO);
    assert_string_equal(error.text, "cannot open a?b?: 7");
}

static void a_long_error_is_cut(void **state) {
    (void)state;
    char words[2000];
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    ir_error_t error;
    ir_error_set(&error, IR_ERR_RANGE, "%s", words);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

static void an_error_nobody_wants_is_only_a_status(void **state) {
    (void)state;
    assert_int_equal(ir_error_set(NULL, IR_ERR_FULL, "x"), IR_ERR_FULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_text),
        cmocka_unit_test(every_outcome_has_its_text),
        cmocka_unit_test(an_error_is_one_printable_line),
        cmocka_unit_test(a_long_error_is_cut),
        cmocka_unit_test(an_error_nobody_wants_is_only_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
