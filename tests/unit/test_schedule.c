#include "loadgen/schedule.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define START INT64_C(1000000000000)

static void observations_at_their_rate(void **state) {
    (void)state;
    ir_schedule_t schedule;
    ir_schedule_init(&schedule, 1000, START);
    assert_int_equal(ir_schedule_due(&schedule), START);
    ir_schedule_advance(&schedule, 4);
    assert_int_equal(ir_schedule_due(&schedule), START + 4 * IR_MILLISECOND_NS);
    ir_schedule_advance(&schedule, 7);
    assert_int_equal(ir_schedule_due(&schedule), START + 11 * IR_MILLISECOND_NS);
}

static void no_rate_is_due_at_once(void **state) {
    (void)state;
    ir_schedule_t schedule;
    ir_schedule_init(&schedule, 0, START);
    ir_schedule_advance(&schedule, 1000000);
    assert_int_equal(ir_schedule_due(&schedule), START);
}

/* A step of a third of a nanosecond's multiples must not add up. */
static void long_runs_do_not_drift(void **state) {
    (void)state;
    ir_schedule_t schedule;
    ir_schedule_init(&schedule, 3, START);
    for (int i = 0; i < 3000000; i++) {
        ir_schedule_advance(&schedule, 1);
    }
    assert_int_equal(ir_schedule_due(&schedule), START + 1000000 * IR_SECOND_NS);
}

static void due_times_never_go_back(void **state) {
    (void)state;
    ir_schedule_t schedule;
    ir_schedule_init(&schedule, 123456.789, START);
    int64_t before = START;
    for (int i = 0; i < 1000000; i++) {
        ir_schedule_advance(&schedule, 1 + (unsigned)i % 7);
        assert_true(ir_schedule_due(&schedule) > before);
        before = ir_schedule_due(&schedule);
    }
}

static void slow_rates(void **state) {
    (void)state;
    ir_schedule_t schedule;
    ir_schedule_init(&schedule, 0.001, START);
    ir_schedule_advance(&schedule, 1);
    assert_int_equal(ir_schedule_due(&schedule), START + 1000 * IR_SECOND_NS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observations_at_their_rate),
        cmocka_unit_test(no_rate_is_due_at_once),
        cmocka_unit_test(long_runs_do_not_drift),
        cmocka_unit_test(due_times_never_go_back),
        cmocka_unit_test(slow_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
