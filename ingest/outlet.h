/* The way to the broker: a thread with a confirming publisher of its own. Shipments go in and come
 * back settled through bounded rings; many are under way at once, and one is settled as soon as the
 * broker has answered for the last of its messages, whatever else is open (ingest/window.h). While
 * the broker is away or blocks publishers, and while their mote waits for the broker, they come
 * back at once. Nothing is sent twice: that is for the mote to decide, who is told. */
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
    size_t capacity;            /* shipments under way at once */
    size_t memory;              /* ... and their bytes, about */
    size_t mote_messages;       /* most open messages of one mote */
    int64_t late_ns;            /* a mote waits while one of its messages is open for longer */
    int64_t backoff_first_ns, backoff_longest_ns;
} ir_outlet_options_t;

typedef enum ir_outlet_state {
    IR_OUTLET_AWAY,    /* no connection */
    IR_OUTLET_REFUSED, /* the same: the broker refused the user, and there was no connection yet */
    IR_OUTLET_BLOCKED, /* the broker blocks publishers: memory or disk alarm */
    IR_OUTLET_OPEN
} ir_outlet_state_t;

/* Starts the thread, which connects. IR_ERR_MEMORY, IR_ERR_USAGE: the broker's addresses
 * name several users, and each message carries the one that sends it. */
ir_status_t ir_outlet_start(const ir_outlet_options_t *options, ir_outlet_t **outlet,
                            ir_error_t *error);

/* Loop. Takes the shipment; false when `capacity` are under way or it is closed: it stays with the
 * caller. It may lie there until ir_outlet_wake: what came in one turn of the loop then goes to the
 * broker together. */
bool ir_outlet_give(ir_outlet_t *outlet, ir_shipment_t *shipment);
void ir_outlet_wake(ir_outlet_t *outlet);

/* Loop. Readable when there is something to take; call ir_outlet_take until NULL then. */
int ir_outlet_fd(const ir_outlet_t *outlet);
void ir_outlet_acknowledge(ir_outlet_t *outlet);
ir_shipment_t *ir_outlet_take(ir_outlet_t *outlet);

/* Any thread. */
ir_outlet_state_t ir_outlet_state(const ir_outlet_t *outlet);
uint64_t ir_outlet_reconnects(const ir_outlet_t *outlet);

/* Any thread. Messages are open, and the broker has answered for none at all for longer than
 * late_ns. One mote's silence is not enough when another's message was the last one answered for.
 */
bool ir_outlet_stalled(const ir_outlet_t *outlet);

/* Any thread. Motes that wait, their open messages, and how many messages were given up so that
 * others have room. */
typedef struct ir_outlet_counts {
    uint64_t motes_waiting, messages_waiting, given_up;
    uint64_t set_aside; /* connections, since the start */
} ir_outlet_counts_t;

ir_outlet_counts_t ir_outlet_counts(const ir_outlet_t *outlet);

/* Any thread. The last fault since it was opened, in words, cut to `size`; empty: none. Returns
 * `text`. */
const char *ir_outlet_fault(ir_outlet_t *outlet, char *text, size_t size);

/* Takes no more, settles what is under way as it stands, ends the thread (within the broker's
 * time-out) and frees what was not taken. Takes NULL. */
void ir_outlet_stop(ir_outlet_t *outlet);

#endif
