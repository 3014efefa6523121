#include "worker/stage.h"

#include "common/clock.h"
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define BATCHES 64
#define PATIENCE_NS (10 * IR_SECOND_NS)

/* The work of a stage in these tests. It fails a given number of times, then succeeds. It is in
 * doubt about the first message of batch number `doubted`. */
typedef struct ir_script {
    ir_doubts_t *doubts; /* NULL: sets no message aside */
    uint64_t doubted;
    atomic_int ready_failures;
    atomic_int run_failures;
    atomic_int runs;
    uint64_t last_sequence;
    bool out_of_order;
} ir_script_t;

static ir_status_t script_ready(void *context, ir_error_t *error) {
    ir_script_t *script = context;
    if (atomic_fetch_sub(&script->ready_failures, 1) > 0) {
        return ir_error_set(error, IR_ERR_CONNECT, "nobody there");
    }
    return IR_OK;
}

static ir_outcome_t script_run(void *context, ir_batch_t *batch, ir_error_t *error) {
    ir_script_t *script = context;
    const uint32_t n_before = batch->n_store_refusals;
    atomic_fetch_add(&script->runs, 1);
    if (script->doubts != NULL && batch->sequence == script->doubted) {
        assert_true(ir_batch_set_aside(batch, 0, UINT32_MAX, "why"));
    }
    if (atomic_fetch_sub(&script->run_failures, 1) > 0) {
        ir_error_set(error, IR_ERR_CONNECT, "gone for a moment");
        ir_batch_undo_refusals(batch, n_before);
        return IR_OUTCOME_RETRY;
    }
    script->out_of_order = script->out_of_order || batch->sequence < script->last_sequence;
    script->last_sequence = batch->sequence;
    return IR_OUTCOME_OK;
}

typedef struct ir_fixture {
    ir_ring_t *done;
    int wake_fd;
    ir_batch_t batches[BATCHES];
} ir_fixture_t;

static int set_up(void **state) {
    ir_fixture_t *fixture = calloc(1, sizeof *fixture);
    fixture->done = ir_ring_new(BATCHES, false);
    fixture->wake_fd = eventfd(0, EFD_NONBLOCK);
    for (size_t i = 0; i < BATCHES; i++) {
        fixture->batches[i].sequence = i;
    }
    *state = fixture;
    ir_log_open("test", IR_LOG_ERROR);
    return 0;
}

static int tear_down(void **state) {
    ir_fixture_t *fixture = *state;
    ir_ring_free(fixture->done);
    close(fixture->wake_fd);
    free(fixture);
    return 0;
}

static ir_stage_t *start(const ir_fixture_t *fixture, ir_script_t *script, ir_stage_t *next) {
    const ir_stage_work_t work = {
        .name = "scripted", .ready = script_ready, .run = script_run, .context = script};
    const ir_stage_options_t options = {.backoff_first_ns = IR_MILLISECOND_NS,
                                        .backoff_longest_ns = 4 * IR_MILLISECOND_NS,
                                        .capacity = BATCHES,
                                        .next = next,
                                        .done = fixture->done,
                                        .wake_fd = fixture->wake_fd,
                                        .doubts = script->doubts};
    ir_stage_t *stage = NULL;
    ir_error_t error;
    assert_int_equal(ir_stage_start(&work, &options, &stage, &error), IR_OK);
    return stage;
}

static void batches_pass_two_stages_in_order(void **state) {
    ir_fixture_t *fixture = *state;
    ir_script_t first = {.ready_failures = 2, .run_failures = 3};
    ir_script_t second = {.run_failures = 5};
    ir_stage_t *to = start(fixture, &second, NULL);
    ir_stage_t *from = start(fixture, &first, to);
    for (size_t i = 0; i < BATCHES; i++) {
        ir_stage_give(from, &fixture->batches[i]);
    }
    for (size_t i = 0; i < BATCHES; i++) {
        const ir_batch_t *batch = ir_ring_wait(fixture->done, PATIENCE_NS);
        assert_non_null(batch);
        assert_int_equal(batch->sequence, i);
        assert_false(batch->undone);
    }
    assert_true(ir_stage_started(from));
    assert_true(ir_stage_join(from));
    assert_true(ir_stage_join(to));
    assert_false(first.out_of_order || second.out_of_order);
    assert_int_equal(atomic_load(&first.runs), BATCHES + 3);
    assert_int_equal(atomic_load(&second.runs), BATCHES + 5);
}

static void back_off_shows_in_readiness(void **state) {
    ir_fixture_t *fixture = *state;
    ir_script_t script = {.ready_failures = 1 << 30};
    ir_stage_t *stage = start(fixture, &script, NULL);
    ir_buffer_t reasons;
    ir_buffer_init(&reasons);
    const int64_t until = ir_clock_monotonic() + PATIENCE_NS;
    while (reasons.size == 0 && ir_clock_monotonic() < until) {
        assert_false(ir_stage_ready(stage, &reasons));
    }
    ir_buffer_append_char(&reasons, '\0');
    assert_string_equal(reasons.data, "scripted: nobody there\n");
    assert_false(ir_stage_started(stage));
    ir_buffer_free(&reasons);
    ir_stage_abandon(stage);
    assert_true(ir_stage_join(stage));
}

static void abandoned_batches_come_back_undone(void **state) {
    ir_fixture_t *fixture = *state;
    ir_script_t first = {.run_failures = 1 << 30};
    ir_script_t second = {.run_failures = 0};
    ir_stage_t *to = start(fixture, &second, NULL);
    ir_stage_t *from = start(fixture, &first, to);
    ir_stage_give(from, &fixture->batches[0]);
    ir_stage_give(from, &fixture->batches[1]);
    assert_false(ir_stage_idle(from));
    ir_stage_abandon(from);
    ir_stage_abandon(to);
    for (int i = 0; i < 2; i++) {
        const ir_batch_t *batch = ir_ring_wait(fixture->done, PATIENCE_NS);
        assert_non_null(batch);
        assert_true(batch->undone);
    }
    assert_true(ir_stage_idle(from));
    assert_false(ir_stage_join(from));
    assert_false(ir_stage_join(to));
    assert_int_equal(atomic_load(&second.runs), 0);
}

static void add_messages(ir_batch_t *batch, const char *motes) {
    batch->messages = calloc(strlen(motes), sizeof *batch->messages);
    for (; motes[batch->n_messages] != '\0'; batch->n_messages++) {
        batch->messages[batch->n_messages].mote = ir_view(&motes[batch->n_messages], 1);
    }
}

static void expect_aside(const ir_batch_t *batch, const char *expected) {
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        assert_int_equal(ir_batch_is_aside(batch, i), expected[i] == 'x');
    }
}

/* The mote's messages are set aside from the one in doubt on, even if the stage has to retry. Its
 * messages that had already passed the first stage are set aside by the second one. Other motes are
 * not affected. */
static void a_mote_in_doubt_is_set_aside_by_all_stages(void **state) {
    ir_fixture_t *fixture = *state;
    ir_doubts_t *doubts = ir_doubts_new();
    ir_script_t first = {.doubts = doubts, .doubted = UINT64_MAX};
    ir_script_t second = {.doubts = doubts, .run_failures = 2};
    static const char *const motes[] = {"ab", "abab", "ba"};
    static const char *const aside[] = {"x.", "x.x.", ".x"};
    ir_stage_t *to = start(fixture, &second, NULL);
    ir_stage_t *from = start(fixture, &first, to);
    for (size_t i = 0; i < 3; i++) {
        add_messages(&fixture->batches[i], motes[i]);
        ir_stage_give(from, &fixture->batches[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        const ir_batch_t *batch = ir_ring_wait(fixture->done, PATIENCE_NS);
        assert_non_null(batch);
        expect_aside(batch, aside[i]);
    }
    assert_int_equal(ir_doubts_messages(doubts), 4);
    assert_true(ir_stage_join(from));
    assert_true(ir_stage_join(to));
    for (size_t i = 0; i < 3; i++) {
        free(fixture->batches[i].messages);
        free(fixture->batches[i].store_refusals);
    }
    ir_doubts_free(doubts);
}

static void join_finishes_what_was_given(void **state) {
    ir_fixture_t *fixture = *state;
    ir_script_t script = {.run_failures = 0};
    ir_stage_t *stage = start(fixture, &script, NULL);
    for (size_t i = 0; i < BATCHES; i++) {
        ir_stage_give(stage, &fixture->batches[i]);
    }
    assert_true(ir_stage_join(stage));
    assert_int_equal(ir_ring_count(fixture->done), BATCHES);
    assert_true(ir_stage_join(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(batches_pass_two_stages_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(back_off_shows_in_readiness, set_up, tear_down),
        cmocka_unit_test_setup_teardown(abandoned_batches_come_back_undone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mote_in_doubt_is_set_aside_by_all_stages, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(join_finishes_what_was_given, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
