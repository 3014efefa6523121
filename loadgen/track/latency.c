#include "loadgen/track/latency.h"

#include <stddef.h>

#define MICROSECOND_NS 1000

bool ir_latency_init(ir_latency_t *latency) {
    latency->raw = ir_histogram_new(IR_LATENCY_HIGHEST_US, IR_LATENCY_DIGITS);
    latency->corrected = ir_histogram_new(IR_LATENCY_HIGHEST_US, IR_LATENCY_DIGITS);
    if (latency->raw == NULL || latency->corrected == NULL) {
        ir_latency_free(latency);
        return false;
    }
    return true;
}

void ir_latency_free(ir_latency_t *latency) {
    ir_histogram_free(latency->raw);
    ir_histogram_free(latency->corrected);
    latency->raw = latency->corrected = NULL;
}

void ir_latency_reset(ir_latency_t *latency) {
    ir_histogram_reset(latency->raw);
    ir_histogram_reset(latency->corrected);
}

void ir_latency_record(ir_latency_t *latency, int64_t intended_ns, int64_t sent_ns,
                       int64_t now_ns) {
    ir_histogram_record(latency->raw, (now_ns - sent_ns) / MICROSECOND_NS, 1);
    ir_histogram_record(latency->corrected, (now_ns - intended_ns) / MICROSECOND_NS, 1);
}

void ir_latency_add(ir_latency_t *latency, const ir_latency_t *from) {
    ir_histogram_add(latency->raw, from->raw);
    ir_histogram_add(latency->corrected, from->corrected);
}
