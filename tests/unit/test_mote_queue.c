#include "send/mote_queue.h"

#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define ITEMS 64
#define MOTES 9

static void done(ir_mote_queue_t *queue, unsigned mote, uint32_t item) {
    ir_mote_queue_remove(queue, item);
    ir_mote_queue_give_back(queue, mote, 0);
}

static void motes_take_turns_and_their_items_wait(void **state) {
    (void)state;
    ir_mote_queue_t *queue = ir_mote_queue_new(ITEMS);
    assert_true(ir_mote_queue_put(queue, 7, 0));
    assert_true(ir_mote_queue_put(queue, 7, 1));
    assert_true(ir_mote_queue_put(queue, 3, 2));
    assert_int_equal(ir_mote_queue_take(queue, 0), 0);
    assert_int_equal(ir_mote_queue_take(queue, 0), 2);
    assert_int_equal(ir_mote_queue_take(queue, 0), IR_MOTE_QUEUE_NONE);
    done(queue, 3, 2);
    assert_int_equal(ir_mote_queue_take(queue, 0), IR_MOTE_QUEUE_NONE);
    done(queue, 7, 0);
    assert_int_equal(ir_mote_queue_take(queue, 0), 1);
    done(queue, 7, 1);
    assert_true(ir_mote_queue_put(queue, 7, 0));
    assert_int_equal(ir_mote_queue_take(queue, 0), 0);
    ir_mote_queue_free(queue);
}

/* Several items of one mote are sent at once, and may be answered in any order. */
static void a_line_is_taken_as_a_whole(void **state) {
    (void)state;
    ir_mote_queue_t *queue = ir_mote_queue_new(ITEMS);
    for (uint32_t item = 0; item < 5; item++) {
        assert_true(ir_mote_queue_put(queue, 7, item));
    }
    assert_int_equal(ir_mote_queue_take(queue, 0), 0);
    for (uint32_t item = 0; item < 4; item++) {
        assert_int_equal(ir_mote_queue_behind(queue, item), item + 1);
    }
    assert_int_equal(ir_mote_queue_behind(queue, 4), IR_MOTE_QUEUE_NONE);
    ir_mote_queue_remove(queue, 0);
    ir_mote_queue_remove(queue, 2);
    ir_mote_queue_remove(queue, 4);
    assert_true(ir_mote_queue_put(queue, 7, 5));
    assert_int_equal(ir_mote_queue_take(queue, 0), IR_MOTE_QUEUE_NONE);
    ir_mote_queue_give_back(queue, 7, 0);
    assert_int_equal(ir_mote_queue_take(queue, 0), 1);
    assert_int_equal(ir_mote_queue_behind(queue, 1), 3);
    assert_int_equal(ir_mote_queue_behind(queue, 3), 5);
    ir_mote_queue_remove(queue, 1);
    ir_mote_queue_remove(queue, 3);
    ir_mote_queue_remove(queue, 5);
    /* The queue is empty, but still taken. */
    assert_true(ir_mote_queue_put(queue, 7, 6));
    assert_int_equal(ir_mote_queue_take(queue, 0), IR_MOTE_QUEUE_NONE);
    ir_mote_queue_give_back(queue, 7, 0);
    assert_int_equal(ir_mote_queue_take(queue, 0), 6);
    ir_mote_queue_free(queue);
}

/* An item that waits for a time delays only its own mote. */
static void held_until_then(void **state) {
    (void)state;
    ir_mote_queue_t *queue = ir_mote_queue_new(ITEMS);
    assert_true(ir_mote_queue_put(queue, 0, 0));
    assert_true(ir_mote_queue_put(queue, 0, 1));
    assert_true(ir_mote_queue_put(queue, 1, 2));
    assert_int_equal(ir_mote_queue_take(queue, 0), 0);
    assert_int_equal(ir_mote_queue_wake(queue), INT64_MAX);
    ir_mote_queue_give_back(queue, 0, 100);
    assert_int_equal(ir_mote_queue_wake(queue), 100);
    assert_int_equal(ir_mote_queue_take(queue, 50), 2);
    ir_mote_queue_give_back(queue, 1, 80);
    assert_int_equal(ir_mote_queue_wake(queue), 80);
    assert_int_equal(ir_mote_queue_take(queue, 79), IR_MOTE_QUEUE_NONE);
    assert_int_equal(ir_mote_queue_take(queue, 80), 2);
    assert_int_equal(ir_mote_queue_wake(queue), 100);
    assert_int_equal(ir_mote_queue_take(queue, 100), 0);
    done(queue, 0, 0);
    assert_int_equal(ir_mote_queue_take(queue, 100), 1);
    ir_mote_queue_clear(queue);
    assert_int_equal(ir_mote_queue_take(queue, INT64_MAX - 1), IR_MOTE_QUEUE_NONE);
    assert_true(ir_mote_queue_put(queue, 0, 1));
    assert_int_equal(ir_mote_queue_take(queue, 0), 1);
    ir_mote_queue_free(queue);
}

/* The expected state of every item and mote. */
typedef struct trial {
    ir_mote_queue_t *queue;
    unsigned mote_of[ITEMS], rank_of[ITEMS];
    bool used[ITEMS];
    unsigned put[MOTES], came[MOTES];
    uint32_t first[MOTES]; /* of a taken line */
    unsigned going[MOTES], n_going;
} trial_t;

static void put_one(trial_t *trial) {
    const uint32_t item = (uint32_t)(rand() % ITEMS);
    const unsigned mote = (unsigned)(rand() % MOTES);
    if (!trial->used[item]) {
        trial->used[item] = true;
        trial->mote_of[item] = mote;
        trial->rank_of[item] = trial->put[mote]++;
        assert_true(ir_mote_queue_put(trial->queue, mote, item));
    }
}

static void take_one(trial_t *trial, int64_t now) {
    const uint32_t first = ir_mote_queue_take(trial->queue, now);
    if (first != IR_MOTE_QUEUE_NONE) {
        const unsigned mote = trial->mote_of[first];
        for (unsigned i = 0; i < trial->n_going; i++) {
            assert_int_not_equal(trial->going[i], mote);
        }
        trial->first[mote] = first;
        trial->going[trial->n_going++] = mote;
    }
}

/* Answers some of the first items of a mote. */
static void give_one_back(trial_t *trial, int64_t now) {
    const unsigned chosen = (unsigned)rand() % trial->n_going;
    const unsigned mote = trial->going[chosen];
    uint32_t item = trial->first[mote];
    trial->going[chosen] = trial->going[--trial->n_going];
    for (int n = rand() % 4; n > 0 && item != IR_MOTE_QUEUE_NONE; n--) {
        const uint32_t behind = ir_mote_queue_behind(trial->queue, item);
        assert_int_equal(trial->mote_of[item], mote);
        assert_int_equal(trial->rank_of[item], trial->came[mote]++);
        trial->used[item] = false;
        ir_mote_queue_remove(trial->queue, item);
        item = behind;
    }
    ir_mote_queue_give_back(trial->queue, mote, rand() % 4 == 0 ? now + rand() % 20 : 0);
}

/* Whatever happens, the items of a mote come in the order in which they were added. */
static void order_holds(void **state) {
    (void)state;
    enum { STEPS = 200000 };
    trial_t trial = {.queue = ir_mote_queue_new(ITEMS)};
    srand(1);
    for (int64_t now = 1; now < STEPS; now++) {
        put_one(&trial);
        take_one(&trial, now);
        if (trial.n_going > 0 && rand() % 2 == 0) {
            give_one_back(&trial, now);
        }
    }
    for (unsigned mote = 0; mote < MOTES; mote++) {
        assert_true(trial.came[mote] > STEPS / MOTES / 20);
    }
    ir_mote_queue_free(trial.queue);
}

static void every_allocation_failing(void **state) {
    (void)state;
    failing_alloc_required();
    for (unsigned nth = 1;; nth++) {
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        ir_mote_queue_t *queue = ir_mote_queue_new(ITEMS);
        const bool put = queue != NULL && ir_mote_queue_put(queue, 5, 1);
        const bool failed = failing_alloc_disarm();
        assert_int_equal(put, !failed);
        ir_mote_queue_free(queue);
        if (!failed) {
            break;
        }
    }
    ir_mote_queue_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(motes_take_turns_and_their_items_wait),
        cmocka_unit_test(a_line_is_taken_as_a_whole),
        cmocka_unit_test(held_until_then),
        cmocka_unit_test(order_holds),
        cmocka_unit_test(every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
