#include "ingest/bucket.h"

#include "common/clock.h"

int64_t ir_bucket_wait(ir_bucket_t *bucket, const ir_bucket_limits_t *limits, int64_t now_ns) {
    if (limits->rate <= 0) {
        return 0;
    }
    const double elapsed_s = (double)(now_ns - bucket->last_ns) / (double)IR_SECOND_NS;
    bucket->last_ns = now_ns;
    bucket->taken -= elapsed_s * limits->rate;
    bucket->taken = bucket->taken > 0 ? bucket->taken : 0;
    const double missing = bucket->taken - limits->burst + 1;
    return missing > 0 ? (int64_t)(missing / limits->rate * (double)IR_SECOND_NS) : 0;
}

void ir_bucket_take(ir_bucket_t *bucket, const ir_bucket_limits_t *limits, double observations) {
    if (limits->rate > 0) {
        bucket->taken += observations;
    }
}
