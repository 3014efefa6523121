#include "loadgen/measure/search.h"
#include "loadgen/plan.h"

#include "common/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BOUND_MS 500

/* A model of a target that sustains rates up to its capacity. A share of the trials fails anyway,
 * in a fixed sequence, as on a machine with other load. */
typedef struct ir_model {
    double capacity;
    unsigned wrong_every; /* 0: never */
    unsigned trials;
    double reached_without_rate;
} ir_model_t;

static void make_trial(ir_model_t *model, double asked, ir_trial_t *trial) {
    model->trials++;
    const bool disturbed = model->wrong_every > 0 && model->trials % model->wrong_every == 0;
    const double over = asked - model->capacity;
    *trial = (ir_trial_t){.asked = asked, .sent_share = 1, .valid = true, .p99_ms = 20};
    trial->reached = asked <= 0 ? model->reached_without_rate : fmin(asked, model->capacity);
    trial->growth = over > 0 ? over : 0;
    if (disturbed && asked > 0) {
        trial->p99_ms = 10 * BOUND_MS;
    }
}

static void try_once(ir_model_t *model, ir_search_t *search) {
    ir_trial_t trial;
    make_trial(model, search->rate, &trial);
    ir_search_report(search, &trial, ir_trial_judge(&trial, BOUND_MS));
}

static double search(ir_model_t *model, ir_search_t *search) {
    ir_search_init(search);
    while (!search->done) {
        try_once(model, search);
    }
    return ir_search_result(search).rate;
}

/* A growth of 2 % is tolerated; a step is 3 %. */
static void assert_near(double found, double capacity) {
    assert_true(found > capacity * 0.95 && found < capacity * 1.05);
}

static void finds_the_capacity(void **state) {
    (void)state;
    const double capacities[] = {3, 777, 25000, 1e6};
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        ir_search_t found;
        ir_model_t model = {.capacity = capacities[i], .reached_without_rate = capacities[i]};
        assert_near(search(&model, &found), capacities[i]);
        assert_int_equal(found.limit, IR_VERDICT_BACKLOG);
        assert_true(found.trials < 30);
    }
}

/* The trial without a rate suggests a wrong capacity: the queue accepted many more messages than
 * the target processes, or fewer. */
static void a_first_guess_that_is_far_off(void **state) {
    (void)state;
    ir_search_t found;
    ir_model_t model = {.capacity = 1000, .reached_without_rate = 30000};
    assert_near(search(&model, &found), 1000);
    model = (ir_model_t){.capacity = 1000, .reached_without_rate = 400};
    assert_near(search(&model, &found), 1000);
}

static void one_disturbed_trial_decides_nothing(void **state) {
    (void)state;
    for (unsigned every = 3; every < 9; every++) {
        ir_search_t found;
        ir_model_t model = {.capacity = 5000, .reached_without_rate = 6000, .wrong_every = every};
        assert_near(search(&model, &found), 5000);
    }
}

/* The quartiles show how much the capacity varied during the search. */
static void a_capacity_that_varies(void **state) {
    (void)state;
    ir_search_t found;
    ir_model_t model = {.capacity = 10000, .reached_without_rate = 10000};
    ir_search_init(&found);
    while (!found.done) {
        model.capacity = found.trials % 16 < 8 ? 10000 : 8000;
        try_once(&model, &found);
    }
    const ir_search_result_t result = ir_search_result(&found);
    assert_true(result.low < 8500 && result.low > 7500);
    assert_true(result.high > 9500 && result.high < 10500);
    assert_true(result.rate >= result.low && result.rate <= result.high);
}

static void nothing_is_kept(void **state) {
    (void)state;
    ir_search_t found;
    ir_model_t model = {.capacity = 100, .reached_without_rate = 100, .wrong_every = 1};
    assert_true(search(&model, &found) == 0);
    assert_int_equal(found.limit, IR_VERDICT_SLOW);
    assert_true(found.done && found.trials <= IR_SEARCH_TRIALS_MAX);
}

/* The result is determined by the end of the search, not by earlier trials. */
static void a_capacity_that_falls(void **state) {
    (void)state;
    ir_search_t found;
    ir_model_t model = {.capacity = 10000, .reached_without_rate = 10000};
    ir_search_init(&found);
    while (!found.done) {
        model.capacity = found.stepping ? 8000 : model.capacity;
        try_once(&model, &found);
    }
    assert_near(ir_search_result(&found).rate, 8000);
}

/* Some early trials failed by chance, so the bisection ended with wrong bounds. */
static void bounds_that_were_wrong(void **state) {
    (void)state;
    ir_search_t found;
    ir_model_t model = {.capacity = 10000, .reached_without_rate = 10000};
    ir_search_init(&found);
    while (!found.done) {
        model.wrong_every = found.stepping ? 0 : 2;
        try_once(&model, &found);
    }
    assert_near(ir_search_result(&found).rate, 10000);
}

static void every_verdict(void **state) {
    (void)state;
    const ir_trial_t good = {
        .asked = 100, .sent_share = 1, .reached = 100, .growth = 0, .p99_ms = 1, .valid = true};
    ir_trial_t trial = good;
    assert_int_equal(ir_trial_judge(&trial, 2), IR_VERDICT_KEPT);
    trial.p99_ms = 3;
    assert_int_equal(ir_trial_judge(&trial, 2), IR_VERDICT_SLOW);
    trial.growth = 5;
    assert_int_equal(ir_trial_judge(&trial, 2), IR_VERDICT_BACKLOG);
    trial.sent_share = 0.9;
    assert_int_equal(ir_trial_judge(&trial, 2), IR_VERDICT_BEHIND);
    trial.valid = false;
    assert_int_equal(ir_trial_judge(&trial, 2), IR_VERDICT_GENERATOR);
    for (int verdict = 0; verdict < IR_VERDICT_COUNT; verdict++) {
        assert_string_not_equal(ir_verdict_text((ir_verdict_t)verdict), "unknown");
    }
    assert_string_equal(ir_verdict_text(IR_VERDICT_COUNT), "unknown");
}

/* ---- plans ---- */

static void steps_of_a_plan(void **state) {
    (void)state;
    const ir_plan_options_t options = {.steps = "1000:2000.5:500:2.5"};
    ir_plan_t plan;
    ir_step_t step;
    assert_int_equal(ir_plan_init(&plan, &options, NULL), IR_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(ir_plan_next(&plan, &step));
        assert_true(step.pattern.rate == 1000 + 500 * i);
        assert_int_equal(step.length_ns, 5 * IR_SECOND_NS / 2);
    }
    assert_false(ir_plan_next(&plan, &step));
    assert_int_equal(ir_plan_length(&plan), 15 * IR_SECOND_NS / 2);
    assert_true(ir_plan_observations(&plan) == 1500 * 7.5);
}

static void a_step_of_a_tenth_is_not_lost(void **state) {
    (void)state;
    const ir_plan_options_t options = {.steps = "0.1:0.5:0.1:1"};
    ir_plan_t plan;
    ir_step_t step;
    int count = 0;
    assert_int_equal(ir_plan_init(&plan, &options, NULL), IR_OK);
    while (ir_plan_next(&plan, &step)) {
        count++;
    }
    assert_int_equal(count, 5);
}

static void wrong_plans(void **state) {
    (void)state;
    const ir_plan_options_t wrong[] = {
        {.steps = "1000"},
        {.steps = "1000:2000:100:1x"},
        {.steps = "0:2000:100:1"},
        {.steps = "2000:1000:100:1"},
        {.steps = "1000:2000:0:1"},
        {.steps = "1000:2000:-1:1"},
        {.steps = "1:1e9:1:1"},
        {.steps = "1000:2000:100:0"},
        {.steps = "nan:nan:nan:nan"},
        {.steps = "1000:2000:100:1", .search = true},
        {.steps = "1000:2000:100:1", .duration_ns = 1},
        {.search = true, .pattern.rate = 1},
        {.pattern = {.rate = 1, .pace = 1}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ir_plan_t plan;
        ir_error_t error;
        assert_int_equal(ir_plan_init(&plan, &wrong[i], &error), IR_ERR_USAGE);
    }
}

static void a_plan_that_searches(void **state) {
    (void)state;
    const ir_plan_options_t options = {.search = true,
                                       .warm_up_ns = IR_SECOND_NS,
                                       .trial_ns = 2 * IR_SECOND_NS,
                                       .p99_bound_ms = BOUND_MS};
    ir_model_t model = {.capacity = 4000, .reached_without_rate = 4000};
    ir_plan_t plan;
    ir_step_t step;
    assert_int_equal(ir_plan_init(&plan, &options, NULL), IR_OK);
    while (ir_plan_next(&plan, &step)) {
        ir_trial_t trial;
        assert_int_equal(step.length_ns, 3 * IR_SECOND_NS);
        assert_true(step.drains);
        make_trial(&model, step.pattern.rate, &trial);
        (void)ir_plan_report(&plan, &trial);
    }
    assert_near(ir_search_result(&plan.search).rate, 4000);
    assert_int_equal(ir_plan_length(&plan), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_capacity),
        cmocka_unit_test(a_first_guess_that_is_far_off),
        cmocka_unit_test(one_disturbed_trial_decides_nothing),
        cmocka_unit_test(a_capacity_that_varies),
        cmocka_unit_test(nothing_is_kept),
        cmocka_unit_test(a_capacity_that_falls),
        cmocka_unit_test(bounds_that_were_wrong),
        cmocka_unit_test(every_verdict),
        cmocka_unit_test(steps_of_a_plan),
        cmocka_unit_test(a_step_of_a_tenth_is_not_lost),
        cmocka_unit_test(wrong_plans),
        cmocka_unit_test(a_plan_that_searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
