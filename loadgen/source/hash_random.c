#include "loadgen/source/hash_random.h"

#include <stddef.h>

#define HOUR_MS INT64_C(3600000)

/* The distance between nodes, and their standard deviation. The latter is the square root of 3/2
 * times the chain's share of the variance, because linear interpolation keeps 2/3 of the nodes'
 * variance on average. */
static const struct {
    int64_t step_ms;
    double deviation;
} chains[] = {
    {HOUR_MS, 0.3872983346207417},
    {8 * HOUR_MS, 0.6708203932499369},
    {72 * HOUR_MS, 0.9486832980505138},
};

double ir_noise_series(uint64_t key, int64_t ms) {
    double sum = 0;
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        const int64_t node = ms / chains[i].step_ms;
        const double way = (double)(ms - node * chains[i].step_ms) / (double)chains[i].step_ms;
        const uint64_t chain = ir_hash_random_key(key, i);
        const double before = ir_hash_random_normal(ir_hash_random_key(chain, (uint64_t)node));
        const double after = ir_hash_random_normal(ir_hash_random_key(chain, (uint64_t)node + 1));
        sum += chains[i].deviation * (before + (after - before) * way);
    }
    return sum;
}
