/* Sends to the broker: a thread with its own confirming publisher. Bounded rings carry shipments to
 * the thread and back when they are settled. Many are in progress at once; each is settled as soon
 * as the broker has answered for its last message, whatever else is open (ingest/window.h). A
 * shipment comes back at once while the broker is down or blocks publishers, or while its mote
 * waits for confirms. The outlet never sends a message twice: the mote gets an answer and decides
 * whether to send again. */
#ifndef IR_INGEST_OUTLET_H
#define IR_INGEST_OUTLET_H

#include "broker/connection.h"
#include "common/status.h"
#include "ingest/shipment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_outlet ir_outlet_t;

typedef struct ir_outlet_options {
    ir_broker_options_t broker; /* its texts outlive the outlet */
    size_t capacity;            /* maximum number of shipments in progress */
    size_t memory;              /* ... and their bytes, about */
    size_t mote_messages;       /* maximum number of open messages of one mote */
    int64_t late_ns;            /* a mote must wait while one of its messages is open for longer */
    int64_t backoff_first_ns, backoff_longest_ns;
} ir_outlet_options_t;

typedef enum ir_outlet_state {
    IR_OUTLET_AWAY,    /* no connection */
    IR_OUTLET_REFUSED, /* the broker refused the user before the first connection; no connection
                        * either */
    IR_OUTLET_BLOCKED, /* the broker blocks publishers: memory or disk alarm */
    IR_OUTLET_OPEN
} ir_outlet_state_t;

/* Starts the thread, which connects. IR_ERR_MEMORY. IR_ERR_USAGE: the broker's addresses name
 * several users, but each message must carry one known user. */
ir_status_t ir_outlet_start(const ir_outlet_options_t *options, ir_outlet_t **outlet,
                            ir_error_t *error);

/* Loop. Takes ownership of the shipment. Returns false, and leaves it to the caller, when
 * `capacity` shipments are in progress or the outlet is closed. The shipment may wait until
 * ir_outlet_wake, so that all shipments of one turn of the loop are sent together. */
bool ir_outlet_give(ir_outlet_t *outlet, ir_shipment_t *shipment);
void ir_outlet_wake(ir_outlet_t *outlet);

/* Loop. The descriptor is readable when there is something to take; then call ir_outlet_take until
 * it returns NULL. */
int ir_outlet_fd(const ir_outlet_t *outlet);
void ir_outlet_acknowledge(ir_outlet_t *outlet);
ir_shipment_t *ir_outlet_take(ir_outlet_t *outlet);

/* Any thread. */
ir_outlet_state_t ir_outlet_state(const ir_outlet_t *outlet);
uint64_t ir_outlet_reconnects(const ir_outlet_t *outlet);

/* Any thread. Whether messages are open and the broker has answered for none at all for longer than
 * late_ns. One mote's silence is not enough if the last answered message was of another mote. */
bool ir_outlet_stalled(const ir_outlet_t *outlet);

/* Any thread. The number of waiting motes, of their open messages, and of messages given up to make
 * room for others. */
typedef struct ir_outlet_counts {
    uint64_t motes_waiting, messages_waiting, given_up;
    uint64_t set_aside; /* connections, since the start */
} ir_outlet_counts_t;

ir_outlet_counts_t ir_outlet_counts(const ir_outlet_t *outlet);

/* Any thread. The last error since it was opened, in words, cut to `size`; empty if there was none.
 * Returns `text`. */
const char *ir_outlet_fault(ir_outlet_t *outlet, char *text, size_t size);

/* Accepts no more, settles the shipments in progress with their present state, ends the thread
 * (within the broker's time-out) and frees shipments that were not collected. NULL is allowed. */
void ir_outlet_stop(ir_outlet_t *outlet);

#endif
