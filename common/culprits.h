/* Who has most refused: the motes of which most was refused, by name, in the metrics and once in a
 * while in the log. It has room for a few; a name that is new takes the place of the one with least
 * and begins at its count (Metwally, Agrawal, El Abbadi: Efficient computation of frequent and
 * top-k elements in data streams, 2005), so that none with more than a sixteenth of all is missing,
 * and a count is too high by at most that. One thread, which also renders the metrics. */
#ifndef IR_COMMON_CULPRITS_H
#define IR_COMMON_CULPRITS_H

#include "common/metrics.h"
#include "common/view.h"

#include <stdint.h>

#define IR_CULPRITS_MOST 16
#define IR_CULPRIT_SIZE 72 /* longer names are cut */

typedef struct ir_culprit {
    char name[IR_CULPRIT_SIZE];
    uint64_t count;  /* since the start */
    uint64_t recent; /* since the last line of the log */
    ir_metric_t *metric;
} ir_culprit_t;

typedef struct ir_culprits {
    ir_culprit_t places[IR_CULPRITS_MOST];
    uint64_t recent;   /* of all */
    int64_t logged_ns; /* monotonic */
} ir_culprits_t;

/* Registers the series `name`{mote="…"}. */
void ir_culprits_open(ir_culprits_t *culprits, ir_metrics_t *metrics, const char *name,
                      const char *help);

/* So many refusals of this mote, the latest of which says why, in words. */
void ir_culprits_add(ir_culprits_t *culprits, ir_view_t mote, uint64_t count, const char *why);

#endif
