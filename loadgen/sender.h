/* How messages go out: one const table of functions for each protocol. All of them are required and
 * called by one thread. */
#ifndef IR_LOADGEN_SENDER_H
#define IR_LOADGEN_SENDER_H

#include "broker/connection.h"
#include "common/status.h"
#include "common/view.h"

#include <stdint.h>

/* Views live during the call. */
typedef struct ir_parcel {
    ir_view_t routing_key;
    const char *content_type;
    ir_view_t message_id;
    ir_view_t body;
} ir_parcel_t;

typedef struct ir_sender {
    const char *name;

    /* Prepares, connects nothing. `broker` texts outlive the sender. NULL when memory is out. */
    void *(*open)(const ir_broker_options_t *broker);
    void (*close)(void *sender);

    /* Connects when not connected. RETRY: tried in vain. */
    ir_outcome_t (*connect)(void *sender, ir_error_t *error);

    /* Takes a message over; it may go out only with the next push. RETRY: this message and all that
     * are not settled must be sent again, in their order. REJECT: this message can never go. */
    ir_outcome_t (*send)(void *sender, const ir_parcel_t *parcel, ir_error_t *error);

    /* Sends what waits and takes what answers are here, waiting at most `wait_ns` for one (0: not
     * at all). `*settled` is how many more of the messages, from the oldest on, are now durable at
     * the other side. RETRY: all that are not settled must be sent again. */
    ir_outcome_t (*push)(void *sender, int64_t wait_ns, uint64_t *settled, ir_error_t *error);
} ir_sender_t;

/* AMQP 0-9-1 with publisher confirms, mandatory. */
extern const ir_sender_t ir_sender_amqp;

#endif
