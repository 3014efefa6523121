#include "loadgen/lineup.h"

#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define ITEMS 64

static void motes_take_turns_and_their_items_wait(void **state) {
    (void)state;
    ir_lineup_t *lineup = ir_lineup_new(ITEMS);
    assert_true(ir_lineup_put(lineup, 7, 0));
    assert_true(ir_lineup_put(lineup, 7, 1));
    assert_true(ir_lineup_put(lineup, 3, 2));
    assert_int_equal(ir_lineup_next(lineup, 0), 0);
    assert_int_equal(ir_lineup_next(lineup, 0), 2);
    assert_int_equal(ir_lineup_next(lineup, 0), IR_LINEUP_NONE);
    ir_lineup_done(lineup, 2);
    assert_int_equal(ir_lineup_next(lineup, 0), IR_LINEUP_NONE);
    ir_lineup_done(lineup, 0);
    assert_int_equal(ir_lineup_next(lineup, 0), 1);
    ir_lineup_done(lineup, 1);
    assert_true(ir_lineup_put(lineup, 7, 0));
    assert_int_equal(ir_lineup_next(lineup, 0), 0);
    ir_lineup_free(lineup);
}

/* One that is held holds its mote and no other. */
static void held_until_then(void **state) {
    (void)state;
    ir_lineup_t *lineup = ir_lineup_new(ITEMS);
    assert_true(ir_lineup_put(lineup, 0, 0));
    assert_true(ir_lineup_put(lineup, 0, 1));
    assert_true(ir_lineup_put(lineup, 1, 2));
    assert_int_equal(ir_lineup_next(lineup, 0), 0);
    assert_int_equal(ir_lineup_wake(lineup), INT64_MAX);
    ir_lineup_hold(lineup, 0, 100);
    assert_int_equal(ir_lineup_wake(lineup), 100);
    assert_int_equal(ir_lineup_next(lineup, 50), 2);
    ir_lineup_hold(lineup, 2, 80);
    assert_int_equal(ir_lineup_wake(lineup), 80);
    assert_int_equal(ir_lineup_next(lineup, 79), IR_LINEUP_NONE);
    assert_int_equal(ir_lineup_next(lineup, 80), 2);
    assert_int_equal(ir_lineup_wake(lineup), 100);
    assert_int_equal(ir_lineup_next(lineup, 100), 0);
    ir_lineup_done(lineup, 0);
    assert_int_equal(ir_lineup_next(lineup, 100), 1);
    ir_lineup_clear(lineup);
    assert_int_equal(ir_lineup_next(lineup, INT64_MAX - 1), IR_LINEUP_NONE);
    assert_true(ir_lineup_put(lineup, 0, 1));
    assert_int_equal(ir_lineup_next(lineup, 0), 1);
    ir_lineup_free(lineup);
}

/* Whatever happens, the items of a mote come in the order in which they were put, one at a time. */
static void order_holds(void **state) {
    (void)state;
    enum { MOTES = 9, STEPS = 200000 };
    ir_lineup_t *lineup = ir_lineup_new(ITEMS);
    unsigned mote_of[ITEMS], rank_of[ITEMS], put[MOTES] = {0}, came[MOTES] = {0};
    bool used[ITEMS] = {false}, busy[MOTES] = {false};
    uint32_t going[ITEMS];
    unsigned n_going = 0;
    srand(1);
    for (int64_t now = 0; now < STEPS; now++) {
        const uint32_t item = (uint32_t)(rand() % ITEMS);
        const unsigned mote = (unsigned)(rand() % MOTES);
        if (!used[item]) {
            used[item] = true;
            mote_of[item] = mote;
            rank_of[item] = put[mote]++;
            assert_true(ir_lineup_put(lineup, mote, item));
        }
        const uint32_t next = ir_lineup_next(lineup, now);
        if (next != IR_LINEUP_NONE) {
            assert_false(busy[mote_of[next]]);
            assert_int_equal(rank_of[next], came[mote_of[next]]);
            busy[mote_of[next]] = true;
            going[n_going++] = next;
        }
        if (n_going > 0 && rand() % 2 == 0) {
            const unsigned chosen = (unsigned)rand() % n_going;
            const uint32_t ended = going[chosen];
            going[chosen] = going[--n_going];
            busy[mote_of[ended]] = false;
            if (rand() % 4 == 0) {
                ir_lineup_hold(lineup, ended, now + rand() % 20);
            } else {
                came[mote_of[ended]]++;
                used[ended] = false;
                ir_lineup_done(lineup, ended);
            }
        }
    }
    for (unsigned mote = 0; mote < MOTES; mote++) {
        assert_true(came[mote] > STEPS / MOTES / 20);
    }
    ir_lineup_free(lineup);
}

static void every_allocation_failing(void **state) {
    (void)state;
    failing_alloc_required();
    for (unsigned nth = 1;; nth++) {
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        ir_lineup_t *lineup = ir_lineup_new(ITEMS);
        const bool put = lineup != NULL && ir_lineup_put(lineup, 5, 1);
        const bool failed = failing_alloc_disarm();
        assert_int_equal(put, !failed);
        ir_lineup_free(lineup);
        if (!failed) {
            break;
        }
    }
    ir_lineup_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(motes_take_turns_and_their_items_wait),
        cmocka_unit_test(held_until_then),
        cmocka_unit_test(order_holds),
        cmocka_unit_test(every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
