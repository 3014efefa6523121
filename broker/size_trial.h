/* How large a message the broker takes (RabbitMQ: max_message_size, 16 MiB by default since 4.0).
 * It tells nobody beforehand, and a message over it closes the channel, and with it what others
 * have sent there is lost. So the largest message that a publisher may send (`trial_bytes` of its
 * options) is tried when it connects, before it counts as open: on a connection of its own, with a
 * message to nowhere, and for a few seconds at most. What the broker says then is its bound, to the
 * byte. Nothing is tried while messages flow: a broker that did not answer, or whose bound was
 * lowered since, closes the channel of the first message that is too large, and its words teach the
 * bound for all later ones. A publisher that connects again tries again, at most once a minute,
 * unless the broker took that size already. */
#ifndef IR_BROKER_SIZE_TRIAL_H
#define IR_BROKER_SIZE_TRIAL_H

#include "broker/connection.h"

#include <stddef.h>
#include <stdint.h>

/* Up to this size nothing is tried. */
#define IR_SIZE_UNTRIED ((size_t)64 * 1024)

/* What is known. Zeroed: nothing. One thread. */
typedef struct ir_size_bound {
    size_t taken;     /* so much the broker took */
    size_t most;      /* the broker's own bound; 0: not known */
    int64_t tried_ns; /* when it was tried or said; it may be raised meanwhile */
} ir_size_bound_t;

/* Tries options->trial_bytes unless it is known. Blocks, for each step at most the shorter of the
 * time-out and 5 s. `start` as in ir_broker_connect. What cannot be found out stays as it was. */
void ir_size_try(ir_size_bound_t *bound, const ir_broker_options_t *options, unsigned start);

/* Whether a body of `size` bytes may go. IR_ERR_RANGE: it is over options->message_bytes or over
 * what is known of the broker. */
ir_status_t ir_size_check(const ir_size_bound_t *bound, const ir_broker_options_t *options,
                          size_t size, ir_error_t *error);

/* Takes in the broker's words when it closed a channel: they may tell the bound. */
void ir_size_learn(ir_size_bound_t *bound, ir_view_t words);

#endif
