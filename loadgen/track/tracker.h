/* Tracks sent messages by raw id: when they were sent, whether the target confirmed them, and
 * whether they came back. A ring holds the last `capacity` messages, so copies are recognized even
 * after a message is complete. Producers and the subscriber share it; every call locks. */
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

#define IR_TRACKER_FORMATS_MAX 16

typedef struct ir_tracker ir_tracker_t;

/* With `any`, a message is complete when it arrives in one format; otherwise, when it has arrived
 * in each of the `formats`. NULL when out of memory. */
ir_tracker_t *ir_tracker_new(size_t capacity, unsigned motes, unsigned formats, bool any);
void ir_tracker_free(ir_tracker_t *tracker);

/* Enables messages whose raw ids depend on their arrival time. An unknown id of a mote is assigned
 * to the mote's oldest such message, because a mote's messages come back in order. Call once,
 * before anything is sent; the motes must outlive the tracker. False when out of memory. */
bool ir_tracker_match(ir_tracker_t *tracker, const ir_motes_t *motes);

typedef struct ir_expected {
    const ir_id_t *raw_id; /* unique in the run; NULL: it depends on the arrival time */
    unsigned mote;
    size_t n_records;
    size_t n_accepted; /* 0: the message must be rejected completely */
    int64_t intended_ns, sent_ns;
} ir_expected_t;

/* A producer calls this before it first sends a message. False when there is no room, because the
 * oldest message in the ring is not done. The order of calls is the expected order of a mote's
 * messages. */
bool ir_tracker_expect(ir_tracker_t *tracker, const ir_expected_t *expected, uint64_t *ticket);

/* A producer sends the message again: its order is no longer checked. If its raw id follows from
 * its arrival, it may come back twice under two ids, and the second one is mistaken for a later
 * message: from then on the order of such messages of its mote is not checked either. */
void ir_tracker_resent(ir_tracker_t *tracker, uint64_t ticket);

/* The subscriber has missed messages: from now on the order is not checked for any mote. */
void ir_tracker_gap(ir_tracker_t *tracker);

/* The target's final answer. */
void ir_tracker_answer(ir_tracker_t *tracker, uint64_t ticket, bool confirmed);

/* The subscriber received a message. `marked`: the worker marked it as a possible copy. */
void ir_tracker_arrive(ir_tracker_t *tracker, const ir_id_t *raw_id, ir_view_t mote,
                       unsigned format, bool marked, int64_t now_ns);
void ir_tracker_revision(ir_tracker_t *tracker);

/* The subscriber saw the message, or some of its records, in ir.rejected. */
void ir_tracker_reject(ir_tracker_t *tracker, const ir_id_t *raw_id, ir_view_t mote);

/* The outcome of a message. A message can be republished although some of its records were
 * rejected: then it counts as republished, and as partly rejected. */
typedef enum ir_fate {
    IR_FATE_UNANSWERED,  /* no answer from the target yet; at the end: lost */
    IR_FATE_REFUSED,     /* the target refused it */
    IR_FATE_REPUBLISHED, /* confirmed, complete */
    IR_FATE_REJECTED,    /* confirmed, not complete, seen in ir.rejected */
    IR_FATE_MISSING,     /* confirmed, neither complete nor seen in ir.rejected */
    IR_FATE_COUNT
} ir_fate_t;

/* "unanswered", "refused", … */
const char *ir_fate_text(ir_fate_t fate);

typedef struct ir_tracker_counts {
    uint64_t expected, complete;
    uint64_t complete_records; /* accepted observations of complete messages */
    uint64_t by_fate[IR_FATE_COUNT];
    uint64_t stray;           /* messages that came back but were not confirmed by the target */
    uint64_t partly_rejected; /* messages that came back and were also in ir.rejected */
    uint64_t unmeant;         /* messages that were rejected although every record was good */
    uint64_t waiting;         /* confirmed, but not yet completely back … */
    uint64_t waiting_records; /* … and their observations */
    uint64_t by_format[IR_TRACKER_FORMATS_MAX]; /* distinct messages */
    uint64_t marked;                            /* arrivals marked as possible copies */
    uint64_t copies;                            /* repeated arrivals */
    uint64_t foreign;                           /* arrivals that this run did not send */
    uint64_t matched;                           /* messages whose ids were assigned by order */
    uint64_t revisions;
    uint64_t order_violations; /* messages whose first, unmarked arrival came after a later message
                                * of the same mote, in the same format */
    int64_t last_complete_ns;  /* monotonic, like all times here; 0: none yet */
} ir_tracker_counts_t;

void ir_tracker_count(ir_tracker_t *tracker, ir_tracker_counts_t *counts);

/* Adds the latencies of the messages completed since the last call. */
void ir_tracker_take(ir_tracker_t *tracker, ir_latency_t *into);

#endif
