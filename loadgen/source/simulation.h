/* Motes that do not exist, as a source: `simulate` of them along the rivers of river.h, with the
 * faults of faults.h. 14 bytes of memory a mote; a message costs what computing its values does.
 *
 * A mote, "sim-0000042", has the seven sensors of ir_river_quantities, "sim-0000042/00010" and so
 * on, and measures all of them once in an interval, the motes spread evenly over it. Its
 * observations, in this order, fill its messages, `records` to each: with 7, a message is one
 * time's; with 1, a message is one sensor's turn; with more, it holds several times.
 *
 * Times are those of the data and advance with the message number: after each round of all motes by
 * `records` / 7 intervals. They begin at `start_ns`. When that is 0 and the number of messages is
 * known (or likely), they begin so that the last of them is measured when the run begins (at its
 * own pace: when it ends); without a number, 20 years ago, and the source ends when the data would
 * reach the present; at a pace of up to 1, now, and it never ends. Starts are to the millisecond,
 * so two runs do not share a time (and an id) unless the start is given. All values depend on seed
 * and time alone: what two runs of one seed measure fits together. Nothing is measured in the
 * future; only a skewed clock may say so, by up to two hours. */
#ifndef IR_LOADGEN_SOURCE_SIMULATION_H
#define IR_LOADGEN_SOURCE_SIMULATION_H

#include "loadgen/source/source.h"

#define IR_SIMULATION_MOTES_MAX 1000000
#define IR_SIMULATION_RECORDS_MAX 1000
#define IR_SIMULATION_MOTE_SIZE 12 /* of a mote's name, with its NUL */

/* IR_ERR_USAGE: the interval is not whole seconds, or times would begin before SenML's do or reach
 * beyond the present. As ir_source_open. */
ir_status_t ir_simulation_open(const ir_source_options_t *options, ir_source_t *source,
                               ir_error_t *error);

/* The name of a mote. */
void ir_simulation_mote(unsigned mote, char name[static IR_SIMULATION_MOTE_SIZE]);

#endif
