/* The sequence of load phases in a run. One thread. */
#ifndef IR_LOADGEN_PLAN_H
#define IR_LOADGEN_PLAN_H

#include "common/status.h"
#include "loadgen/measure/search.h"
#include "loadgen/produce/schedule.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_plan_kind {
    IR_PLAN_WHOLE, /* one phase for the whole duration, or until the source ends */
    IR_PLAN_STEPS, /* rates from low to high */
    IR_PLAN_SEARCH /* trials until the highest sustained rate is found */
} ir_plan_kind_t;

typedef struct ir_plan_options {
    ir_pattern_t pattern;
    int64_t duration_ns; /* total duration; 0: until the source ends */
    const char *steps;   /* "FROM:TO:STEP:SECONDS", or NULL */
    bool search;
    int64_t warm_up_ns, trial_ns; /* lengths, for each trial of the search */
    double p99_bound_ms;
} ir_plan_options_t;

typedef struct ir_step {
    ir_pattern_t pattern;
    int64_t warm_up_ns; /* the first part of `length_ns`, which is not measured */
    int64_t length_ns;  /* 0: until the source ends */
    bool drains;        /* the next phase waits until all messages of this one are done */
} ir_step_t;

typedef struct ir_plan {
    ir_plan_options_t options;
    ir_plan_kind_t kind;
    double from, to, step;
    int64_t step_ns;
    unsigned given;
    ir_search_t search;
} ir_plan_t;

/* Texts must outlive the plan. IR_ERR_USAGE when the options contradict each other. */
ir_status_t ir_plan_init(ir_plan_t *plan, const ir_plan_options_t *options, ir_error_t *error);

/* The next phase. False when the plan is finished. */
bool ir_plan_next(ir_plan_t *plan, ir_step_t *step);

/* Receives the outcome of the current phase. */
ir_verdict_t ir_plan_report(ir_plan_t *plan, const ir_trial_t *trial);

/* Total duration; 0: unknown. */
int64_t ir_plan_length(const ir_plan_t *plan);

/* Total number of observations requested; 0: unknown. */
double ir_plan_observations(const ir_plan_t *plan);

#endif
