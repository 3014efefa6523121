/* A source that simulates `simulate` motes along the rivers of river.h, with the faults of
 * faults.h. It takes 14 bytes of memory per mote; a message costs only the computation of its
 * values.
 *
 * A mote such as "sim-0000042" has the seven sensors of ir_river_quantities, "sim-0000042/00010"
 * and so on. It measures all of them once per interval; the motes are spread evenly over the
 * interval. A mote's observations fill its messages in order, `records` to each: 7 is one time, 1
 * is one sensor in turn, more than 7 covers several times.
 *
 * Times are data times. They advance with the message number: by `records` / 7 intervals for each
 * round of all motes. They begin at `start_ns`. If that is 0, the start is chosen: with a known or
 * likely number of messages, so that the last one is measured when the run begins (with a pace:
 * when it ends); without a number, 20 years ago, and the source ends when the data reach the
 * present; with a pace of up to 1, now, and the source never ends. Chosen starts have millisecond
 * resolution, so two runs do not share times and ids. All values depend only on seed and time, so
 * runs with the same seed continue each other. No measurement is in the future; only a skewed clock
 * may claim that, by up to two hours. */
#ifndef IR_LOADGEN_SOURCE_SIMULATION_H
#define IR_LOADGEN_SOURCE_SIMULATION_H

#include "loadgen/source/source.h"

#define IR_SIMULATION_MOTES_MAX 1000000
#define IR_SIMULATION_RECORDS_MAX 1000
#define IR_SIMULATION_MOTE_SIZE 12 /* size of a mote's name, with its NUL */

/* IR_ERR_USAGE: the interval is not whole seconds, or times would begin before SenML's first
 * absolute time or extend into the future. Otherwise like ir_source_open. */
ir_status_t ir_simulation_open(const ir_source_options_t *options, ir_source_t *source,
                               ir_error_t *error);

/* The name of a mote. */
void ir_simulation_mote(unsigned mote, char name[static IR_SIMULATION_MOTE_SIZE]);

#endif
