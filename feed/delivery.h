/* Gives the rounds' packs to the sender of one target and takes the answers. What the target puts
 * off (429, 503) the sender sends again by itself; after a lost connection all that has no answer
 * is given again. One thread. */
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
    size_t window;    /* most packs without an answer; each round has its share */
    int64_t retry_ns; /* gives up when the target did not work for this long; 0: never */
} ir_delivery_options_t;

/* Everything given outlives it. NULL when memory is out. */
ir_feed_delivery_t *ir_delivery_open(const ir_delivery_options_t *options);
void ir_delivery_close(ir_feed_delivery_t *delivery);

/* One turn: connects, gives (unless `stopping`), and waits at most so long for answers. An error is
 * final: the target refuses whatever is sent (credential, address), or was away for too long. */
ir_status_t ir_delivery_turn(ir_feed_delivery_t *delivery, bool stopping, int64_t wait_ns,
                             ir_error_t *error);

typedef struct ir_delivery_counts {
    uint64_t confirmed, refused; /* packs */
    uint64_t partly;             /* of those that are confirmed: some records cannot be used */
} ir_delivery_counts_t;

ir_delivery_counts_t ir_delivery_counts(const ir_feed_delivery_t *delivery);

#endif
