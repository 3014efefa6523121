/* Motes in doubt. In every stage, all messages of such a mote are set aside, from the one in doubt
 * to the last one that is settled. Messages of other motes are not. */
#include "observation/analysis.h"
#include "tests/unit/failing_alloc.h"
#include "worker/doubts.h"

#include "common/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Makes a batch with a message of mote "a" for each letter 'a', and so on. */
static ir_batch_t *make(const char *motes) {
    static const ir_analysis_t analysis = {.base_iri = "https://example.org/"};
    static uint64_t sequence;
    ir_batch_t *batch = ir_batch_new(NULL);
    batch->sequence = sequence++;
    for (const char *mote = motes; *mote != '\0'; mote++) {
        const char key[] = {'i', 'r', '.', *mote, '\0'};
        const ir_batch_input_t input = {.routing_key = ir_view_text(key),
                                        .content_type = ir_view_text("text/plain"),
                                        .body = ir_view_text("x")};
        assert_int_equal(ir_batch_add(batch, &analysis, &input), IR_OK);
    }
    return batch;
}

static void expect(const ir_batch_t *batch, const char *expected) {
    char seen[64] = "";
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        seen[i] = ir_batch_is_aside(batch, i) ? batch->messages[i].mote.data[0] : '.';
    }
    assert_string_equal(seen, expected);
}

/* Acts like a stage that is in doubt about one message, or about none (UINT32_MAX). */
static void work(ir_doubts_t *doubts, ir_batch_t *batch, uint32_t doubted) {
    ir_doubts_mark(doubts, batch);
    if (doubted != UINT32_MAX) {
        assert_true(ir_batch_set_aside(batch, doubted, UINT32_MAX, "why"));
    }
    assert_true(ir_doubts_note(doubts, batch));
}

static bool settle(ir_doubts_t *doubts, const char *mote) {
    return ir_doubts_settle(doubts, ir_view_text(mote));
}

static void a_mote_waits_until_all_of_it_is_settled(void **state) {
    (void)state;
    ir_doubts_t *doubts = ir_doubts_new();
    ir_batch_t *batches[] = {make("abab"), make("ba"), make("cab"), make("abc")};
    work(doubts, batches[0], 2);
    expect(batches[0], "..a.");
    work(doubts, batches[1], UINT32_MAX);
    expect(batches[1], ".a");
    assert_int_equal(ir_doubts_motes(doubts), 1);
    assert_int_equal(ir_doubts_messages(doubts), 2);
    assert_false(settle(doubts, "a"));
    work(doubts, batches[2], 0);
    expect(batches[2], "ca.");
    assert_int_equal(ir_doubts_motes(doubts), 2);
    assert_false(settle(doubts, "a"));
    assert_true(settle(doubts, "a"));
    work(doubts, batches[3], UINT32_MAX);
    expect(batches[3], "..c");
    assert_false(settle(doubts, "c"));
    assert_true(settle(doubts, "c"));
    assert_int_equal(ir_doubts_motes(doubts), 0);
    assert_int_equal(ir_doubts_messages(doubts), 0);
    for (size_t i = 0; i < 4; i++) {
        ir_batch_free(batches[i]);
    }
    ir_doubts_free(doubts);
}

/* A mote becomes in doubt while an earlier batch with its messages is in a later stage. That stage
 * sets its message aside, unless the stage itself raised the doubt. */
static void what_is_ahead_of_the_doubt_goes_on(void **state) {
    (void)state;
    ir_doubts_t *doubts = ir_doubts_new();
    ir_batch_t *batches[] = {make("ab"), make("ab"), make("abba")};
    work(doubts, batches[2], 3);
    expect(batches[2], "...a");
    for (size_t i = 0; i < 3; i++) {
        ir_doubts_mark(doubts, batches[i]);
    }
    expect(batches[0], "..");
    expect(batches[1], "..");
    expect(batches[2], "...a");
    work(doubts, batches[0], 0);
    work(doubts, batches[1], UINT32_MAX);
    work(doubts, batches[2], UINT32_MAX);
    expect(batches[0], "a.");
    expect(batches[1], "a.");
    expect(batches[2], "a..a");
    assert_int_equal(ir_doubts_messages(doubts), 4);
    for (size_t i = 0; i < 3; i++) {
        ir_batch_free(batches[i]);
    }
    ir_doubts_free(doubts);
}

/* Messages passed the first stage before the doubt. The second stage gets them later, and sets them
 * aside behind the message in doubt. */
static void each_stage_sets_aside_what_it_meets(void **state) {
    (void)state;
    ir_doubts_t *doubts = ir_doubts_new();
    ir_batch_t *one = make("ab");
    ir_batch_t *two = make("ab");
    work(doubts, one, UINT32_MAX);
    work(doubts, two, UINT32_MAX);
    work(doubts, one, 1);
    expect(one, ".b");
    expect(two, "..");
    work(doubts, two, UINT32_MAX);
    expect(two, ".b");
    work(doubts, two, UINT32_MAX);
    assert_int_equal(ir_doubts_messages(doubts), 2);
    ir_batch_free(one);
    ir_batch_free(two);
    ir_doubts_free(doubts);
}

static void without_memory_it_is_noted_later(void **state) {
    (void)state;
    failing_alloc_required();
    ir_doubts_t *doubts = ir_doubts_new();
    ir_batch_t *batch = make("ab");
    assert_true(ir_batch_set_aside(batch, 0, UINT32_MAX, "why"));
    failing_alloc_arm(1, FAILING_ALLOC_ALL);
    assert_false(ir_doubts_note(doubts, batch));
    assert_true(failing_alloc_disarm());
    assert_int_equal(ir_doubts_messages(doubts), 0);
    assert_true(ir_doubts_note(doubts, batch));
    assert_int_equal(ir_doubts_messages(doubts), 1);
    assert_true(settle(doubts, "a"));
    ir_batch_free(batch);
    ir_doubts_free(doubts);
}

/* ---- two threads ---- */

#define ROUNDS 2000

typedef struct ir_pair {
    ir_doubts_t *doubts;
    pthread_barrier_t turn;
    ir_batch_t *batch;
} ir_pair_t;

static void *settle_all(void *argument) {
    ir_pair_t *pair = argument;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&pair->turn);
        settle(pair->doubts, "a");
        settle(pair->doubts, "a");
        pthread_barrier_wait(&pair->turn);
    }
    return NULL;
}

/* The loop settles a mote's last messages while a stage marks the next batch. All messages of that
 * batch are set aside and counted, or none. */
static void marking_and_settling_at_once(void **state) {
    (void)state;
    ir_pair_t pair = {.doubts = ir_doubts_new()};
    pthread_t thread;
    pthread_barrier_init(&pair.turn, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, settle_all, &pair), 0);
    for (int i = 0; i < ROUNDS; i++) {
        ir_batch_t *first = make("aab");
        ir_batch_t *next = make("baa");
        work(pair.doubts, first, 0);
        pthread_barrier_wait(&pair.turn);
        ir_doubts_mark(pair.doubts, next);
        pthread_barrier_wait(&pair.turn);
        assert_true(next->n_aside == 0 || next->n_aside == 2);
        assert_int_equal(ir_doubts_messages(pair.doubts), next->n_aside);
        while (ir_doubts_messages(pair.doubts) > 0) {
            settle(pair.doubts, "a");
        }
        ir_batch_free(first);
        ir_batch_free(next);
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&pair.turn);
    ir_doubts_free(pair.doubts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mote_waits_until_all_of_it_is_settled),
        cmocka_unit_test(what_is_ahead_of_the_doubt_goes_on),
        cmocka_unit_test(each_stage_sets_aside_what_it_meets),
        cmocka_unit_test(without_memory_it_is_noted_later),
        cmocka_unit_test(marking_and_settling_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
