/* Replay data: observations of a CSV file (plain or gzip), in the order of their times.
 *
 * The first line is "station,parameter,time_utc,value,unit,qualifier". No quoting; every row has
 * six fields, of which the last may be empty. Values are converted to SenML units and rounded to 15
 * digits. Read-only after loading, any thread. */
#ifndef IR_LOADGEN_SOURCE_REPLAY_H
#define IR_LOADGEN_SOURCE_REPLAY_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ir_replay_row {
    const char *station;   /* interned: equal texts have equal pointers */
    const char *parameter; /* interned */
    const char *unit;      /* SenML's name */
    int64_t time_ns;
    double value;
    unsigned mote; /* number of the station, from 0 by first appearance */
    unsigned line; /* line number in the file, from 1 */
} ir_replay_row_t;

typedef struct ir_replay ir_replay_t;

/* Refuses with "FILE:LINE: reason": a malformed header or row; names that SenML does not allow;
 * unknown units; times before 1978-07-05 (SenML would read them as relative), in the future or
 * finer than a microsecond; a repeated observation. */
ir_status_t ir_replay_load(const char *path, ir_replay_t **replay, ir_error_t *error);
void ir_replay_free(ir_replay_t *replay);

/* Sorted by time, then station; rows of the same time and station keep the file's order. */
const ir_replay_row_t *ir_replay_rows(const ir_replay_t *replay, size_t *count);
unsigned ir_replay_motes(const ir_replay_t *replay);

/* The distance between repetitions: whole days, longer than the span of any station's rows, so that
 * each station's times keep increasing and never repeat. */
int64_t ir_replay_step(const ir_replay_t *replay);

/* How often the data can be sent. The last repetition is the unchanged file; the others precede it,
 * back to the earliest absolute time in SenML. At least 1. */
int64_t ir_replay_repeats(const ir_replay_t *replay);

#endif
