#include "broker/confirms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static ir_confirms_t confirms;

static void publish(unsigned count) {
    while (count-- > 0) {
        assert_false(ir_confirms_full(&confirms));
        ir_confirms_publish(&confirms);
    }
}

static uint64_t answer(uint64_t tag, bool multiple) {
    uint64_t answered = UINT64_MAX;
    assert_true(ir_confirms_answer(&confirms, tag, multiple, &answered));
    return answered;
}

static void one_by_one(void **state) {
    (void)state;
    ir_confirms_init(&confirms);
    publish(3);
    assert_int_equal(answer(2, false), 1);
    assert_int_equal(confirms.oldest, 1);
    assert_int_equal(answer(2, false), 0);
    assert_int_equal(answer(1, false), 1);
    assert_int_equal(confirms.oldest, 3);
    assert_int_equal(answer(1, false), 0);
    assert_int_equal(answer(3, false), 1);
    assert_int_equal(confirms.open, 0);
}

static void multiple_counts_what_was_open(void **state) {
    (void)state;
    ir_confirms_init(&confirms);
    publish(10);
    answer(3, false);
    answer(7, false);
    assert_int_equal(answer(5, true), 4);
    assert_int_equal(confirms.oldest, 6);
    assert_int_equal(answer(6, false), 1);
    assert_int_equal(confirms.oldest, 8);
    assert_int_equal(answer(0, true), 3);
    assert_int_equal(confirms.open, 0);
    assert_int_equal(answer(4, true), 0);
}

static void unknown_numbers_are_refused(void **state) {
    (void)state;
    uint64_t answered = 77;
    ir_confirms_init(&confirms);
    assert_false(ir_confirms_answer(&confirms, 1, false, &answered));
    publish(5);
    assert_false(ir_confirms_answer(&confirms, 0, false, &answered));
    assert_false(ir_confirms_answer(&confirms, 6, false, &answered));
    assert_false(ir_confirms_answer(&confirms, UINT64_MAX, true, &answered));
    assert_int_equal(answered, 77);
    assert_int_equal(confirms.open, 5);
}

static void an_old_open_one_fills_the_window(void **state) {
    (void)state;
    ir_confirms_init(&confirms);
    publish(IR_CONFIRMS_WINDOW);
    assert_true(ir_confirms_full(&confirms));
    for (uint64_t tag = 2; tag <= IR_CONFIRMS_WINDOW; tag++) {
        answer(tag, false);
    }
    assert_true(ir_confirms_full(&confirms));
    assert_int_equal(confirms.open, 1);
    assert_int_equal(answer(1, false), 1);
    assert_false(ir_confirms_full(&confirms));
    publish(IR_CONFIRMS_WINDOW);
    assert_int_equal(answer(0, true), IR_CONFIRMS_WINDOW);
}

/* Random answers against the plainest model. */
static void agrees_with_a_model(void **state) {
    (void)state;
    enum { MESSAGES = 100000 };
    bool *model = calloc(MESSAGES + 1, sizeof *model);
    assert_non_null(model);
    ir_confirms_init(&confirms);
    srand(7);
    uint64_t published = 0, low = 1;
    while (low <= MESSAGES) {
        while (published < MESSAGES && !ir_confirms_full(&confirms) && rand() % 4 != 0) {
            publish(1);
            published++;
        }
        if (published < low) {
            continue;
        }
        const uint64_t span = published - low + 1;
        const uint64_t tag = low + (uint64_t)rand() % (span < 50 ? span : 50);
        const bool multiple = rand() % 8 == 0;
        uint64_t expected = 0;
        for (uint64_t i = multiple ? low : tag; i <= tag; i++) {
            expected += !model[i];
            model[i] = true;
        }
        assert_int_equal(answer(tag, multiple), expected);
        while (low <= MESSAGES && model[low]) {
            low++;
        }
        assert_int_equal(confirms.oldest, low);
    }
    assert_int_equal(confirms.open, 0);
    free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_by_one),
        cmocka_unit_test(multiple_counts_what_was_open),
        cmocka_unit_test(unknown_numbers_are_refused),
        cmocka_unit_test(an_old_open_one_fills_the_window),
        cmocka_unit_test(agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
