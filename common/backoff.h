/* Exponential back-off with jitter: each wait is uniform between half and the whole of the current
 * interval. */
#ifndef IR_COMMON_BACKOFF_H
#define IR_COMMON_BACKOFF_H

#include <stdint.h>

typedef struct ir_backoff {
    int64_t first_ns, longest_ns;
    int64_t next_ns;
    uint64_t random;
} ir_backoff_t;

void ir_backoff_init(ir_backoff_t *backoff, int64_t first_ns, int64_t longest_ns);

/* Returns the next wait. The interval doubles up to the longest. */
int64_t ir_backoff_next(ir_backoff_t *backoff);

/* Returns `wait_ns`, which the other side asked for, plus a random part of up to half of it, so
 * that clients that were asked at the same time do not all come back at the same time. */
int64_t ir_backoff_spread(ir_backoff_t *backoff, int64_t wait_ns);

/* Starts again with the first interval. Call after a success. */
void ir_backoff_reset(ir_backoff_t *backoff);

#endif
