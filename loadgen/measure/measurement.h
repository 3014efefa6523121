/* What happened in a stretch of time: counts at its two ends, and the latencies of what was
 * answered in between. One thread. */
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
    ir_producer_counts_t sent; /* of all producers */
    ir_tracker_counts_t back;  /* zeros when nobody listens */
} ir_snapshot_t;

/* Observations that were due until then, … */
double ir_snapshot_due(const ir_snapshot_t *snapshot);

/* … and of these, what is not refused and not confirmed, or not come back if somebody listens. */
double ir_snapshot_backlog(const ir_snapshot_t *snapshot);

typedef struct ir_measurement {
    ir_snapshot_t begin, end;
    ir_latency_t confirms, back;
    ir_histogram_t *late; /* µs by which messages went out late by the generator's fault */
} ir_measurement_t;

/* False when memory is out; then there is nothing to free. */
bool ir_measurement_init(ir_measurement_t *stretch);
void ir_measurement_free(ir_measurement_t *stretch);

/* Begins again. */
void ir_measurement_begin(ir_measurement_t *stretch, const ir_snapshot_t *now);

/* Adds what another measured. */
void ir_measurement_add(ir_measurement_t *stretch, const ir_measurement_t *from);

double ir_measurement_seconds(const ir_measurement_t *stretch);

/* The trend of a series of points by least squares: how much y grows for one x. */
typedef struct ir_trend {
    double n, x, y, xx, xy;
} ir_trend_t;

void ir_trend_add(ir_trend_t *trend, double x, double y);
double ir_trend_slope(const ir_trend_t *trend); /* 0 with fewer than two points */

#endif
