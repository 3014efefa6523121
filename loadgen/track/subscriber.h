/* Listens to ir.processed and ir.rejected on a connection and a thread of its own and tells the
 * receipts what arrives. The queue goes with the connection: when that breaks, it is made again,
 * but what was republished meanwhile was not seen. */
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
    const char *const *formats; /* a format's place here is its number for the receipts */
    unsigned n_formats;
    bool any; /* one binding for whatever is published */
} ir_subscriber_options_t;

/* Starts the thread, which connects and tries again until it is stopped. Texts and receipts outlive
 * the subscriber. */
ir_status_t ir_subscriber_start(const ir_subscriber_options_t *options, ir_tracker_t *receipts,
                                ir_subscriber_t **subscriber, ir_error_t *error);

/* Whether it listens now; if not, `error` says why (IR_OK: it is still connecting for the first
 * time). Any thread. */
bool ir_subscriber_ready(ir_subscriber_t *subscriber, ir_error_t *error);

/* Whether it listens to ir.rejected, too: the user may lack the right. Any thread. */
bool ir_subscriber_sees_rejected(ir_subscriber_t *subscriber);

/* How often it had to begin to listen again. Any thread. */
uint64_t ir_subscriber_gaps(ir_subscriber_t *subscriber);

/* Stops, waits for the thread, frees. Takes NULL. */
void ir_subscriber_stop(ir_subscriber_t *subscriber);

#endif
