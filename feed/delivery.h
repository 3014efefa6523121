/* Passes the rounds' packs to the sender of one target and takes the answers. The sender itself
 * repeats packs that the target defers (429, 503). After a lost connection, all unanswered packs
 * are passed again. One thread. */
#ifndef IR_FEED_DELIVERY_H
#define IR_FEED_DELIVERY_H

#include "common/status.h"
#include "feed/report.h"
#include "feed/round.h"
#include "send/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_feed_delivery ir_feed_delivery_t;

typedef struct ir_delivery_options {
    const ir_target_t *target;
    ir_round_t *const *rounds;
    size_t n_rounds;
    size_t window;    /* maximum number of unanswered packs; each round has its share */
    int64_t retry_ns; /* the program gives up when the target has failed for this long; 0: never */
} ir_delivery_options_t;

/* All arguments must outlive it. NULL when out of memory. */
ir_feed_delivery_t *ir_delivery_open(const ir_delivery_options_t *options);
void ir_delivery_close(ir_feed_delivery_t *delivery);

/* One turn: connects, passes packs (unless `stopping`), and waits at most `wait_ns` for answers.
 * Errors are final: the target refuses everything (credential, address) or was unavailable for too
 * long. */
ir_status_t ir_delivery_turn(ir_feed_delivery_t *delivery, bool stopping, int64_t wait_ns,
                             ir_error_t *error);

typedef struct ir_delivery_counts {
    uint64_t confirmed, refused; /* packs */
    uint64_t partly;             /* confirmed packs with some unusable records */
} ir_delivery_counts_t;

ir_delivery_counts_t ir_delivery_counts(const ir_feed_delivery_t *delivery);

#endif
