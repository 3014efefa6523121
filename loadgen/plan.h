/* Which stretches of load a run has, one after the other. One thread. */
#ifndef IR_LOADGEN_PLAN_H
#define IR_LOADGEN_PLAN_H

#include "common/status.h"
#include "loadgen/measure/search.h"
#include "loadgen/produce/schedule.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_plan_kind {
    IR_PLAN_WHOLE, /* one stretch: for a time, or until the source ends */
    IR_PLAN_STEPS, /* rates from low to high */
    IR_PLAN_SEARCH /* until the highest rate that is kept is found */
} ir_plan_kind_t;

typedef struct ir_plan_options {
    ir_pattern_t pattern;
    int64_t duration_ns; /* of the whole; 0: until the source ends */
    const char *steps;   /* "FROM:TO:STEP:SECONDS", or NULL */
    bool search;
    int64_t warm_up_ns, trial_ns; /* of each trial of the search */
    double p99_bound_ms;
} ir_plan_options_t;

typedef struct ir_step {
    ir_pattern_t pattern;
    int64_t warm_up_ns; /* of `length_ns`, at its beginning: not measured */
    int64_t length_ns;  /* 0: until the source ends */
    bool drains;        /* all must be done before the next begins */
} ir_step_t;

typedef struct ir_plan {
    ir_plan_options_t options;
    ir_plan_kind_t kind;
    double from, to, step;
    int64_t step_ns;
    unsigned given;
    ir_search_t search;
} ir_plan_t;

/* Texts outlive the plan. IR_ERR_USAGE when the options do not fit together. */
ir_status_t ir_plan_init(ir_plan_t *plan, const ir_plan_options_t *options, ir_error_t *error);

/* The next stretch; false: there is none. */
bool ir_plan_next(ir_plan_t *plan, ir_step_t *step);

/* What came of the stretch at hand. */
ir_verdict_t ir_plan_tell(ir_plan_t *plan, const ir_trial_t *trial);

/* How long it takes in all; 0: nobody knows. */
int64_t ir_plan_length(const ir_plan_t *plan);

/* How many observations are asked for in all; 0: nobody knows. */
double ir_plan_observations(const ir_plan_t *plan);

#endif
