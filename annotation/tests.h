/* The QARTOD tests themselves, one point at a time, as ioos_qc computes them. Pure functions. */
#ifndef IR_ANNOTATION_TESTS_H
#define IR_ANNOTATION_TESTS_H

#include "observation/batch.h"

#include <stddef.h>
#include <stdint.h>

/* Each returns a flag; IR_FLAG_NOT_EVALUATED when the limits do not have the test. */
uint8_t ir_test_gross_range(const ir_limits_t *limits, double value);
uint8_t ir_test_climatology(const ir_limits_t *limits, double value, int64_t time_ns);

/* Of the middle one of three points. */
uint8_t ir_test_spike(const ir_limits_t *limits, double before, double value, double after);

/* Of a point that is not its series' first (that one is good). */
uint8_t ir_test_rate_of_change(const ir_limits_t *limits, double before, int64_t before_ns,
                               double value, int64_t time_ns);

/* Of the newest of `n` values, newest first at `values[0]`; the series has at least three points.
 */
uint8_t ir_test_flat_line(const ir_limits_t *limits, int64_t interval_ns, const double *values,
                          size_t n);

/* How many values the flat-line test looks at; 0: the limits do not have it. */
size_t ir_test_flat_line_window(const ir_limits_t *limits, int64_t interval_ns);

#endif
