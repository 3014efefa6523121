#include "loadgen/source/river.h"

#include "common/clock.h"
#include "loadgen/source/hash_random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEED 42
#define QUARTER_NS (900 * IR_SECOND_NS)
#define DAY_POINTS 96
#define START_NS (INT64_C(1735689600) * IR_SECOND_NS) /* 2025-01-01 */

/* ---- noise ---- */

static void keys_spread(void **state) {
    (void)state;
    unsigned counts[16] = {0};
    double sum = 0;
    double squares = 0;
    for (uint64_t i = 0; i < 160000; i++) {
        const uint64_t key = ir_hash_random_key(SEED, i);
        const double normal = ir_hash_random_normal(key);
        counts[(unsigned)(ir_hash_random_share(key) * 16)]++;
        sum += normal;
        squares += normal * normal;
    }
    for (unsigned i = 0; i < 16; i++) {
        assert_in_range(counts[i], 9500, 10500);
    }
    assert_true(fabs(sum / 160000) < 0.02);
    assert_true(fabs(squares / 160000 - 1) < 0.03);
}

/* Over many series, the autocorrelation is as the header file promises. */
static double correlation(int64_t lag_ms) {
    double sum = 0;
    unsigned count = 0;
    for (uint64_t key = 0; key < 20000; key++) {
        const int64_t ms = (int64_t)(ir_hash_random_key(7, key) % 1000000000000);
        sum += ir_noise_series(key, ms) * ir_noise_series(key, ms + lag_ms);
        count++;
    }
    return sum / count;
}

static void series_are_slow(void **state) {
    (void)state;
    static const struct {
        int64_t minutes;
        double expected;
    } known[] = {{0, 1},       {15, 0.99},   {60, 0.92}, {480, 0.66},
                 {1440, 0.52}, {4320, 0.15}, {8640, 0}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_true(fabs(correlation(known[i].minutes * 60000) - known[i].expected) < 0.04);
    }
    assert_true(ir_noise_series(1, 0) == ir_noise_series(1, 0));
    assert_true(ir_noise_series(1, 0) != ir_noise_series(2, 0));
}

/* ---- the basin ---- */

static double value_at(unsigned mote, unsigned quantity, int64_t time_ns) {
    ir_river_moment_t moment;
    ir_river_moment(SEED, mote, time_ns, &moment);
    return (double)ir_river_value(&moment, quantity) /
           pow(10, ir_river_quantities[quantity].decimals);
}

static void values_follow_from_seed_mote_and_time(void **state) {
    (void)state;
    unsigned differ = 0;
    for (unsigned i = 0; i < 1000; i++) {
        const int64_t time_ns = START_NS + i * QUARTER_NS;
        ir_river_moment_t one;
        ir_river_moment_t same;
        ir_river_moment_t other;
        ir_river_moment(SEED, i, time_ns, &one);
        ir_river_moment(SEED, i, time_ns, &same);
        ir_river_moment(SEED + 1, i, time_ns, &other);
        for (unsigned q = 0; q < IR_RIVER_QUANTITIES; q++) {
            assert_int_equal(ir_river_value(&one, q), ir_river_value(&same, q));
            differ += ir_river_value(&one, q) != ir_river_value(&other, q);
        }
    }
    assert_true(differ > 6000);
}

static void values_are_plausible(void **state) {
    (void)state;
    static const struct {
        unsigned quantity;
        double low, high, mean_low, mean_high;
    } known[] = {
        {IR_RIVER_TEMPERATURE, -1, 35, 14, 18},
        {IR_RIVER_STAGE, -2, 9, 0.7, 1.6},
        {IR_RIVER_CONDUCTANCE, 0.002, 0.08, 0.025, 0.04},
        {IR_RIVER_OXYGEN, 4, 15, 8, 10.5},
        {IR_RIVER_PH, 6, 9, 7.1, 7.7},
        {IR_RIVER_TURBIDITY, 0, 6000, 8, 200},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        double sum = 0;
        for (unsigned j = 0; j < 20000; j++) { /* times over a year, and many motes */
            const double value =
                value_at(j * 7 % 1024, known[i].quantity, START_NS + j * (QUARTER_NS * 7 / 4));
            assert_true(value >= known[i].low && value <= known[i].high);
            sum += value;
        }
        assert_true(sum / 20000 >= known[i].mean_low && sum / 20000 <= known[i].mean_high);
    }
}

static void days_and_seasons_show(void **state) {
    (void)state;
    double hours[24] = {0};
    for (unsigned day = 0; day < 200; day++) {
        for (unsigned hour = 0; hour < 24; hour++) {
            hours[hour] += value_at(day % 64, IR_RIVER_TEMPERATURE,
                                    START_NS + (day * INT64_C(24) + hour) * 3600 * IR_SECOND_NS);
        }
    }
    assert_true((hours[21] - hours[9]) / 200 > 0.8); /* 16:00 and 4:00 at 75° west */
    const double july =
        value_at(3, IR_RIVER_TEMPERATURE, START_NS + 200 * INT64_C(86400) * IR_SECOND_NS);
    const double january =
        value_at(3, IR_RIVER_TEMPERATURE, START_NS + 20 * INT64_C(86400) * IR_SECOND_NS);
    assert_true(july - january > 8);
}

static void sensors_are_autocorrelated(void **state) {
    (void)state;
    for (unsigned q = 0; q < IR_RIVER_QUANTITIES; q++) {
        enum { POINTS = 30 * DAY_POINTS };
        double mean = 0;
        double variance = 0;
        double covariance = 0;
        double before = 0;
        for (unsigned i = 0; i < POINTS; i++) {
            mean += value_at(5, q, START_NS + i * QUARTER_NS) / POINTS;
        }
        for (unsigned i = 0; i < POINTS; i++) {
            const double now = value_at(5, q, START_NS + i * QUARTER_NS) - mean;
            variance += now * now;
            covariance += i > 0 ? now * before : 0;
            before = now;
        }
        const double lag1 = covariance / variance;
        assert_true(lag1 > 0.85 && lag1 < 1);
    }
}

/* Returns the time of the highest discharge within five days after a time. */
static int64_t crest(unsigned mote, int64_t from_ns, double *height) {
    int64_t at_ns = from_ns;
    *height = 0;
    for (unsigned i = 0; i < 5 * DAY_POINTS; i++) {
        ir_river_moment_t moment;
        ir_river_moment(SEED, mote, from_ns + i * QUARTER_NS, &moment);
        if (moment.flood > *height) {
            *height = moment.flood;
            at_ns = from_ns + i * QUARTER_NS;
        }
    }
    return at_ns;
}

/* A strong storm causes a flood that moves down the river. Meanwhile the stage and the turbidity
 * are higher, and the conductance is lower. */
static void storms_travel(void **state) {
    (void)state;
    double height = 0;
    int64_t from_ns = START_NS;
    int64_t at_ns = 0;
    for (; height < 0.5; from_ns += QUARTER_NS * DAY_POINTS) {
        at_ns = crest(0, from_ns, &height);
        assert_true(from_ns < START_NS + 365 * DAY_POINTS * QUARTER_NS);
        height = at_ns - from_ns > QUARTER_NS * DAY_POINTS * 3 ? 0 : height;
    }
    double below = 0;
    const int64_t below_ns = crest(10, at_ns, &below);
    assert_true(below > 0.3);
    assert_true(below_ns - at_ns > 6 * 3600 * IR_SECOND_NS);
    assert_true(below_ns - at_ns < 24 * 3600 * IR_SECOND_NS);
    const int64_t calm_ns = at_ns - 2 * DAY_POINTS * QUARTER_NS;
    ir_river_moment_t calm;
    ir_river_moment(SEED, 0, calm_ns, &calm);
    if (calm.flood < 0.02) {
        assert_true(value_at(0, IR_RIVER_DISCHARGE, at_ns) >
                    5 * value_at(0, IR_RIVER_DISCHARGE, calm_ns));
        assert_true(value_at(0, IR_RIVER_STAGE, at_ns) > value_at(0, IR_RIVER_STAGE, calm_ns));
        assert_true(value_at(0, IR_RIVER_TURBIDITY, at_ns) >
                    3 * value_at(0, IR_RIVER_TURBIDITY, calm_ns));
        assert_true(value_at(0, IR_RIVER_CONDUCTANCE, at_ns) <
                    0.8 * value_at(0, IR_RIVER_CONDUCTANCE, calm_ns));
    }
}

static void tides_run_both_ways(void **state) {
    (void)state;
    unsigned upwards[2] = {0};
    for (unsigned i = 0; i < 30 * DAY_POINTS; i++) {
        upwards[0] += value_at(14, IR_RIVER_DISCHARGE, START_NS + i * QUARTER_NS) < 0;
        upwards[1] += value_at(15, IR_RIVER_DISCHARGE, START_NS + i * QUARTER_NS) < 0;
    }
    assert_int_equal(ir_river_reach(15), IR_RIVER_TIDAL);
    assert_int_equal(ir_river_reach(16), IR_RIVER_CREEK);
    assert_int_equal(upwards[0], 0);
    assert_true(upwards[1] > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_spread),
        cmocka_unit_test(series_are_slow),
        cmocka_unit_test(values_follow_from_seed_mote_and_time),
        cmocka_unit_test(values_are_plausible),
        cmocka_unit_test(days_and_seasons_show),
        cmocka_unit_test(sensors_are_autocorrelated),
        cmocka_unit_test(storms_travel),
        cmocka_unit_test(tides_run_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
