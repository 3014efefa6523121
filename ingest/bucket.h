/* A token bucket that limits how much one mote may send. One thread. */
#ifndef IR_INGEST_BUCKET_H
#define IR_INGEST_BUCKET_H

#include <stdint.h>

typedef struct ir_bucket_limits {
    double rate;  /* how many observations per second flow in; 0: no limit */
    double burst; /* its capacity */
} ir_bucket_limits_t;

/* Zeroed, it is full. */
typedef struct ir_bucket {
    double taken; /* how much is missing; above `burst`, the content is negative */
    int64_t last_ns;
} ir_bucket_t;

/* How long until the bucket is no longer empty, in ns; 0: now. */
int64_t ir_bucket_wait(ir_bucket_t *bucket, const ir_bucket_limits_t *limits, int64_t now_ns);

/* Removes `observations` from the bucket. If the bucket is not empty, it gives the whole amount,
 * even if its content becomes negative. So no request is too large for its mote, but the next one
 * waits longer. Call after ir_bucket_wait. */
void ir_bucket_take(ir_bucket_t *bucket, const ir_bucket_limits_t *limits, double observations);

#endif
