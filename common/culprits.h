/* The motes with the most refusals, or the most of anything else, by name, for the metrics and an
 * occasional line in the log.
 * There is room for only a few. A new name replaces the one with the lowest count and starts with
 * that count (Metwally, Agrawal, El Abbadi: Efficient computation of frequent and top-k elements in
 * data streams, 2005). So every mote with more than a sixteenth of the total is in the table, and a
 * count is too high by at most a sixteenth of the total. One thread, which also renders the
 * metrics. */
#ifndef IR_COMMON_CULPRITS_H
#define IR_COMMON_CULPRITS_H

#include "common/metrics.h"
#include "common/view.h"

#include <stdint.h>

#define IR_CULPRITS_MOST 16
#define IR_CULPRIT_SIZE 72 /* longer names are cut */

typedef struct ir_culprit {
    char name[IR_CULPRIT_SIZE];
    uint64_t count;  /* number since the start */
    uint64_t recent; /* number since the last log line */
    ir_metric_t *metric;
} ir_culprit_t;

typedef struct ir_culprits {
    ir_culprit_t places[IR_CULPRITS_MOST];
    uint64_t recent;   /* sum for all motes since the last log line */
    int64_t logged_ns; /* monotonic */
} ir_culprits_t;

/* Registers the series `name`{mote="…"}. */
void ir_culprits_open(ir_culprits_t *culprits, ir_metrics_t *metrics, const char *name,
                      const char *help);

/* Counts; logs nothing. */
void ir_culprits_count(ir_culprits_t *culprits, ir_view_t mote, uint64_t count);

/* Counts refusals of this mote; `why` describes the latest one, for the log. */
void ir_culprits_add(ir_culprits_t *culprits, ir_view_t mote, uint64_t count, const char *why);

#endif
