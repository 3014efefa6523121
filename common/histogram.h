/* A high dynamic range histogram of int64 values, in the layout of HdrHistogram by Gil Tene:
 * values are exact to a number of significant decimal digits over the whole range. One thread at
 * a time. */
#ifndef IR_COMMON_HISTOGRAM_H
#define IR_COMMON_HISTOGRAM_H

#include "common/status.h"

#include <stdint.h>
#include <stdio.h>

typedef struct ir_histogram ir_histogram_t;

/* Makes a histogram for values from 1 to `highest` with 1–5 significant digits. Larger values count
 * as `highest`, values below 1 as 0. Returns NULL when memory is exhausted. */
ir_histogram_t *ir_histogram_new(int64_t highest, int significant_digits);
void ir_histogram_free(ir_histogram_t *histogram);
void ir_histogram_reset(ir_histogram_t *histogram);

void ir_histogram_record(ir_histogram_t *histogram, int64_t value, uint64_t count);

/* Adds all counts of `from`, which must have the same range and digits. */
void ir_histogram_add(ir_histogram_t *histogram, const ir_histogram_t *from);

uint64_t ir_histogram_count(const ir_histogram_t *histogram);
int64_t ir_histogram_min(const ir_histogram_t *histogram);
int64_t ir_histogram_max(const ir_histogram_t *histogram);
double ir_histogram_mean(const ir_histogram_t *histogram);

/* The smallest recorded value with `percentile` % (0–100) of all counts at or below it, given as
 * the highest value of its slot; 0 when the histogram is empty. */
int64_t ir_histogram_percentile(const ir_histogram_t *histogram, double percentile);

/* Prints the percentile distribution in HdrHistogram's .hgrm format (columns Value, Percentile,
 * TotalCount, 1/(1-Percentile)). Values are divided by `unit`. */
ir_status_t ir_histogram_print(const ir_histogram_t *histogram, double unit, FILE *out);

#endif
