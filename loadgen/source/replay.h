/* Replay data: observations of a CSV file (plain or gzip), in the order of their times.
 *
 * The first line is "station,parameter,time_utc,value,unit,qualifier". No quotes; every row has six
 * fields, the last may be empty. Values leave in the unit in which SenML carries them, rounded to
 * 15 digits. Read-only after loading, any thread. */
#ifndef IR_LOADGEN_SOURCE_REPLAY_H
#define IR_LOADGEN_SOURCE_REPLAY_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ir_replay_row {
    const char *station;   /* interned: the same text is the same pointer */
    const char *parameter; /* interned */
    const char *unit;      /* SenML's name */
    int64_t time_ns;
    double value;
    unsigned mote; /* number of the station, from 0 in the order of first rows */
    unsigned line; /* of the file, from 1 */
} ir_replay_row_t;

typedef struct ir_replay ir_replay_t;

/* Refuses with "FILE:LINE: what is wrong": a header or row that is none, names that SenML does not
 * allow, units that are not known, a time before 1978-07-05 (SenML would take it as relative), in
 * the future or finer than a microsecond, the same observation twice. */
ir_status_t ir_replay_load(const char *path, ir_replay_t **replay, ir_error_t *error);
void ir_replay_free(ir_replay_t *replay);

/* By time, then station; rows of one time and station in the file's order. */
const ir_replay_row_t *ir_replay_rows(const ir_replay_t *replay, size_t *count);
unsigned ir_replay_motes(const ir_replay_t *replay);

/* How far one repetition is from the next: whole days, more than any one station's rows span, so
 * that no time of a station comes twice and its times go on growing. */
int64_t ir_replay_step(const ir_replay_t *replay);

/* How often the data can be repeated. The last repetition is the file as it is, the others lie
 * before it, back to the earliest time that SenML can carry. At least 1. */
int64_t ir_replay_repeats(const ir_replay_t *replay);

#endif
