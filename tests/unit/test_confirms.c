#include "broker/confirms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static ir_confirms_t confirms;

static void publish(unsigned count) {
    while (count-- > 0) {
        assert_true(confirms.open < IR_CONFIRMS_WINDOW);
        ir_confirms_publish(&confirms, 10, NULL);
    }
}

static uint64_t answer(uint64_t tag, bool multiple) {
    uint64_t answered = UINT64_MAX;
    assert_true(ir_confirms_answer(&confirms, tag, multiple, NULL, NULL, &answered));
    return answered;
}

static void one_by_one(void **state) {
    (void)state;
    ir_confirms_init(&confirms);
    publish(3);
    assert_int_equal(answer(2, false), 1);
    assert_int_equal(ir_confirms_oldest(&confirms), 1);
    assert_int_equal(answer(2, false), 0);
    assert_int_equal(answer(1, false), 1);
    assert_int_equal(ir_confirms_oldest(&confirms), 3);
    assert_int_equal(answer(1, false), 0);
    assert_int_equal(answer(3, false), 1);
    assert_int_equal(confirms.open, 0);
    assert_int_equal(confirms.bytes, 0);
    assert_int_equal(ir_confirms_oldest(&confirms), 4);
}

static void multiple_counts_what_was_open(void **state) {
    (void)state;
    ir_confirms_init(&confirms);
    publish(10);
    answer(3, false);
    answer(7, false);
    assert_int_equal(answer(5, true), 4);
    assert_int_equal(ir_confirms_oldest(&confirms), 6);
    assert_int_equal(answer(6, false), 1);
    assert_int_equal(ir_confirms_oldest(&confirms), 8);
    assert_int_equal(answer(0, true), 3);
    assert_int_equal(confirms.open, 0);
    assert_int_equal(answer(4, true), 0);
}

static void unknown_numbers_are_refused(void **state) {
    (void)state;
    uint64_t answered = 77;
    ir_confirms_init(&confirms);
    assert_false(ir_confirms_answer(&confirms, 1, false, NULL, NULL, &answered));
    publish(5);
    assert_false(ir_confirms_answer(&confirms, 0, false, NULL, NULL, &answered));
    assert_false(ir_confirms_answer(&confirms, 6, false, NULL, NULL, &answered));
    assert_false(ir_confirms_answer(&confirms, UINT64_MAX, true, NULL, NULL, &answered));
    assert_int_equal(answered, 77);
    assert_int_equal(confirms.open, 5);
}

/* An open message is kept, however many messages follow it. */
static void an_old_open_one_takes_one_place(void **state) {
    (void)state;
    ir_confirms_init(&confirms);
    publish(1);
    for (unsigned round = 0; round < 20; round++) {
        const uint64_t first = confirms.next;
        publish(IR_CONFIRMS_WINDOW - 1);
        for (uint64_t tag = first; tag < confirms.next; tag++) {
            assert_int_equal(answer(tag, false), 1);
        }
        assert_int_equal(confirms.open, 1);
        assert_int_equal(confirms.bytes, 10);
    }
    assert_int_equal(ir_confirms_oldest(&confirms), 1);
    publish(IR_CONFIRMS_WINDOW - 1);
    assert_int_equal(answer(0, true), IR_CONFIRMS_WINDOW);
    assert_int_equal(confirms.bytes, 0);
}

static void forgotten_ones_free_their_places(void **state) {
    (void)state;
    ir_confirms_init(&confirms);
    publish(IR_CONFIRMS_WINDOW);
    ir_confirms_forget(&confirms, 1);
    ir_confirms_forget(&confirms, 3);
    ir_confirms_forget(&confirms, 3);
    assert_int_equal(confirms.open, IR_CONFIRMS_WINDOW - 2);
    assert_int_equal(ir_confirms_oldest(&confirms), 2);
    publish(2);
    assert_int_equal(answer(3, false), 0);
    assert_int_equal(answer(0, true), IR_CONFIRMS_WINDOW);
}

typedef struct ir_told {
    uint64_t last;
    unsigned count;
} ir_told_t;

static void on_answer(void *context, uint64_t tag, void *ticket) {
    ir_told_t *told = context;
    assert_true(tag > told->last);
    assert_ptr_equal(ticket, &confirms.places[tag]);
    told->last = tag;
    told->count++;
}

static void tickets_come_back_in_order(void **state) {
    (void)state;
    ir_told_t told = {0, 0};
    uint64_t answered = 0;
    ir_confirms_init(&confirms);
    for (uint64_t tag = 1; tag <= 20; tag++) {
        ir_confirms_publish(&confirms, tag, &confirms.places[tag]);
    }
    answer(4, false);
    ir_confirms_forget(&confirms, 9);
    assert_true(ir_confirms_answer(&confirms, 12, true, on_answer, &told, &answered));
    assert_int_equal(told.last, 12);
    assert_int_equal(told.count, 10);
    assert_int_equal(answered, 10);
    assert_true(ir_confirms_answer(&confirms, 17, false, on_answer, &told, &answered));
    assert_int_equal(told.last, 17);
    assert_int_equal(confirms.bytes, 13 + 14 + 15 + 16 + 18 + 19 + 20);
}

/* Compares random answers with a simple model. */
static void agrees_with_a_model(void **state) {
    (void)state;
    enum { MESSAGES = 100000 };
    bool *model = calloc(MESSAGES + 1, sizeof *model);
    assert_non_null(model);
    ir_confirms_init(&confirms);
    srand(7);
    uint64_t published = 0, low = 1;
    while (low <= MESSAGES) {
        while (published < MESSAGES && confirms.open < IR_CONFIRMS_WINDOW && rand() % 4 != 0) {
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
        assert_int_equal(ir_confirms_oldest(&confirms), low);
        assert_int_equal(confirms.bytes, 10 * confirms.open);
    }
    assert_int_equal(confirms.open, 0);
    free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_by_one),
        cmocka_unit_test(multiple_counts_what_was_open),
        cmocka_unit_test(unknown_numbers_are_refused),
        cmocka_unit_test(an_old_open_one_takes_one_place),
        cmocka_unit_test(forgotten_ones_free_their_places),
        cmocka_unit_test(tickets_come_back_in_order),
        cmocka_unit_test(agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
