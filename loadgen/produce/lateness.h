/* Measures how late the generator sends messages. Delays caused by the target are excused: the time
 * for which it blocked due messages, and then the same time again (at least one second) to catch
 * up. One thread. */
#ifndef IR_LOADGEN_PRODUCE_LATENESS_H
#define IR_LOADGEN_PRODUCE_LATENESS_H

#include "common/histogram.h"

#include <stdint.h>

#define IR_LATENESS_MAX 256 /* maximum number of messages between two calls of ir_lateness_take */

/* Starts zeroed. Times are monotonic. */
typedef struct ir_lateness {
    int64_t held_ns;    /* since when the target blocks due messages; 0: it does not */
    int64_t excused_ns; /* until then, lateness counts as the target's fault */
    int64_t late_us[IR_LATENESS_MAX];
    unsigned count;
} ir_lateness_t;

/* A due message cannot be sent: the window is full, a connection is down, or the tracker has no
 * room. May be called again during the same hold. */
void ir_lateness_hold(ir_lateness_t *lateness, int64_t now_ns);

/* Sending works again. Does nothing without a hold. */
void ir_lateness_release(ir_lateness_t *lateness, int64_t now_ns);

/* Ends the hold because no message is due any more. No lateness is excused. */
void ir_lateness_forget(ir_lateness_t *lateness);

/* Excuses lateness: the target has caused the delay since `since_ns`. */
void ir_lateness_excuse(ir_lateness_t *lateness, int64_t since_ns, int64_t now_ns);

/* State before calls into the sender: the time, and the thread's number of voluntary context
 * switches. A thread that was only preempted did not wait for the target. */
typedef struct ir_calls {
    int64_t begin_ns;
    long waits;
} ir_calls_t;

ir_calls_t ir_lateness_watch(void);

/* The calls should have taken at most `meant_ns`. Excuses their time if they took over 5 ms longer
 * and the thread waited in them. */
void ir_lateness_judge(ir_lateness_t *lateness, const ir_calls_t *calls, int64_t meant_ns);

/* Records a message that was due at `intended_ns`. Its lateness is 0 while lateness is excused. */
void ir_lateness_add(ir_lateness_t *lateness, int64_t intended_ns, int64_t sent_ns);

/* Moves the recorded values to the histogram, in µs. */
void ir_lateness_take(ir_lateness_t *lateness, ir_histogram_t *histogram);

#endif
