/* Measures a period: counts at its beginning and its end, and latencies of the messages answered in
 * between. One thread. */
#ifndef IR_LOADGEN_MEASURE_MEASUREMENT_H
#define IR_LOADGEN_MEASURE_MEASUREMENT_H

#include "common/histogram.h"
#include "loadgen/produce/producer.h"
#include "loadgen/track/latency.h"
#include "loadgen/track/tracker.h"

#include <stdbool.h>
#include <stdint.h>

/* All counts at one moment. */
typedef struct ir_snapshot {
    int64_t at_ns;
    ir_producer_counts_t sent; /* counts of all producers */
    ir_tracker_counts_t back;  /* zeros without a subscription */
} ir_snapshot_t;

/* Observations that were due by that time … */
double ir_snapshot_due(const ir_snapshot_t *snapshot);

/* … and of these, the backlog: observations that are neither refused nor finished. They are
 * finished when they are republished, or if the run does not subscribe, when they are confirmed. */
double ir_snapshot_backlog(const ir_snapshot_t *snapshot);

typedef struct ir_measurement {
    ir_snapshot_t begin, end;
    ir_latency_t confirms, back;
    ir_histogram_t *late; /* lateness caused by the generator, in µs */
} ir_measurement_t;

/* False when out of memory; then nothing needs to be freed. */
bool ir_measurement_init(ir_measurement_t *measurement);
void ir_measurement_free(ir_measurement_t *measurement);

/* Begins again. */
void ir_measurement_begin(ir_measurement_t *measurement, const ir_snapshot_t *now);

/* Adds the values of another measurement. */
void ir_measurement_add(ir_measurement_t *measurement, const ir_measurement_t *from);

double ir_measurement_seconds(const ir_measurement_t *measurement);

/* The slope of a line fitted to a series of points by least squares. */
typedef struct ir_trend {
    double n, x, y, xx, xy;
} ir_trend_t;

void ir_trend_add(ir_trend_t *trend, double x, double y);
double ir_trend_slope(const ir_trend_t *trend); /* 0 with fewer than two points */

#endif
