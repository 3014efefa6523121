/* The simulated basin: what each mote measures at any time, as a pure function of seed, mote,
 * quantity and time. No state, no allocation, any thread.
 *
 * Each river has 16 motes, numbered from the source to the mouth; the last one is tidal. Sixteen
 * rivers form a region with common storms: three of five periods of five days have one storm, whose
 * depth differs among the rivers. The flood reaches each mote 45 minutes after the mote upstream,
 * and is slower and longer there. Discharge rises up to about 30-fold, and the stage with it;
 * turbidity rises earlier; conductance, oxygen and pH fall. Apart from storms, values follow the
 * season and the time of day (at 75° west). Slow noise (hash_random.h) and the sensor's own
 * uncorrelated noise are added; then the value is rounded to the resolution of such sensors. */
#ifndef IR_LOADGEN_SOURCE_RIVER_H
#define IR_LOADGEN_SOURCE_RIVER_H

#include <stdbool.h>
#include <stdint.h>

#define IR_RIVER_MOTES 16 /* number of motes along one river */

enum {
    IR_RIVER_TEMPERATURE,
    IR_RIVER_DISCHARGE,
    IR_RIVER_STAGE,
    IR_RIVER_CONDUCTANCE,
    IR_RIVER_OXYGEN,
    IR_RIVER_PH,
    IR_RIVER_TURBIDITY,
    IR_RIVER_QUANTITIES
};

/* How a quantity is sent. */
typedef struct ir_river_quantity {
    const char *code; /* the sensor's name after the mote's: the USGS parameter code */
    const char *unit; /* SenML */
    unsigned decimals;
} ir_river_quantity_t;

extern const ir_river_quantity_t ir_river_quantities[IR_RIVER_QUANTITIES];

/* Where a mote stands. */
typedef enum ir_river_reach { IR_RIVER_CREEK, IR_RIVER_STREAM, IR_RIVER_TIDAL } ir_river_reach_t;
ir_river_reach_t ir_river_reach(unsigned mote);

/* The values shared by all sensors of a mote at one time. */
typedef struct ir_river_moment {
    uint64_t mote_key, time_key;
    int64_t ms;
    unsigned position; /* position along the river, from 0 */
    double season;     /* -1 … 1, highest in late July */
    double day;        /* -1 … 1, highest at 16:00 local time */
    double flood;      /* 0: none, 1: a deep storm at its peak */
    double wash;       /* likewise, but earlier and shorter: the first flush */
} ir_river_moment_t;

/* `time_ns` since the epoch, not negative. */
void ir_river_moment(uint64_t seed, unsigned mote, int64_t time_ns, ir_river_moment_t *moment);

/* The value in units of its last decimal place: 187 with one decimal is 18.7. */
int64_t ir_river_value(const ir_river_moment_t *moment, unsigned quantity);

#endif
