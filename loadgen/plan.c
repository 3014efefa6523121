#include "loadgen/plan.h"

#include "common/clock.h"

#include <math.h>
#include <stdio.h>

#define STEPS_MAX 10000
#define SLACK 1e-9 /* tolerance, so that rounding does not lose the last step */

static ir_status_t wrong_steps(ir_error_t *error, const char *what) {
    return ir_error_set(error, IR_ERR_USAGE, "rate-steps: must be FROM:TO:STEP:SECONDS, %s", what);
}

static ir_status_t parse_steps(ir_plan_t *plan, const char *text, ir_error_t *error) {
    double seconds = 0;
    int end = 0;
    if (sscanf(text, "%lf:%lf:%lf:%lf%n", &plan->from, &plan->to, &plan->step, &seconds, &end) !=
            4 ||
        text[end] != '\0') {
        return wrong_steps(error, "for example 1000:5000:1000:10");
    }
    if (!(plan->from > 0) || !(plan->to >= plan->from) || !isfinite(plan->to)) {
        return wrong_steps(error, "with FROM above 0 and TO not below FROM");
    }
    if (!(plan->step > 0) || (plan->to - plan->from) / plan->step > STEPS_MAX) {
        return wrong_steps(error, "with STEP above 0 and at most 10000 steps");
    }
    if (!(seconds >= 0.1) || seconds > 1e6) {
        return wrong_steps(error, "SECONDS from 0.1 to 1000000");
    }
    plan->step_ns = (int64_t)(seconds * (double)IR_SECOND_NS);
    return IR_OK;
}

static ir_status_t check(const ir_plan_options_t *options, ir_error_t *error) {
    const bool steps = options->steps != NULL;
    if (steps + options->search + (options->pattern.rate > 0) + (options->pattern.pace > 0) > 1) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "rate, pace, rate-steps and find-max: only one of these can be set");
    }
    if ((steps || options->search) && options->duration_ns > 0) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "duration: rate-steps and find-max set their own durations");
    }
    return IR_OK;
}

ir_status_t ir_plan_init(ir_plan_t *plan, const ir_plan_options_t *options, ir_error_t *error) {
    ir_plan_t made = {.options = *options, .kind = IR_PLAN_WHOLE};
    const ir_status_t status = check(options, error);
    if (status != IR_OK) {
        return status;
    }
    ir_search_init(&made.search);
    if (options->search) {
        made.kind = IR_PLAN_SEARCH;
    } else if (options->steps != NULL) {
        made.kind = IR_PLAN_STEPS;
        const ir_status_t parsed = parse_steps(&made, options->steps, error);
        if (parsed != IR_OK) {
            return parsed;
        }
    }
    *plan = made;
    return IR_OK;
}

static unsigned steps_of(const ir_plan_t *plan) {
    return 1 + (unsigned)floor((plan->to - plan->from) / plan->step + SLACK);
}

bool ir_plan_next(ir_plan_t *plan, ir_step_t *step) {
    const ir_plan_options_t *options = &plan->options;
    ir_step_t next = {.pattern = options->pattern, .length_ns = options->duration_ns};
    switch (plan->kind) {
    case IR_PLAN_WHOLE:
        if (plan->given > 0) {
            return false;
        }
        break;
    case IR_PLAN_STEPS:
        if (plan->given >= steps_of(plan)) {
            return false;
        }
        next.pattern.rate = plan->from + plan->given * plan->step;
        next.length_ns = plan->step_ns;
        break;
    case IR_PLAN_SEARCH:
        if (plan->search.done) {
            return false;
        }
        next.pattern.rate = plan->search.rate;
        next.warm_up_ns = options->warm_up_ns;
        next.length_ns = options->warm_up_ns + options->trial_ns;
        next.drains = true;
        break;
    }
    plan->given++;
    *step = next;
    return true;
}

ir_verdict_t ir_plan_report(ir_plan_t *plan, const ir_trial_t *trial) {
    const ir_verdict_t verdict = ir_trial_judge(trial, plan->options.p99_bound_ms);
    if (plan->kind == IR_PLAN_SEARCH) {
        ir_search_report(&plan->search, trial, verdict);
    }
    return verdict;
}

int64_t ir_plan_length(const ir_plan_t *plan) {
    switch (plan->kind) {
    case IR_PLAN_WHOLE:
        return plan->options.duration_ns;
    case IR_PLAN_STEPS:
        return (int64_t)steps_of(plan) * plan->step_ns;
    default:
        return 0;
    }
}

double ir_plan_observations(const ir_plan_t *plan) {
    const double seconds = (double)ir_plan_length(plan) / (double)IR_SECOND_NS;
    const double rate = plan->kind == IR_PLAN_STEPS
                            ? plan->from + (steps_of(plan) - 1) * plan->step / 2
                            : plan->options.pattern.rate;
    return rate * seconds;
}
