#include "loadgen/schedule.h"

#include "common/clock.h"

void ir_schedule_init(ir_schedule_t *schedule, double rate, int64_t start_ns) {
    *schedule = (ir_schedule_t){.rate = rate, .start_ns = start_ns};
}

int64_t ir_schedule_due(const ir_schedule_t *schedule) {
    if (schedule->rate <= 0) {
        return schedule->start_ns;
    }
    /* Whole seconds apart, so that a long run keeps its nanoseconds. */
    const double seconds = (double)schedule->observations / schedule->rate;
    const int64_t whole = (int64_t)seconds;
    const double fraction = seconds - (double)whole;
    return schedule->start_ns + whole * IR_SECOND_NS + (int64_t)(fraction * (double)IR_SECOND_NS);
}

void ir_schedule_advance(ir_schedule_t *schedule, uint64_t observations) {
    schedule->observations += observations;
}
