/* Which series a reprocessing has come across, and which time of them. One thread. */
#ifndef IR_STORE_TOUCHED_H
#define IR_STORE_TOUCHED_H

#include "observation/batch.h"

typedef struct ir_touched_series {
    const ir_sensor_t *sensor; /* of the registry */
    int64_t from_ns, to_ns;    /* both included */
} ir_touched_series_t;

/* All zero: none. */
typedef struct ir_touched {
    ir_touched_series_t *series;
    size_t count, capacity;
} ir_touched_t;

/* Sensors that are not of the registry have no limits, and are passed over. False when memory is
 * out. */
bool ir_touched_add(ir_touched_t *touched, const ir_observation_t *observation);

/* By sensor name, each series once. */
void ir_touched_sort(ir_touched_t *touched);

void ir_touched_free(ir_touched_t *touched);

#endif
