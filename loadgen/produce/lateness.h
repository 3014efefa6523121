/* By how much messages went out after they were due, through the generator's own fault. What the
 * target causes is excused: the time in which it held up what was due, and after it as long again,
 * at least a second, for catching up. One thread's. */
#ifndef IR_LOADGEN_PRODUCE_LATENESS_H
#define IR_LOADGEN_PRODUCE_LATENESS_H

#include "common/histogram.h"

#include <stdint.h>

#define IR_LATENESS_MAX 256 /* messages from one ir_lateness_take to the next */

/* All zero at first. Times are monotonic. */
typedef struct ir_lateness {
    int64_t held_ns;    /* since when the target holds up what is due; 0: it does not */
    int64_t excused_ns; /* until then lateness is the target's fault */
    int64_t late_us[IR_LATENESS_MAX];
    unsigned count;
} ir_lateness_t;

/* What is due cannot go: the window is full, a connection is down, the receipts have no room. It
 * may have been so before. */
void ir_lateness_hold(ir_lateness_t *lateness, int64_t now_ns);

/* Something goes out again; without a hold before, nothing. */
void ir_lateness_release(ir_lateness_t *lateness, int64_t now_ns);

/* Nothing is due any more: the hold ends without an excuse. */
void ir_lateness_forget(ir_lateness_t *lateness);

/* The target took the time since then. */
void ir_lateness_excuse(ir_lateness_t *lateness, int64_t since_ns, int64_t now_ns);

/* Around calls into the target: when they began, and how often the thread had then given up its
 * processor to wait. One that is only pushed off it does not wait for the target. */
typedef struct ir_calls {
    int64_t begin_ns;
    long waits;
} ir_calls_t;

ir_calls_t ir_lateness_watch(void);

/* The calls since then were to take at most `meant_ns`: excuses what they took when that was more,
 * by over 5 ms, and the thread has waited in them. */
void ir_lateness_judge(ir_lateness_t *lateness, const ir_calls_t *calls, int64_t meant_ns);

/* A message that was due at `intended_ns` went out: late by nothing as long as that is excused. */
void ir_lateness_add(ir_lateness_t *lateness, int64_t intended_ns, int64_t sent_ns);

/* Moves what was added to the histogram, in µs. */
void ir_lateness_take(ir_lateness_t *lateness, ir_histogram_t *histogram);

#endif
