/* Random numbers without state: pure functions of a key, or of a key and a time. No allocation, any
 * thread. */
#ifndef IR_LOADGEN_SOURCE_HASH_RANDOM_H
#define IR_LOADGEN_SOURCE_HASH_RANDOM_H

#include <stdint.h>

/* Derives a key from another: SplitMix64's finalizer over both. */
static inline uint64_t ir_hash_random_key(uint64_t key, uint64_t index) {
    uint64_t bits = key + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

/* 0 ≤ … < 1, from the upper bits of a key. */
static inline double ir_hash_random_share(uint64_t key) {
    return (double)(key >> 11) * 0x1p-53;
}

/* 0 ≤ … < 1, from its 16 bits at `part` (0 … 3), which are independent of each other. */
static inline double ir_hash_random_part(uint64_t key, unsigned part) {
    return (double)(uint16_t)(key >> (16 * part)) * 0x1p-16;
}

/* Mean 0, deviation 1, between -3.5 and 3.5: the sum of the four parts. */
static inline double ir_hash_random_normal(uint64_t key) {
    const double sum = ir_hash_random_part(key, 0) + ir_hash_random_part(key, 1) +
                       ir_hash_random_part(key, 2) + ir_hash_random_part(key, 3);
    return (sum - 2.0) * 1.7320508075688772;
}

/* Noise over time with mean 0 and standard deviation 1, similar to a slow AR(1) process. It is the
 * sum of three chains of hashed nodes, linearly interpolated. The nodes are 1 hour, 8 hours and 3
 * days apart, and the chains have 10 %, 30 % and 60 % of the variance. The autocorrelation of a
 * chain with nodes L apart, averaged over all phases, is that of the cubic B-spline, with x = lag /
 * L: 1 - 1.5 x² + 0.75 x³ up to x = 1, (2 - x)³ / 4 up to x = 2, then 0. For the sum: 0.99 after 15
 * minutes, 0.92 after an hour, 0.66 after 8 hours, 0.52 after a day, 0.15 after three days, 0 after
 * six days. `ms`: milliseconds since the epoch, not negative. */
double ir_noise_series(uint64_t key, int64_t ms);

#endif
