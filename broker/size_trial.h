/* Finds the largest message that the broker accepts (RabbitMQ: max_message_size, 16 MiB by default
 * since 4.0). The broker does not announce this limit. A message above it closes the channel, and
 * messages that others sent there are lost. So when a publisher connects, it first tries the
 * largest message that it may send (`trial_bytes` of its options): on a separate connection,
 * addressed to no queue, for a few seconds at most. The broker's answer then contains its exact
 * limit.
 *
 * Nothing is tried while messages flow. If the broker did not answer, or its limit was lowered
 * later, it closes the channel of the first message that is too large, and its answer gives the
 * limit for all later ones. A publisher that reconnects tries again, at most once a minute, unless
 * the broker accepted that size already. */
#ifndef IR_BROKER_SIZE_TRIAL_H
#define IR_BROKER_SIZE_TRIAL_H

#include "broker/connection.h"

#include <stddef.h>
#include <stdint.h>

/* Sizes up to this are not tried. */
#define IR_SIZE_UNTRIED ((size_t)64 * 1024)

/* The known facts about the limit. Zeroed: nothing is known. One thread. */
typedef struct ir_size_bound {
    size_t taken;     /* a size that the broker accepted */
    size_t most;      /* the broker's limit; 0: unknown */
    int64_t tried_ns; /* when the limit was learned; it may be raised later */
} ir_size_bound_t;

/* Tries options->trial_bytes unless the result is known. Blocks; each step takes at most the
 * shorter of the time-out and 5 s. `start` is used as in ir_broker_connect. What the trial cannot
 * find out stays unchanged. */
void ir_size_try(ir_size_bound_t *bound, const ir_broker_options_t *options, unsigned start);

/* Whether a body of `size` bytes may be sent. IR_ERR_RANGE: it exceeds options->message_bytes or
 * the broker's known limit. */
ir_status_t ir_size_check(const ir_size_bound_t *bound, const ir_broker_options_t *options,
                          size_t size, ir_error_t *error);

/* Learns from the broker's text when it closed a channel: it may contain the limit. */
void ir_size_learn(ir_size_bound_t *bound, ir_view_t words);

#endif
