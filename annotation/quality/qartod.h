/* The QARTOD tests for single points, computed like ioos_qc. Pure functions. */
#ifndef IR_ANNOTATION_QUALITY_QARTOD_H
#define IR_ANNOTATION_QUALITY_QARTOD_H

#include "annotation/quality/point.h"

#include <stddef.h>
#include <stdint.h>

/* Sets the flags of a point that depend on nothing but the point. */
void ir_qartod_alone(const ir_limits_t *limits, double value, int64_t time_ns,
                     uint8_t flags[static IR_TEST_COUNT]);

/* Sets the flags that also depend on the previous point; NULL: this is the first point of its
 * series. Spike and flat line, which later points decide, are evaluated by quality.c. */
void ir_qartod_after(const ir_limits_t *limits, const ir_point_t *before, double value,
                     int64_t time_ns, uint8_t flags[static IR_TEST_COUNT]);

/* Each returns a flag: IR_FLAG_NOT_EVALUATED when the limits do not define the test. */
uint8_t ir_test_gross_range(const ir_limits_t *limits, double value);
uint8_t ir_test_climatology(const ir_limits_t *limits, double value, int64_t time_ns);

/* Tests the middle one of three consecutive points. */
uint8_t ir_test_spike(const ir_limits_t *limits, double before, double value, double after);

/* Tests a point that has a predecessor. The first point of a series is always good. */
uint8_t ir_test_rate_of_change(const ir_limits_t *limits, double before, int64_t before_ns,
                               double value, int64_t time_ns);

/* Tests the newest of `n` values, which is values[0]. The series must have at least three
 * points. */
uint8_t ir_test_flat_line(const ir_limits_t *limits, int64_t interval_ns, const double *values,
                          size_t n);

/* How many values the flat-line test needs; 0 when the limits do not define the test. */
size_t ir_test_flat_line_window(const ir_limits_t *limits, int64_t interval_ns);

#endif
