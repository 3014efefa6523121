/* Subscribes to ir.processed and ir.rejected on its own connection and thread, and reports arrivals
 * to the tracker. The queue ends with the connection. After a failure a new queue is created, but
 * messages republished in the meantime are missed. */
#ifndef IR_LOADGEN_TRACK_SUBSCRIBER_H
#define IR_LOADGEN_TRACK_SUBSCRIBER_H

#include "broker/connection.h"
#include "common/status.h"
#include "loadgen/track/tracker.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ir_subscriber ir_subscriber_t;

typedef struct ir_subscriber_options {
    ir_broker_options_t broker;
    const char *const *formats; /* the index of a format is its number for the tracker */
    unsigned n_formats;
    bool any; /* one binding for all formats */
} ir_subscriber_options_t;

/* Starts the thread, which connects, and reconnects until it is stopped. The texts and the tracker
 * must outlive the subscriber. */
ir_status_t ir_subscriber_start(const ir_subscriber_options_t *options, ir_tracker_t *tracker,
                                ir_subscriber_t **subscriber, ir_error_t *error);

/* Whether it is subscribed now; if not, `error` has the cause (IR_OK: still connecting for the
 * first time). Any thread. */
bool ir_subscriber_ready(ir_subscriber_t *subscriber, ir_error_t *error);

/* Whether it also receives ir.rejected; the user may lack permission. Any thread. */
bool ir_subscriber_sees_rejected(ir_subscriber_t *subscriber);

/* How often it had to subscribe again. Any thread. */
uint64_t ir_subscriber_gaps(ir_subscriber_t *subscriber);

/* Stops the thread, waits for it and frees everything. Takes NULL. */
void ir_subscriber_stop(ir_subscriber_t *subscriber);

#endif
