/* The open-loop schedule: when each message is meant to be sent, whatever becomes of those before
 * it. Times follow from counts alone, so nothing drifts. One thread. */
#ifndef IR_LOADGEN_SCHEDULE_H
#define IR_LOADGEN_SCHEDULE_H

#include <stdint.h>

typedef struct ir_schedule {
    double rate; /* observations/s; 0: as soon as possible */
    int64_t start_ns;
    uint64_t observations; /* due until now */
} ir_schedule_t;

void ir_schedule_init(ir_schedule_t *schedule, double rate, int64_t start_ns);

/* When the next message is meant to be sent; the start when there is no rate. */
int64_t ir_schedule_due(const ir_schedule_t *schedule);

/* It has this many observations: goes on to the one after it. */
void ir_schedule_advance(ir_schedule_t *schedule, uint64_t observations);

#endif
