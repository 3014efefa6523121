/* What a run of ir-loadgen reports about itself, for each way in which it can miss the request. */
#include "loadgen/conclusion.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef struct ir_scene {
    ir_plan_t plan;
    ir_result_t result;
    ir_tracker_counts_t back;
    ir_evidence_t evidence;
    ir_conclusion_t conclusion;
} ir_scene_t;

/* A run of 100 messages at a rate, exactly as requested. */
static void set_scene(ir_scene_t *scene) {
    const int64_t start_ns = 100 * IR_SECOND_NS;
    *scene = (ir_scene_t){
        .plan = {.kind = IR_PLAN_WHOLE},
        .result = {.asked = 100, .seconds = 10, .observations_sent = 1000, .valid = true},
        .back = {.by_fate = {[IR_FATE_REPUBLISHED] = 100}},
    };
    scene->evidence = (ir_evidence_t){
        .plan = &scene->plan,
        .messages = 100,
        .late_bound_ms = 50,
        .waited = true,
        .sent = {.messages_sent = 100,
                 .observations_sent = 1000,
                 .messages_confirmed = 100,
                 .first_send_ns = start_ns,
                 .last_due_ns = start_ns + 10 * IR_SECOND_NS,
                 .last_send_ns = start_ns + 10 * IR_SECOND_NS},
        .back = &scene->back,
        .results = &scene->result,
        .n_results = 1,
    };
}

static void draw(ir_scene_t *scene) {
    ir_conclusion_draw(&scene->conclusion, &scene->evidence);
}

/* Asserts that the run is valid, and incomplete only for this reason. */
static void assert_short(ir_scene_t *scene, const char *reason) {
    draw(scene);
    assert_false(scene->conclusion.complete);
    assert_int_equal(scene->conclusion.n_reasons, 1);
    assert_string_equal(scene->conclusion.reasons[0], reason);
    assert_true(scene->conclusion.valid);
    assert_false(ir_conclusion_is_good(&scene->conclusion));
}

static void as_asked(void **state) {
    (void)state;
    ir_scene_t scene;
    set_scene(&scene);
    draw(&scene);
    assert_true(ir_conclusion_is_good(&scene.conclusion));
    assert_int_equal(scene.conclusion.n_reasons, 0);
}

static void what_ends_it_early(void **state) {
    (void)state;
    ir_scene_t scene;
    set_scene(&scene);
    scene.evidence.failed = true;
    assert_short(&scene, "an error ended the run");
    set_scene(&scene);
    scene.evidence.interrupted = true;
    assert_short(&scene, "interrupted by a signal");
    set_scene(&scene);
    scene.evidence.messages = 150;
    assert_short(&scene, "50 of 150 messages were not sent");
    set_scene(&scene);
    scene.evidence.messages = 0;
    scene.evidence.ended_early = true;
    assert_short(&scene, "the source ran out of messages before the requested duration: use a "
                         "larger --repeat, or --messages 0");
    set_scene(&scene);
    scene.evidence.messages = 0;
    scene.evidence.sent = (ir_producer_counts_t){0};
    scene.back = (ir_tracker_counts_t){0};
    scene.result = (ir_result_t){.valid = true};
    assert_short(&scene, "nothing was sent");
}

static void a_rate_that_was_not_reached(void **state) {
    (void)state;
    ir_scene_t scene;
    set_scene(&scene);
    scene.evidence.messages = 0;
    scene.result = (ir_result_t){.asked = 300000,
                                 .seconds = 5,
                                 .observations_sent = 189570,
                                 .observations_unsent = 1310430,
                                 .valid = true};
    assert_short(&scene, "requested 300000/s, sent 37914/s: 87 % of what was due was not sent");
    scene.result.observations_unsent = 1;
    draw(&scene);
    assert_false(scene.conclusion.complete);
    scene.result.asked = 0; /* at its own pace */
    scene.result.observations_unsent = 189570;
    assert_short(&scene, "50 % of what was due was not sent");
}

/* A run that ends when all its messages are sent is complete, however long that takes. */
static void a_rate_that_was_only_reached_late(void **state) {
    (void)state;
    ir_scene_t scene;
    set_scene(&scene);
    scene.evidence.sent.last_send_ns += 10 * IR_SECOND_NS;
    assert_short(&scene, "requested 100/s, sent 50/s: the last message was sent 10.0 s late");
    scene.evidence.late_bound_ms = 60000;
    draw(&scene);
    assert_true(scene.conclusion.complete);
    set_scene(&scene);
    scene.evidence.sent.last_send_ns += 150 * IR_MILLISECOND_NS;
    draw(&scene);
    assert_true(scene.conclusion.complete);
    scene.evidence.sent.last_due_ns = scene.evidence.sent.last_send_ns = 0; /* without a rate */
    draw(&scene);
    assert_true(scene.conclusion.complete);
}

static void what_became_of_it(void **state) {
    (void)state;
    ir_scene_t scene;
    set_scene(&scene);
    scene.evidence.sent.messages_confirmed = 98;
    scene.evidence.sent.messages_lost = 2;
    scene.back.by_fate[IR_FATE_REPUBLISHED] = 98;
    assert_short(&scene, "2 messages have no final answer");
    set_scene(&scene);
    scene.evidence.sent.unmeant = 3;
    assert_short(&scene, "3 good messages were refused");
    set_scene(&scene);
    scene.evidence.sent.messages_confirmed = 99;
    assert_short(&scene, "the sums do not match");
    set_scene(&scene);
    scene.back.unmeant = 1;
    assert_short(&scene, "1 good messages were rejected");
    set_scene(&scene);
    scene.back.by_fate[IR_FATE_REPUBLISHED] = 60;
    scene.back.by_fate[IR_FATE_MISSING] = 40;
    assert_short(&scene, "40 messages did not come back in all formats");
    scene.evidence.waited = false;
    draw(&scene);
    assert_true(ir_conclusion_is_good(&scene.conclusion));
    scene.evidence.gaps = 1;
    draw(&scene);
    assert_true(scene.conclusion.complete);
    assert_non_null(strstr(scene.conclusion.invalid, "exclude 40 messages"));
}

static void a_search_without_an_end(void **state) {
    (void)state;
    ir_scene_t scene;
    set_scene(&scene);
    scene.evidence.messages = 0;
    scene.plan.kind = IR_PLAN_SEARCH;
    scene.result.observations_unsent = 500; /* a trial may fail */
    scene.plan.search = (ir_search_t){.low = 100, .trials = 7};
    assert_short(&scene, "the search did not finish: 0 of 11 turns in 7 trials");
    scene.plan.search = (ir_search_t){.low = 100, .done = true, .n_turns = 5, .trials = 80};
    draw(&scene);
    assert_false(scene.conclusion.complete);
    scene.plan.search = (ir_search_t){.done = true, .trials = 9};
    assert_short(&scene, "no rate was kept");
    scene.plan.search = (ir_search_t){
        .turns = {[IR_SEARCH_TURNS / 2] = 100}, .done = true, .n_turns = IR_SEARCH_TURNS};
    draw(&scene);
    assert_true(ir_conclusion_is_good(&scene.conclusion));
    scene.plan.search.limit = IR_VERDICT_GENERATOR;
    draw(&scene);
    assert_true(scene.conclusion.complete && !scene.conclusion.valid);
}

static void a_generator_that_was_late(void **state) {
    (void)state;
    ir_scene_t scene;
    set_scene(&scene);
    scene.result.valid = false;
    scene.result.late.p99 = 80;
    draw(&scene);
    assert_true(scene.conclusion.complete && !scene.conclusion.valid);
    assert_non_null(strstr(scene.conclusion.invalid, "could not keep its own schedule at 100/s"));
    assert_false(ir_conclusion_is_good(&scene.conclusion));
}

/* With many rates, the report lists as many as fit. */
static void more_reasons_than_lines(void **state) {
    (void)state;
    ir_scene_t scene;
    ir_result_t results[2 * IR_CONCLUSION_REASONS];
    set_scene(&scene);
    for (size_t i = 0; i < 2 * IR_CONCLUSION_REASONS; i++) {
        results[i] = scene.result;
        results[i].observations_unsent = 1000;
    }
    scene.plan.kind = IR_PLAN_STEPS;
    scene.evidence.results = results;
    scene.evidence.n_results = 2 * IR_CONCLUSION_REASONS;
    draw(&scene);
    assert_false(scene.conclusion.complete);
    assert_int_equal(scene.conclusion.n_reasons, IR_CONCLUSION_REASONS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_asked),
        cmocka_unit_test(what_ends_it_early),
        cmocka_unit_test(a_rate_that_was_not_reached),
        cmocka_unit_test(a_rate_that_was_only_reached_late),
        cmocka_unit_test(what_became_of_it),
        cmocka_unit_test(a_search_without_an_end),
        cmocka_unit_test(a_generator_that_was_late),
        cmocka_unit_test(more_reasons_than_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
