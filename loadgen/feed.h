/* Sends the messages of a source on the open-loop schedule, on a thread of its own: keeps what is
 * not confirmed, sends it again when the broker failed, and writes the ledger as confirms come. */
#ifndef IR_LOADGEN_FEED_H
#define IR_LOADGEN_FEED_H

#include "broker/connection.h"
#include "common/status.h"
#include "loadgen/receipts.h"
#include "loadgen/sender.h"
#include "loadgen/source.h"
#include "store/ledger.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_feed ir_feed_t;

#define IR_FEED_WINDOW_MAX 5000

typedef struct ir_feed_options {
    const ir_sender_t *sender;
    ir_broker_options_t broker;
    double rate;      /* observations/s; 0: as fast as the window allows */
    unsigned window;  /* 1 … IR_FEED_WINDOW_MAX messages sent and not confirmed */
    int64_t retry_ns; /* gives up when the broker did not work for this long */
    int64_t stall_ns; /* … or when the receipts had no room for this long */
} ir_feed_options_t;

/* Starts the thread. Everything given outlives the feed; `receipts` and `ledger` may be NULL. */
ir_status_t ir_feed_start(const ir_feed_options_t *options, const ir_source_t *source,
                          ir_receipts_t *receipts, ir_ledger_writer_t *ledger, ir_feed_t **feed,
                          ir_error_t *error);

typedef struct ir_feed_counts {
    uint64_t messages_sent, observations_sent; /* once each, however often they were sent */
    uint64_t messages_confirmed, observations_confirmed;
    uint64_t resent;
    int64_t first_send_ns, last_confirm_ns; /* monotonic; 0: none yet */
} ir_feed_counts_t;

/* Any thread. */
void ir_feed_count(const ir_feed_t *feed, ir_feed_counts_t *counts);
bool ir_feed_done(const ir_feed_t *feed);

/* Sends nothing new, waits for the confirms that are outstanding. Any thread. */
void ir_feed_stop(ir_feed_t *feed);

/* Does not wait for them either. Any thread. */
void ir_feed_abandon(ir_feed_t *feed);

/* Whether trying again will not help: wrong credentials or URI, or no AMQP server. Before the first
 * message such an answer ends a run; later it may be that of a server that is just starting. */
static inline bool ir_feed_is_final(ir_status_t status) {
    return status == IR_ERR_AUTH || status == IR_ERR_USAGE || status == IR_ERR_PROTOCOL;
}

/* Waits for the thread and frees. IR_OK also when it was stopped; else `error` says what ended it.
 * What was not confirmed stands in the ledger as such. */
ir_status_t ir_feed_join(ir_feed_t *feed, ir_error_t *error);

#endif
