#include "loadgen/produce/lateness.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define NOW INT64_C(1000000000000)
#define SECONDS(n) ((n)*IR_SECOND_NS)
#define HIGHEST_US 100000000
#define LATE_NS (20 * IR_MILLISECOND_NS)
#define LATE_US 20000

/* The largest recorded lateness, in µs, rounded as in the histogram. */
static int64_t largest(ir_lateness_t *lateness) {
    ir_histogram_t *histogram = ir_histogram_new(HIGHEST_US, 5);
    assert_non_null(histogram);
    ir_lateness_take(lateness, histogram);
    const int64_t us = ir_histogram_max(histogram);
    ir_histogram_free(histogram);
    return us;
}

/* The lateness that is counted for a message sent at this time and due 20 ms earlier. */
static int64_t late_at(ir_lateness_t *lateness, int64_t sent_ns) {
    ir_lateness_add(lateness, sent_ns - LATE_NS, sent_ns);
    return largest(lateness);
}

static void its_own_lateness_counts(void **state) {
    (void)state;
    ir_lateness_t lateness = {.count = 0};
    ir_lateness_add(&lateness, NOW, NOW);
    ir_lateness_add(&lateness, NOW, NOW + 3 * IR_MILLISECOND_NS);
    assert_int_equal(lateness.count, 2);
    assert_int_equal(largest(&lateness), 3000);
    assert_int_equal(lateness.count, 0);
}

static void a_hold_is_excused_for_as_long_again(void **state) {
    (void)state;
    ir_lateness_t lateness = {.count = 0};
    ir_lateness_hold(&lateness, NOW);
    ir_lateness_hold(&lateness, NOW + SECONDS(2));
    ir_lateness_release(&lateness, NOW + SECONDS(3));
    assert_int_equal(late_at(&lateness, NOW + SECONDS(6)), 0);
    assert_int_equal(late_at(&lateness, NOW + SECONDS(6) + 1), LATE_US);
}

static void a_short_hold_is_excused_for_a_second(void **state) {
    (void)state;
    ir_lateness_t lateness = {.count = 0};
    ir_lateness_hold(&lateness, NOW);
    ir_lateness_release(&lateness, NOW + 1);
    assert_int_equal(late_at(&lateness, NOW + 1 + SECONDS(1)), 0);
    assert_int_equal(late_at(&lateness, NOW + 2 + SECONDS(1)), LATE_US);
}

/* A long hold excuses lateness until its end. A later, shorter hold does not reduce this. */
static void an_excuse_stays(void **state) {
    (void)state;
    ir_lateness_t lateness = {.count = 0};
    ir_lateness_excuse(&lateness, NOW, NOW + SECONDS(10));
    ir_lateness_excuse(&lateness, NOW + SECONDS(11), NOW + SECONDS(11) + 1);
    assert_int_equal(late_at(&lateness, NOW + SECONDS(20)), 0);
}

static void without_a_hold_nothing_is_excused(void **state) {
    (void)state;
    ir_lateness_t lateness = {.count = 0};
    ir_lateness_release(&lateness, NOW);
    ir_lateness_hold(&lateness, NOW);
    ir_lateness_forget(&lateness);
    ir_lateness_release(&lateness, NOW + SECONDS(1));
    assert_int_equal(late_at(&lateness, NOW + SECONDS(1)), LATE_US);
}

/* Whether the same wait excuses lateness depends on how long the calls were meant to wait. */
static void calls_that_wait_are_excused(void **state) {
    (void)state;
    ir_lateness_t lateness = {.count = 0};
    const struct timespec wait = {.tv_nsec = 10 * IR_MILLISECOND_NS};
    const ir_calls_t calls = ir_lateness_watch();
    nanosleep(&wait, NULL);
    ir_lateness_judge(&lateness, &calls, SECONDS(100));
    assert_int_equal(lateness.excused_ns, 0);
    ir_lateness_judge(&lateness, &calls, 0);
    assert_true(lateness.excused_ns > calls.begin_ns + SECONDS(1));
}

static void calls_that_only_compute_are_not_excused(void **state) {
    (void)state;
    ir_lateness_t lateness = {.count = 0};
    const ir_calls_t calls = ir_lateness_watch();
    while (ir_clock_monotonic() - calls.begin_ns < 10 * IR_MILLISECOND_NS) {
    }
    ir_lateness_judge(&lateness, &calls, 0);
    assert_int_equal(lateness.excused_ns, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_own_lateness_counts),
        cmocka_unit_test(a_hold_is_excused_for_as_long_again),
        cmocka_unit_test(a_short_hold_is_excused_for_a_second),
        cmocka_unit_test(an_excuse_stays),
        cmocka_unit_test(without_a_hold_nothing_is_excused),
        cmocka_unit_test(calls_that_wait_are_excused),
        cmocka_unit_test(calls_that_only_compute_are_not_excused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
