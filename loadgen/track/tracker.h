/* What was sent and what has become of it: raw id → times, whether the target confirmed it, and
 * whether it came back. The last `capacity` messages are remembered in a ring, so that copies of a
 * message are told from the message also after it is complete. Senders and the subscriber share it;
 * every call locks. */
#ifndef IR_LOADGEN_TRACK_TRACKER_H
#define IR_LOADGEN_TRACK_TRACKER_H

#include "common/status.h"
#include "common/view.h"
#include "loadgen/source/motes.h"
#include "loadgen/track/latency.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_RECEIPTS_FORMATS_MAX 16

typedef struct ir_tracker ir_tracker_t;

/* With `any`, a message is complete when it arrives in one format; else when it has arrived in each
 * of the `formats`. NULL when memory is out. */
ir_tracker_t *ir_tracker_new(size_t capacity, unsigned motes, unsigned formats, bool any);
void ir_tracker_free(ir_tracker_t *receipts);

/* Lets messages be expected whose raw ids follow from their arrival. The first id of a mote that
 * nobody knows is then taken for that of its oldest such message, since a mote's messages come back
 * in their order. Once, before anything is sent; the motes outlive the receipts. False when memory
 * is out. */
bool ir_tracker_match(ir_tracker_t *receipts, const ir_motes_t *motes);

typedef struct ir_expected {
    const ir_id_t *raw_id; /* not that of an earlier message; NULL: it follows from the arrival */
    unsigned mote;
    size_t n_records;
    size_t n_accepted; /* 0: it is meant to be rejected, and only that */
    int64_t intended_ns, sent_ns;
} ir_expected_t;

/* A sender, before it sends a message for the first time. False when there is no room, because the
 * oldest message remembered is not done. Messages of a mote are numbered in this order. */
bool ir_tracker_expect(ir_tracker_t *receipts, const ir_expected_t *expected, uint64_t *ticket);

/* The sender sends the message again: its order says nothing any more. If its raw id follows from
 * its arrival, it may come back twice under two ids, and the second one is taken for a later
 * message: from then on the order of such messages of its mote says nothing either. */
void ir_tracker_resent(ir_tracker_t *receipts, uint64_t ticket);

/* The subscriber has missed what came back meanwhile: the same, for all motes. */
void ir_tracker_gap(ir_tracker_t *receipts);

/* The target's final answer. */
void ir_tracker_answer(ir_tracker_t *receipts, uint64_t ticket, bool confirmed);

/* The subscriber. `marked`: the worker says that it may be a copy. */
void ir_tracker_arrive(ir_tracker_t *receipts, const ir_id_t *raw_id, ir_view_t mote,
                       unsigned format, bool marked, int64_t now_ns);
void ir_tracker_revision(ir_tracker_t *receipts);

/* The subscriber saw it in ir.rejected: it, or records of it. */
void ir_tracker_reject(ir_tracker_t *receipts, const ir_id_t *raw_id, ir_view_t mote);

/* What a message has come to. Records that were rejected do not keep a message from being
 * republished: it then counts as republished, and as partly rejected. */
typedef enum ir_fate {
    IR_FATE_UNANSWERED,  /* the target has not answered yet; at the end: lost */
    IR_FATE_REFUSED,     /* the target refused it */
    IR_FATE_REPUBLISHED, /* confirmed, complete */
    IR_FATE_REJECTED,    /* confirmed, not complete, seen in ir.rejected */
    IR_FATE_MISSING,     /* confirmed, and nothing of it is complete yet */
    IR_FATE_COUNT
} ir_fate_t;

/* "unanswered", "refused", … */
const char *ir_fate_text(ir_fate_t fate);

typedef struct ir_tracker_counts {
    uint64_t expected, complete;
    uint64_t complete_records; /* observations of complete messages that are accepted */
    uint64_t by_fate[IR_FATE_COUNT];
    uint64_t stray;           /* complete although the target has not confirmed them */
    uint64_t partly_rejected; /* complete, and seen in ir.rejected */
    uint64_t unmeant;         /* seen in ir.rejected although all of it was good */
    uint64_t waiting;         /* confirmed, and not all has come back that should … */
    uint64_t waiting_records; /* … with so many observations */
    uint64_t by_format[IR_RECEIPTS_FORMATS_MAX]; /* distinct messages */
    uint64_t marked;                             /* arrivals marked as perhaps a copy */
    uint64_t copies;                             /* arrivals of what had arrived before */
    uint64_t foreign;                            /* arrivals of what was not sent by this run */
    uint64_t matched; /* messages whose ids were taken from their order */
    uint64_t revisions;
    uint64_t order_violations; /* first arrivals, unmarked, of a mote's earlier message after a
                                  later one in the same format */
    int64_t last_complete_ns;  /* monotonic, as all times given; 0: none yet */
} ir_tracker_counts_t;

void ir_tracker_count(ir_tracker_t *receipts, ir_tracker_counts_t *counts);

/* Adds the latencies of the messages that were complete since the last call. */
void ir_tracker_take(ir_tracker_t *receipts, ir_latency_t *into);

#endif
