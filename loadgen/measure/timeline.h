/* series.csv: one row for each interval of a run. Counts cover the interval. Times are in ms from
 * the intended time, for the messages answered in the interval. One thread. */
#ifndef IR_LOADGEN_MEASURE_TIMELINE_H
#define IR_LOADGEN_MEASURE_TIMELINE_H

#include "common/status.h"
#include "loadgen/measure/measurement.h"

#include <stdint.h>

typedef struct ir_timeline ir_timeline_t;

/* Overwrites `path` and writes the header. */
ir_status_t ir_timeline_create(const char *path, ir_timeline_t **timeline, ir_error_t *error);

/* `start_ns`: when the run began. `asked`: the requested rate at the end of the interval. */
void ir_timeline_write(ir_timeline_t *timeline, const ir_measurement_t *measurement,
                       int64_t start_ns, double asked);

/* Reports write errors, such as a full disk. Takes NULL. */
ir_status_t ir_timeline_close(ir_timeline_t *timeline, ir_error_t *error);

#endif
