/* Latencies of one kind in µs, measured twice: from the time a message was sent (raw) and from the
 * time it should have been sent (corrected, so that a stalled sender or target cannot hide the
 * delay). One thread. */
#ifndef IR_LOADGEN_TRACK_LATENCY_H
#define IR_LOADGEN_TRACK_LATENCY_H

#include "common/histogram.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_LATENCY_HIGHEST_US INT64_C(86400000000) /* longer ones count as a day */
#define IR_LATENCY_DIGITS 3
#define IR_LATENCY_US_PER_MS 1000.0

typedef struct ir_latency {
    ir_histogram_t *raw, *corrected;
} ir_latency_t;

/* False when out of memory; then nothing needs to be freed. */
bool ir_latency_init(ir_latency_t *latency);
void ir_latency_free(ir_latency_t *latency);
void ir_latency_reset(ir_latency_t *latency);

void ir_latency_record(ir_latency_t *latency, int64_t intended_ns, int64_t sent_ns, int64_t now_ns);
void ir_latency_add(ir_latency_t *latency, const ir_latency_t *from);

/* In ms. */
static inline double ir_latency_ms(const ir_histogram_t *histogram, double percentile) {
    return (double)ir_histogram_percentile(histogram, percentile) / IR_LATENCY_US_PER_MS;
}

#endif
