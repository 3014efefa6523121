/* The simulated basin: what each mote measures at any time, as a pure function of seed, mote,
 * quantity and time. No state, no allocation, any thread.
 *
 * Motes stand along rivers, 16 on each, from the source to the mouth in the order of their numbers;
 * the last of the 16 stands in the tide. Sixteen rivers are a region, over which storms pass: on
 * three of five stretches of five days one, of a depth that differs among its rivers. The flood
 * reaches each mote 45 minutes after the one above it and is slower and longer there: discharge
 * rises up to about 30-fold, the stage with it, turbidity before them, conductance, oxygen and pH
 * fall. Otherwise there is what the season and the hour of the day (at 75° west) do, with slow
 * noise (noise.h), and the sensor's own noise, which is not autocorrelated; then the value is
 * rounded to what such sensors report. */
#ifndef IR_LOADGEN_SOURCE_RIVER_H
#define IR_LOADGEN_SOURCE_RIVER_H

#include <stdbool.h>
#include <stdint.h>

#define IR_RIVER_MOTES 16 /* of one river */

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
    const char *code; /* the sensor's name behind the mote's: the USGS parameter */
    const char *unit; /* SenML */
    unsigned decimals;
} ir_river_quantity_t;

extern const ir_river_quantity_t ir_river_quantities[IR_RIVER_QUANTITIES];

/* Where a mote stands. */
typedef enum ir_river_reach { IR_RIVER_CREEK, IR_RIVER_STREAM, IR_RIVER_TIDAL } ir_river_reach_t;
ir_river_reach_t ir_river_reach(unsigned mote);

/* What is the same for all sensors of a mote at one time. */
typedef struct ir_river_moment {
    uint64_t mote_key, time_key;
    int64_t ms;
    unsigned position; /* in the river, from 0 */
    double season;     /* -1 … 1, highest in late July */
    double day;        /* -1 … 1, highest at 16:00 local time */
    double flood;      /* 0: none, 1: a deep storm at its peak */
    double wash;       /* likewise, earlier and shorter: what the first water carries */
} ir_river_moment_t;

/* `time_ns` since the epoch, not negative. */
void ir_river_look(uint64_t seed, unsigned mote, int64_t time_ns, ir_river_moment_t *moment);

/* The value in units of its last decimal place: 187 with one decimal is 18.7. */
int64_t ir_river_value(const ir_river_moment_t *moment, unsigned quantity);

#endif
