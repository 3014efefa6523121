#include "loadgen/produce/schedule.h"

#include "common/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define START INT64_C(1000000000000)

static ir_schedule_t schedule_of(double rate, ir_arrivals_t arrivals) {
    const ir_pattern_t pattern = {.rate = rate, .arrivals = arrivals, .seed = 7};
    ir_schedule_t schedule;
    ir_schedule_init(&schedule, &pattern, START, 0);
    return schedule;
}

static int64_t due(const ir_schedule_t *schedule) {
    return ir_schedule_due(schedule, 0);
}

static void advance(ir_schedule_t *schedule, uint64_t observations) {
    ir_schedule_advance(schedule, 0, observations);
}

static void observations_at_their_rate(void **state) {
    (void)state;
    ir_schedule_t schedule = schedule_of(1000, IR_ARRIVALS_CONSTANT);
    assert_int_equal(due(&schedule), START);
    advance(&schedule, 4);
    assert_int_equal(due(&schedule), START + 4 * IR_MILLISECOND_NS);
    advance(&schedule, 7);
    assert_int_equal(due(&schedule), START + 11 * IR_MILLISECOND_NS);
}

static void no_rate_is_due_at_once(void **state) {
    (void)state;
    ir_schedule_t schedule = schedule_of(0, IR_ARRIVALS_CONSTANT);
    advance(&schedule, 1000000);
    assert_int_equal(due(&schedule), START);
}

/* Rounding errors of a third of a nanosecond per message must not add up. */
static void long_runs_do_not_drift(void **state) {
    (void)state;
    ir_schedule_t schedule = schedule_of(3, IR_ARRIVALS_CONSTANT);
    for (int i = 0; i < 3000000; i++) {
        advance(&schedule, 1);
    }
    assert_int_equal(due(&schedule), START + 1000000 * IR_SECOND_NS);
}

static void due_times_never_go_back(void **state) {
    (void)state;
    ir_schedule_t schedule = schedule_of(123456.789, IR_ARRIVALS_CONSTANT);
    int64_t before = START;
    for (int i = 0; i < 1000000; i++) {
        advance(&schedule, 1 + (unsigned)i % 7);
        assert_true(due(&schedule) > before);
        before = due(&schedule);
    }
}

static void slow_rates(void **state) {
    (void)state;
    ir_schedule_t schedule = schedule_of(0.001, IR_ARRIVALS_CONSTANT);
    advance(&schedule, 1);
    assert_int_equal(due(&schedule), START + 1000 * IR_SECOND_NS);
}

/* Gaps have the mean and the standard deviation of an exponential distribution. */
static void poisson_arrivals(void **state) {
    (void)state;
    enum { MESSAGES = 200000, RECORDS = 4 };
    const double mean_s = RECORDS / 1000.0;
    ir_schedule_t schedule = schedule_of(1000, IR_ARRIVALS_POISSON);
    double squares = 0;
    int64_t before = due(&schedule);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        ir_schedule_advance(&schedule, i, RECORDS);
        const double gap_s = (double)(due(&schedule) - before) / (double)IR_SECOND_NS;
        assert_true(gap_s >= 0);
        squares += (gap_s - mean_s) * (gap_s - mean_s);
        before = due(&schedule);
    }
    const double length_s = (double)(before - START) / (double)IR_SECOND_NS;
    assert_true(fabs(length_s / MESSAGES / mean_s - 1) < 0.01);
    assert_true(fabs(sqrt(squares / MESSAGES) / mean_s - 1) < 0.02);
}

/* The times are reproducible; another seed gives different times. */
static void poisson_is_repeatable(void **state) {
    (void)state;
    const ir_pattern_t other = {.rate = 1000, .arrivals = IR_ARRIVALS_POISSON, .seed = 8};
    ir_schedule_t first = schedule_of(1000, IR_ARRIVALS_POISSON);
    ir_schedule_t second = schedule_of(1000, IR_ARRIVALS_POISSON);
    ir_schedule_t third;
    ir_schedule_init(&third, &other, START, 0);
    for (uint64_t i = 0; i < 1000; i++) {
        ir_schedule_advance(&first, i, 1);
        ir_schedule_advance(&second, i, 1);
        ir_schedule_advance(&third, i, 1);
        assert_int_equal(due(&first), due(&second));
        assert_int_not_equal(due(&first), due(&third));
    }
}

static void own_pace(void **state) {
    (void)state;
    const int64_t data_ns = 1320469200 * IR_SECOND_NS;
    const ir_pattern_t pattern = {.pace = 900};
    ir_schedule_t schedule;
    ir_schedule_init(&schedule, &pattern, START, data_ns);
    assert_true(ir_schedule_is_timed(&schedule));
    assert_int_equal(ir_schedule_due(&schedule, data_ns), START);
    ir_schedule_advance(&schedule, 0, 5);
    assert_int_equal(ir_schedule_due(&schedule, data_ns + 900 * IR_SECOND_NS),
                     START + IR_SECOND_NS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observations_at_their_rate),
        cmocka_unit_test(no_rate_is_due_at_once),
        cmocka_unit_test(long_runs_do_not_drift),
        cmocka_unit_test(due_times_never_go_back),
        cmocka_unit_test(slow_rates),
        cmocka_unit_test(poisson_arrivals),
        cmocka_unit_test(poisson_is_repeatable),
        cmocka_unit_test(own_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
