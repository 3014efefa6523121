/* The open-loop schedule: when each message is meant to be sent, whatever becomes of those before
 * it. The same for everyone who asks: threads that send parts of the messages count through all of
 * them. One thread. */
#ifndef IR_LOADGEN_PRODUCE_SCHEDULE_H
#define IR_LOADGEN_PRODUCE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_arrivals {
    IR_ARRIVALS_CONSTANT, /* times follow from counts alone, so nothing drifts */
    IR_ARRIVALS_POISSON   /* independent exponential gaps, the same ones for the same seed */
} ir_arrivals_t;

/* What a stretch of load looks like. */
typedef struct ir_pattern {
    double rate; /* observations/s; 0: as soon as possible */
    double pace; /* above 0: at the messages' own times, faster by this factor; rate is not used */
    ir_arrivals_t arrivals;
    uint64_t seed;
} ir_pattern_t;

typedef struct ir_schedule {
    ir_pattern_t pattern;
    int64_t start_ns;
    int64_t data_start_ns; /* the first message's own time */
    uint64_t observations; /* due until now */
    int64_t waited_ns;     /* Poisson: the gaps until now */
} ir_schedule_t;

void ir_schedule_init(ir_schedule_t *schedule, const ir_pattern_t *pattern, int64_t start_ns,
                      int64_t data_start_ns);

static inline bool ir_schedule_is_timed(const ir_schedule_t *schedule) {
    return schedule->pattern.rate > 0 || schedule->pattern.pace > 0;
}

/* When the next message, whose own time this is, is meant to be sent; the start when there is no
 * rate. */
int64_t ir_schedule_due(const ir_schedule_t *schedule, int64_t own_ns);

/* The message of this number has this many observations: goes on to the one after it. */
void ir_schedule_advance(ir_schedule_t *schedule, uint64_t number, uint64_t observations);

#endif
