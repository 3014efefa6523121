/* Waiting longer each time, with jitter ("decorrelated": uniform between half and whole). */
#ifndef IR_COMMON_BACKOFF_H
#define IR_COMMON_BACKOFF_H

#include <stdint.h>

typedef struct ir_backoff {
    int64_t first_ns, longest_ns;
    int64_t next_ns;
    uint64_t random;
} ir_backoff_t;

void ir_backoff_init(ir_backoff_t *backoff, int64_t first_ns, int64_t longest_ns);

/* The next wait; doubles up to the longest. */
int64_t ir_backoff_next(ir_backoff_t *backoff);

/* A wait that the other side asked for, and up to half as long again: else all whom it asked at the
 * same time would come back at the same time. */
int64_t ir_backoff_spread(ir_backoff_t *backoff, int64_t wait_ns);

/* After a success: begins anew. */
void ir_backoff_reset(ir_backoff_t *backoff);

#endif
