/* series.csv: one row for each interval of a run. Counts are those of the interval; times are of
 * what was answered in it, in ms, from the intended time. One thread. */
#ifndef IR_LOADGEN_MEASURE_TIMELINE_H
#define IR_LOADGEN_MEASURE_TIMELINE_H

#include "common/status.h"
#include "loadgen/measure/measurement.h"

#include <stdint.h>

typedef struct ir_timeline ir_timeline_t;

/* Overwrites `path`, and writes the header. */
ir_status_t ir_timeline_create(const char *path, ir_timeline_t **series, ir_error_t *error);

/* `start_ns`: when the run began. `asked`: the rate at its end. */
void ir_timeline_write(ir_timeline_t *series, const ir_measurement_t *stretch, int64_t start_ns,
                       double asked);

/* Reports what a full disk did. Takes NULL. */
ir_status_t ir_timeline_close(ir_timeline_t *series, ir_error_t *error);

#endif
