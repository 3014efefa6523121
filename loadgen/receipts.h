/* What was sent and has come back: raw id → intended send time, and what of it was seen. The last
 * `capacity` messages are remembered in a ring, so that copies of a message are told from the
 * message also after it is complete. Sender and subscriber threads share it; every call locks. */
#ifndef IR_LOADGEN_RECEIPTS_H
#define IR_LOADGEN_RECEIPTS_H

#include "common/histogram.h"
#include "common/status.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_RECEIPTS_FORMATS_MAX 16
#define IR_RECEIPTS_HIGHEST_US INT64_C(86400000000) /* latencies above a day count as a day */

typedef struct ir_receipts ir_receipts_t;

/* With `any`, a message is complete when it arrives in one format; else when it has arrived in each
 * of the `formats`. NULL when memory is out. */
ir_receipts_t *ir_receipts_new(size_t capacity, unsigned motes, unsigned formats, bool any);
void ir_receipts_free(ir_receipts_t *receipts);

/* The sender, before it sends a message for the first time: false when there is no room, because
 * the oldest message remembered is not complete. Messages are numbered in this order. */
bool ir_receipts_expect(ir_receipts_t *receipts, const ir_id_t *raw_id, unsigned mote,
                        int64_t intended_ns, int64_t sent_ns);

/* The sender sends the message again: its order says nothing any more. */
void ir_receipts_resent(ir_receipts_t *receipts, const ir_id_t *raw_id);

/* The subscriber. `marked`: the worker says that it may be a copy. */
void ir_receipts_arrive(ir_receipts_t *receipts, const ir_id_t *raw_id, unsigned format,
                        bool marked, int64_t now_ns);
void ir_receipts_revision(ir_receipts_t *receipts);

typedef struct ir_receipts_counts {
    uint64_t expected, complete;
    uint64_t by_format[IR_RECEIPTS_FORMATS_MAX]; /* distinct messages */
    uint64_t marked;                             /* arrivals marked as perhaps a copy */
    uint64_t copies;                             /* arrivals of what had arrived before */
    uint64_t foreign;                            /* arrivals of what was not sent by this run */
    uint64_t revisions;
    uint64_t order_violations; /* first arrivals, unmarked, of a mote's earlier message after a
                                  later one in the same format */
    int64_t last_complete_ns;  /* monotonic, as all times given; 0: none yet */
} ir_receipts_counts_t;

void ir_receipts_count(ir_receipts_t *receipts, ir_receipts_counts_t *counts);

/* Latencies of complete messages in µs, from the actual and from the intended send. Not while the
 * other threads run. */
const ir_histogram_t *ir_receipts_raw(const ir_receipts_t *receipts);
const ir_histogram_t *ir_receipts_corrected(const ir_receipts_t *receipts);

#endif
