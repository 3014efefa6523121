/* A past point of a series, with the flags that it has. */
#ifndef IR_ANNOTATION_QUALITY_POINT_H
#define IR_ANNOTATION_QUALITY_POINT_H

#include "observation/batch.h"

#include <stdint.h>

/* A point as the document store returns it to quality control. */
typedef struct ir_point {
    ir_id_t id;
    ir_id_t raw_id;
    int64_t time_ns;
    double value; /* in the sensor's unit */
    double source_value;
    char source_unit[32];
    uint8_t flags[IR_TEST_COUNT];
    uint8_t aggregate;
    int record;
} ir_point_t;

#endif
