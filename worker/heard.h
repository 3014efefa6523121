/* When each mote was heard last: the series ir_mote_last_arrival_seconds{mote}, so that silent
 * motes can be found. At most IR_HEARD_MOST motes have a series: after that, further motes are not
 * shown. Loop thread only. */
#ifndef IR_WORKER_HEARD_H
#define IR_WORKER_HEARD_H

#include "common/metrics.h"
#include "common/view.h"

#include <stdint.h>

#define IR_HEARD_MOST 10000

typedef struct ir_heard ir_heard_t;

/* The series are added to `metrics`, which must outlive it. NULL when memory is exhausted. */
ir_heard_t *ir_heard_new(ir_metrics_t *metrics);
void ir_heard_free(ir_heard_t *heard);

/* The mote sent observations that arrived at this time, which may be before the latest. Does
 * nothing when memory is exhausted. */
void ir_heard_note(ir_heard_t *heard, ir_view_t mote, int64_t arrival_ns);

#endif
