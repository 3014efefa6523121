/* Records which series a reprocessing touched, and in which time range. One thread. */
#ifndef IR_STORE_COMMAND_TOUCHED_H
#define IR_STORE_COMMAND_TOUCHED_H

#include "observation/batch.h"

typedef struct ir_touched_series {
    const ir_sensor_t *sensor; /* from the registry */
    int64_t from_ns, to_ns;    /* both included */
} ir_touched_series_t;

/* All zero: empty. */
typedef struct ir_touched {
    ir_touched_series_t *series;
    size_t count, capacity;
} ir_touched_t;

/* Adds an observation. Sensors that are not in the registry have no limits and are skipped. Returns
 * false when memory is exhausted. */
bool ir_touched_add(ir_touched_t *touched, const ir_observation_t *observation);

/* Sorts by sensor name, each series once. */
void ir_touched_sort(ir_touched_t *touched);

void ir_touched_free(ir_touched_t *touched);

#endif
