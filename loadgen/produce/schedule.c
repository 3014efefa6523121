#include "loadgen/produce/schedule.h"

#include "common/clock.h"

#include <math.h>

void ir_schedule_init(ir_schedule_t *schedule, const ir_pattern_t *pattern, int64_t start_ns,
                      int64_t data_start_ns) {
    *schedule =
        (ir_schedule_t){.pattern = *pattern, .start_ns = start_ns, .data_start_ns = data_start_ns};
}

/* Computes whole seconds separately, so that times stay exact to the nanosecond in long runs. */
static int64_t to_ns(double seconds) {
    const int64_t whole = (int64_t)seconds;
    const double fraction = seconds - (double)whole;
    return whole * IR_SECOND_NS + (int64_t)(fraction * (double)IR_SECOND_NS);
}

int64_t ir_schedule_due(const ir_schedule_t *schedule, int64_t own_ns) {
    const ir_pattern_t *pattern = &schedule->pattern;
    if (pattern->pace > 0) {
        return schedule->start_ns +
               (int64_t)((double)(own_ns - schedule->data_start_ns) / pattern->pace);
    }
    if (pattern->rate <= 0) {
        return schedule->start_ns;
    }
    return schedule->start_ns + (pattern->arrivals == IR_ARRIVALS_POISSON
                                     ? schedule->waited_ns
                                     : to_ns((double)schedule->observations / pattern->rate));
}

/* Uniform in (0, 1], from SplitMix64's finalizer. */
static double uniform(uint64_t seed, uint64_t number) {
    uint64_t bits = seed + (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    bits ^= bits >> 31;
    return ((double)(bits >> 11) + 1) * 0x1p-53;
}

void ir_schedule_advance(ir_schedule_t *schedule, uint64_t number, uint64_t observations) {
    const ir_pattern_t *pattern = &schedule->pattern;
    schedule->observations += observations;
    if (pattern->arrivals == IR_ARRIVALS_POISSON && pattern->rate > 0) {
        const double mean_ns = (double)observations / pattern->rate * (double)IR_SECOND_NS;
        schedule->waited_ns += (int64_t)(-log(uniform(pattern->seed, number)) * mean_ns + 0.5);
    }
}
