#include "loadgen/source/river.h"

#include "loadgen/source/hash_random.h"

#include <math.h>

#define PI 3.14159265358979323846
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define YEAR_DAYS 365.2425
#define TIDE_MS 44714164.0 /* the moon's: 12.4206 h */
#define REGION_RIVERS 16

/* Storms. */
#define STRETCH_MS (5 * DAY_MS)
#define STRETCHES 3 /* number of stretches after which a flood has passed */
#define STORM_SHARE 0.6
#define TRAVEL_MS (45 * 60 * 1000.0) /* time that a flood takes from one mote to the next */
#define RISE_MS (2.0 * HOUR_MS)      /* time until the peak, at the source */
#define SLOWER_MS (0.5 * HOUR_MS)    /* additional time until the peak for each mote downstream */
#define WASH_RISE 0.6                /* its rise time, relative to that of the flood */
#define DEBRIS_SHARE 0.02            /* share of the measurements at the peak */
#define RUN_OFF 18                   /* a flood has ended after this many times its rise time */

/* Key spaces under the seed. */
enum { KEY_MOTE, KEY_REGION };
/* Numbers from which keys are derived for a mote: first the slow noise of each quantity, then
 * these. */
enum { KEY_TRAITS = IR_RIVER_QUANTITIES, KEY_TIME };
/* Numbers from which keys are derived for a time: first the jitter of each quantity, then this
 * one. */
enum { KEY_DEBRIS = IR_RIVER_QUANTITIES };

const ir_river_quantity_t ir_river_quantities[IR_RIVER_QUANTITIES] = {
    [IR_RIVER_TEMPERATURE] = {"00010", "Cel", 1}, [IR_RIVER_DISCHARGE] = {"00060", "m3/s", 3},
    [IR_RIVER_STAGE] = {"00065", "m", 3},         [IR_RIVER_CONDUCTANCE] = {"00095", "S/m", 4},
    [IR_RIVER_OXYGEN] = {"00300", "mg/l", 1},     [IR_RIVER_PH] = {"00400", "pH", 1},
    [IR_RIVER_TURBIDITY] = {"63680", "FNU", 1},
};

/* Mean discharge along a river in m³/s: 0.4 at the source; at each further mote, 1.45 times that of
 * the mote upstream. */
static const double flows[IR_RIVER_MOTES] = {0.4,  0.58, 0.84, 1.22, 1.77, 2.56, 3.72, 5.39,
                                             7.82, 11.3, 16.4, 23.8, 34.5, 50.1, 72.6, 105};

ir_river_reach_t ir_river_reach(unsigned mote) {
    const unsigned position = mote % IR_RIVER_MOTES;
    return position == IR_RIVER_MOTES - 1   ? IR_RIVER_TIDAL
           : position >= IR_RIVER_MOTES / 2 ? IR_RIVER_STREAM
                                            : IR_RIVER_CREEK;
}

/* ---- storms ---- */

/* The runoff after an instantaneous rainfall: it rises to 1 at time 1, then falls slowly. */
static double run_off(double time) {
    return time > 0 && time < RUN_OFF ? time * exp(1 - time) : 0;
}

/* The effect of one of the region's storms on this river. */
static void add_storm(ir_river_moment_t *moment, uint64_t storm, uint64_t river, int64_t begin_ms) {
    const uint64_t here = ir_hash_random_key(storm, river);
    const double depth = ir_hash_random_part(storm, 1) * ir_hash_random_part(storm, 1) *
                         (0.4 + 0.6 * ir_hash_random_part(here, 0));
    const double start_ms = ir_hash_random_part(storm, 2) * (double)STRETCH_MS +
                            ir_hash_random_part(here, 1) * 3 * (double)HOUR_MS +
                            moment->position * TRAVEL_MS;
    const double after_ms = (double)(moment->ms - begin_ms) - start_ms;
    const double rise_ms = RISE_MS + moment->position * SLOWER_MS;
    moment->flood += depth * run_off(after_ms / rise_ms);
    moment->wash += depth * run_off(after_ms / (rise_ms * WASH_RISE));
}

static void add_storms(ir_river_moment_t *moment, uint64_t seed, unsigned river) {
    const uint64_t region =
        ir_hash_random_key(ir_hash_random_key(seed, KEY_REGION), river / REGION_RIVERS);
    const int64_t last = moment->ms / STRETCH_MS;
    for (int64_t stretch = last; stretch > last - STRETCHES && stretch >= 0; stretch--) {
        const uint64_t storm = ir_hash_random_key(region, (uint64_t)stretch);
        if (ir_hash_random_part(storm, 0) < STORM_SHARE) {
            add_storm(moment, storm, river, stretch * STRETCH_MS);
        }
    }
}

void ir_river_moment(uint64_t seed, unsigned mote, int64_t time_ns, ir_river_moment_t *moment) {
    const int64_t ms = time_ns / 1000000;
    const double days = (double)ms / (double)DAY_MS;
    *moment = (ir_river_moment_t){
        .mote_key = ir_hash_random_key(ir_hash_random_key(seed, KEY_MOTE), mote),
        .ms = ms,
        .position = mote % IR_RIVER_MOTES,
        .season = cos(2 * PI * (days - 204) / YEAR_DAYS),
        .day = cos(2 * PI * (days - 21.0 / 24)),
    };
    moment->time_key =
        ir_hash_random_key(ir_hash_random_key(moment->mote_key, KEY_TIME), (uint64_t)ms);
    add_storms(moment, seed, mote / IR_RIVER_MOTES);
}

/* ---- quantities ---- */

static double slow(const ir_river_moment_t *moment, unsigned quantity) {
    return ir_noise_series(ir_hash_random_key(moment->mote_key, quantity), moment->ms);
}

/* The sensor's own noise. */
static double jitter(const ir_river_moment_t *moment, unsigned quantity) {
    return ir_hash_random_normal(ir_hash_random_key(moment->time_key, quantity));
}

/* Returns 0 … 1: how much this mote differs from its neighbours at random. */
static double trait(const ir_river_moment_t *moment, unsigned part) {
    return ir_hash_random_part(ir_hash_random_key(moment->mote_key, KEY_TRAITS), part);
}

static double tide(const ir_river_moment_t *moment, double phase) {
    return moment->position == IR_RIVER_MOTES - 1
               ? sin(2 * PI * (double)moment->ms / TIDE_MS + phase)
               : 0;
}

static double temperature(const ir_river_moment_t *moment) {
    const double still = 16 + 8 * moment->season + (0.4 + 0.8 * trait(moment, 0)) * moment->day +
                         slow(moment, IR_RIVER_TEMPERATURE);
    return fmax(still - 1.5 * fmin(moment->flood, 1), 0) +
           0.03 * jitter(moment, IR_RIVER_TEMPERATURE);
}

/* Returns the discharge relative to its mean, without the effect of the tide. */
static double swelling(const ir_river_moment_t *moment) {
    return exp(0.15 * slow(moment, IR_RIVER_DISCHARGE)) * (1 + 28 * moment->flood);
}

static double discharge(const ir_river_moment_t *moment) {
    return flows[moment->position] *
           (swelling(moment) * (1 + 0.004 * jitter(moment, IR_RIVER_DISCHARGE)) +
            1.8 * tide(moment, 0));
}

static double stage(const ir_river_moment_t *moment) {
    return 0.3 + (0.4 + 0.6 * trait(moment, 1)) * pow(swelling(moment), 0.45) +
           0.9 * tide(moment, 1.2) + 0.0015 * jitter(moment, IR_RIVER_STAGE);
}

static double conductance(const ir_river_moment_t *moment) {
    const double still = 90 + 300 * trait(moment, 2) + 60 * (2 + tide(moment, 0.6));
    return 1e-4 *
           (still * (1 + 0.04 * slow(moment, IR_RIVER_CONDUCTANCE)) / (1 + 1.5 * moment->flood) +
            0.6 * jitter(moment, IR_RIVER_CONDUCTANCE));
}

/* Warm water holds less oxygen; plants add oxygen by day. */
static double oxygen(const ir_river_moment_t *moment) {
    const double degrees = temperature(moment);
    const double full = 14.62 - degrees * (0.3898 - degrees * (0.006969 - degrees * 5.897e-5));
    return full * (0.9 + 0.05 * moment->day + 0.03 * slow(moment, IR_RIVER_OXYGEN) -
                   0.08 * fmin(moment->wash, 1)) +
           0.03 * jitter(moment, IR_RIVER_OXYGEN);
}

static double ph(const ir_river_moment_t *moment) {
    return 7.1 + 0.6 * trait(moment, 3) + 0.12 * moment->day + 0.08 * slow(moment, IR_RIVER_PH) -
           0.4 * fmin(moment->flood, 1) + 0.02 * jitter(moment, IR_RIVER_PH);
}

/* During a flood, debris sometimes passes close to the sensor. */
static double debris(const ir_river_moment_t *moment) {
    const uint64_t key = ir_hash_random_key(moment->time_key, KEY_DEBRIS);
    return ir_hash_random_share(key) < DEBRIS_SHARE * moment->wash
               ? 2 + 6 * ir_hash_random_part(key, 0)
               : 1;
}

static double turbidity(const ir_river_moment_t *moment) {
    return debris(moment) * (4 + 8 * trait(moment, 0)) *
           exp(0.25 * slow(moment, IR_RIVER_TURBIDITY)) * (1 + 60 * moment->wash) *
           (1 + 0.03 * jitter(moment, IR_RIVER_TURBIDITY));
}

static double (*const models[IR_RIVER_QUANTITIES])(const ir_river_moment_t *moment) = {
    [IR_RIVER_TEMPERATURE] = temperature,
    [IR_RIVER_DISCHARGE] = discharge,
    [IR_RIVER_STAGE] = stage,
    [IR_RIVER_CONDUCTANCE] = conductance,
    [IR_RIVER_OXYGEN] = oxygen,
    [IR_RIVER_PH] = ph,
    [IR_RIVER_TURBIDITY] = turbidity,
};

int64_t ir_river_value(const ir_river_moment_t *moment, unsigned quantity) {
    static const double scales[] = {1, 10, 100, 1000, 10000};
    return llround(models[quantity](moment) * scales[ir_river_quantities[quantity].decimals]);
}
