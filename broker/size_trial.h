/* How large a message the broker takes (RabbitMQ: max_message_size, 16 MiB by default since 4.0).
 * It tells nobody beforehand, and a message over it closes the channel and with it what others have
 * sent there; so a size is tried on a connection of its own first, with a message to nowhere. */
#ifndef IR_BROKER_SIZE_TRIAL_H
#define IR_BROKER_SIZE_TRIAL_H

#include "broker/connection.h"

#include <stddef.h>
#include <stdint.h>

/* Messages of up to this size are not tried. */
#define IR_SIZE_UNTRIED ((size_t)64 * 1024)

/* What is known. Zeroed: nothing. One thread. */
typedef struct ir_size_bound {
    size_t taken;       /* so much the broker took */
    size_t most;        /* the broker's own bound; 0: not known */
    int64_t learned_ns; /* when that was said: it may be raised meanwhile */
} ir_size_bound_t;

/* Whether the broker takes a body of `size` bytes; tries it when that is not known. IR_ERR_RANGE:
 * it does not. Other errors: it could not be tried. */
ir_status_t ir_size_check(ir_size_bound_t *bound, const ir_broker_options_t *options, size_t size,
                          ir_error_t *error);

/* Takes in the broker's words when it closed a channel: they may tell the bound. */
void ir_size_learn(ir_size_bound_t *bound, ir_view_t words);

#endif
