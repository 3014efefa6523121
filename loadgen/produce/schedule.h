/* The open-loop schedule: when each message should be sent, regardless of the outcome of earlier
 * ones. Every thread computes the same schedule, because each counts through all messages. One
 * thread for each copy. */
#ifndef IR_LOADGEN_PRODUCE_SCHEDULE_H
#define IR_LOADGEN_PRODUCE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_arrivals {
    IR_ARRIVALS_CONSTANT, /* times are computed from counts alone, so they do not drift */
    IR_ARRIVALS_POISSON   /* independent exponential gaps, the same for the same seed */
} ir_arrivals_t;

/* The shape of a load phase. */
typedef struct ir_pattern {
    double rate; /* observations/s; 0: as soon as possible */
    double
        pace; /* above 0: at the messages' own times, sped up by this factor; `rate` is ignored */
    ir_arrivals_t arrivals;
    uint64_t seed;
} ir_pattern_t;

typedef struct ir_schedule {
    ir_pattern_t pattern;
    int64_t start_ns;
    int64_t data_start_ns; /* the first message's own time */
    uint64_t observations; /* due until now */
    int64_t waited_ns;     /* for Poisson: the sum of the gaps so far */
} ir_schedule_t;

void ir_schedule_init(ir_schedule_t *schedule, const ir_pattern_t *pattern, int64_t start_ns,
                      int64_t data_start_ns);

static inline bool ir_schedule_is_timed(const ir_schedule_t *schedule) {
    return schedule->pattern.rate > 0 || schedule->pattern.pace > 0;
}

/* When the next message should be sent; `due_ns` is its own time in the data. Without a rate, it is
 * the start of the run. */
int64_t ir_schedule_due(const ir_schedule_t *schedule, int64_t own_ns);

/* Advances past the current message, which has this many observations. */
void ir_schedule_advance(ir_schedule_t *schedule, uint64_t number, uint64_t observations);

#endif
