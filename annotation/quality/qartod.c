#include "annotation/quality/qartod.h"

#include "common/clock.h"

#include <math.h>

static bool outside(const ir_span_t *span, double value) {
    return span->given && (value < span->low || value > span->high);
}

uint8_t ir_test_gross_range(const ir_limits_t *limits, double value) {
    if (!limits->gross_fail.given && !limits->gross_suspect.given) {
        return IR_FLAG_NOT_EVALUATED;
    }
    if (outside(&limits->gross_fail, value)) {
        return IR_FLAG_FAIL;
    }
    return outside(&limits->gross_suspect, value) ? IR_FLAG_SUSPECT : IR_FLAG_GOOD;
}

static bool covers(const ir_climatology_t *member, int64_t time_ns, const ir_date_t *date) {
    int64_t at = time_ns;
    switch (member->period) {
    case IR_PERIOD_MONTH:
        at = date->month;
        break;
    case IR_PERIOD_WEEK:
        at = date->week;
        break;
    case IR_PERIOD_DAY_OF_YEAR:
        at = date->day_of_year;
        break;
    case IR_PERIOD_TIME:
        break;
    }
    return at >= member->begin && at <= member->end;
}

uint8_t ir_test_climatology(const ir_limits_t *limits, double value, int64_t time_ns) {
    uint8_t flag = IR_FLAG_NOT_EVALUATED;
    if (limits->n_climatology == 0) {
        return flag;
    }
    const ir_date_t date = ir_clock_date(time_ns);
    for (size_t i = 0; i < limits->n_climatology; i++) {
        const ir_climatology_t *member = &limits->climatology[i];
        if (!covers(member, time_ns, &date)) {
            continue;
        }
        flag = IR_FLAG_GOOD;
        if (outside(&member->fail, value)) {
            flag = IR_FLAG_FAIL;
        } else if (outside(&member->suspect, value)) {
            flag = IR_FLAG_SUSPECT;
        }
    }
    return flag;
}

static double spike_size(ir_spike_method_t method, double before, double value, double after) {
    if (method == IR_SPIKE_AVERAGE) {
        return fabs(value - (before + after) / 2);
    }
    const double rise = value - before;
    const double fall = after - value;
    const bool opposite = (rise > 0 && fall < 0) || (rise < 0 && fall > 0);
    return opposite ? fmin(fabs(rise), fabs(fall)) : 0;
}

/* ioos_qc treats a threshold of 0 as no threshold. */
static bool exceeds(double size, bool given, double threshold) {
    return given && threshold > 0 && size > threshold;
}

uint8_t ir_test_spike(const ir_limits_t *limits, double before, double value, double after) {
    if (!limits->has_spike) {
        return IR_FLAG_NOT_EVALUATED;
    }
    const double size = spike_size(limits->spike_method, before, value, after);
    if (exceeds(size, limits->has_spike_fail, limits->spike_fail)) {
        return IR_FLAG_FAIL;
    }
    return exceeds(size, limits->has_spike_suspect, limits->spike_suspect) ? IR_FLAG_SUSPECT
                                                                           : IR_FLAG_GOOD;
}

uint8_t ir_test_rate_of_change(const ir_limits_t *limits, double before, int64_t before_ns,
                               double value, int64_t time_ns) {
    if (!limits->has_rate) {
        return IR_FLAG_NOT_EVALUATED;
    }
    /* Like ioos_qc, counts whole seconds. Points less than a second apart count as one second
     * apart. */
    const int64_t whole_seconds = (time_ns - before_ns) / IR_SECOND_NS;
    const double seconds = whole_seconds > 0 ? (double)whole_seconds : 1;
    return fabs(value - before) / seconds > limits->rate ? IR_FLAG_SUSPECT : IR_FLAG_GOOD;
}

/* Returns the number of points, not counting the newest, in the window of this threshold. */
static size_t window_count(int64_t threshold_ns, int64_t interval_ns) {
    return (size_t)(threshold_ns / interval_ns);
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

size_t ir_test_flat_line_window(const ir_limits_t *limits, int64_t interval_ns) {
    if ((!limits->has_flat_suspect && !limits->has_flat_fail) || interval_ns <= 0) {
        return 0;
    }
    const size_t suspect =
        limits->has_flat_suspect ? window_count(limits->flat_suspect_ns, interval_ns) : 0;
    const size_t fail = limits->has_flat_fail ? window_count(limits->flat_fail_ns, interval_ns) : 0;
    return larger(suspect, fail) + 1;
}

static bool is_flat(const ir_limits_t *limits, const double *values, size_t window) {
    double low = values[0];
    double high = values[0];
    for (size_t i = 1; i < window && high - low < limits->flat_tolerance; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    return high - low < limits->flat_tolerance;
}

uint8_t ir_test_flat_line(const ir_limits_t *limits, int64_t interval_ns, const double *values,
                          size_t n) {
    if (ir_test_flat_line_window(limits, interval_ns) == 0) {
        return IR_FLAG_NOT_EVALUATED;
    }
    const size_t fail = window_count(limits->flat_fail_ns, interval_ns) + 1;
    if (limits->has_flat_fail && fail <= n && is_flat(limits, values, fail)) {
        return IR_FLAG_FAIL;
    }
    const size_t suspect = window_count(limits->flat_suspect_ns, interval_ns) + 1;
    if (limits->has_flat_suspect && suspect <= n && is_flat(limits, values, suspect)) {
        return IR_FLAG_SUSPECT;
    }
    return IR_FLAG_GOOD;
}

/* ---- which tests are evaluated when ---- */

void ir_qartod_alone(const ir_limits_t *limits, double value, int64_t time_ns,
                     uint8_t flags[static IR_TEST_COUNT]) {
    flags[IR_TEST_GROSS_RANGE] = ir_test_gross_range(limits, value);
    flags[IR_TEST_CLIMATOLOGY] = ir_test_climatology(limits, value, time_ns);
}

void ir_qartod_after(const ir_limits_t *limits, const ir_point_t *before, double value,
                     int64_t time_ns, uint8_t flags[static IR_TEST_COUNT]) {
    if (before != NULL) {
        flags[IR_TEST_RATE_OF_CHANGE] =
            ir_test_rate_of_change(limits, before->value, before->time_ns, value, time_ns);
    } else if (limits->has_rate) {
        flags[IR_TEST_RATE_OF_CHANGE] = IR_FLAG_GOOD;
    }
}
