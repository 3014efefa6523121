/* A high dynamic range histogram of int64 values (HdrHistogram's layout: exact to a number of
 * significant decimal digits over the whole range; Gil Tene). One thread at a time. */
#ifndef IR_COMMON_HISTOGRAM_H
#define IR_COMMON_HISTOGRAM_H

#include "common/status.h"

#include <stdint.h>
#include <stdio.h>

typedef struct ir_histogram ir_histogram_t;

/* Values 1 … `highest` (larger ones count as `highest`, 0 and less as 0), 1–5 significant digits.
 * NULL when memory is out. */
ir_histogram_t *ir_histogram_new(int64_t highest, int significant_digits);
void ir_histogram_free(ir_histogram_t *histogram);
void ir_histogram_reset(ir_histogram_t *histogram);

void ir_histogram_record(ir_histogram_t *histogram, int64_t value, uint64_t count);

/* Adds all of `from`, which has the same range and digits. */
void ir_histogram_add(ir_histogram_t *histogram, const ir_histogram_t *from);

uint64_t ir_histogram_count(const ir_histogram_t *histogram);
int64_t ir_histogram_min(const ir_histogram_t *histogram);
int64_t ir_histogram_max(const ir_histogram_t *histogram);
double ir_histogram_mean(const ir_histogram_t *histogram);

/* The smallest recorded value (highest equivalent) at or below which `percentile` % (0–100) of the
 * counts lie; 0 when empty. */
int64_t ir_histogram_percentile(const ir_histogram_t *histogram, double percentile);

/* The percentile distribution as HdrHistogram's .hgrm text (columns Value, Percentile, TotalCount,
 * 1/(1-Percentile)), values divided by `unit`. */
ir_status_t ir_histogram_print(const ir_histogram_t *histogram, double unit, FILE *out);

#endif
