#include "loadgen/source/faults.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEED 42
#define BLOCKS 40
#define MOTES_MAX 100

/* How often each fault occurred, and how often each message of each mote was sent. */
typedef struct ir_seen {
    unsigned motes;
    uint64_t messages;
    unsigned faults[IR_FAULT_BURST + 1];
    unsigned char sent[MOTES_MAX][BLOCKS * IR_FAULTS_BLOCK];
} ir_seen_t;

static ir_seen_t seen;

static void count_faults(const ir_faults_t *faults, unsigned motes) {
    memset(&seen, 0, sizeof seen);
    seen.motes = motes;
    seen.messages = (uint64_t)motes * BLOCKS * IR_FAULTS_BLOCK;
    for (uint64_t number = 0; number < seen.messages; number++) {
        ir_turn_t turn;
        ir_faults_turn(faults, SEED, motes, number, &turn);
        assert_true(turn.mote < motes);
        assert_true(turn.round < BLOCKS * IR_FAULTS_BLOCK);
        for (unsigned fault = 1; fault <= IR_FAULT_BURST; fault *= 2) {
            seen.faults[fault] += (turn.faults & fault) != 0;
        }
        if (turn.original == number) {
            seen.sent[turn.mote][turn.round]++;
        } else {
            assert_int_equal(turn.original, number - 1);
        }
    }
}

static unsigned times_sent(unsigned times) {
    unsigned count = 0;
    for (unsigned mote = 0; mote < seen.motes; mote++) {
        for (unsigned round = 0; round < BLOCKS * IR_FAULTS_BLOCK; round++) {
            count += seen.sent[mote][round] == times;
        }
    }
    return count;
}

static double share(ir_fault_t fault) {
    return (double)seen.faults[fault] / (double)seen.messages;
}

static void without_faults_motes_take_turns(void **state) {
    (void)state;
    const ir_faults_t none = {0};
    for (uint64_t number = 0; number < 1000; number++) {
        ir_turn_t turn;
        ir_faults_turn(&none, SEED, 13, number, &turn);
        assert_int_equal(turn.mote, number % 13);
        assert_int_equal(turn.round, number / 13);
        assert_int_equal(turn.original, number);
        assert_int_equal(turn.faults, 0);
    }
    assert_int_equal(ir_faults_shift(&none), 0);
    assert_int_equal(ir_faults_skew(&none, SEED, 5), 0);
}

/* Bursts and late messages change the order, but every message is still sent once. */
static void every_message_is_sent_once(void **state) {
    (void)state;
    static const unsigned motes[] = {1, 2, 7, 8, 9, 12, 100};
    static const double shares[] = {0.01, 0.125, 0.5, 1};
    for (size_t i = 0; i < sizeof motes / sizeof motes[0]; i++) {
        for (size_t j = 0; j < sizeof shares / sizeof shares[0]; j++) {
            const double late = shares[j] > 0.5 ? 0.5 : shares[j];
            count_faults(&(ir_faults_t){.bursts = shares[j], .late = late}, motes[i]);
            assert_int_equal(times_sent(1), seen.messages);
        }
    }
}

static void shares_are_kept(void **state) {
    (void)state;
    const ir_faults_t faults = {.duplicates = 0.1,
                                .late = 0.15,
                                .malformed = 0.05,
                                .unknown = 0.2,
                                .skew = 0.3,
                                .bursts = 0.25};
    count_faults(&faults, MOTES_MAX);
    assert_true(share(IR_FAULT_DUPLICATE) > 0.09 && share(IR_FAULT_DUPLICATE) < 0.11);
    assert_true(share(IR_FAULT_LATE) > 0.14 && share(IR_FAULT_LATE) < 0.16);
    assert_true(share(IR_FAULT_MALFORMED) > 0.045 && share(IR_FAULT_MALFORMED) < 0.055);
    assert_true(share(IR_FAULT_UNKNOWN) > 0.18 && share(IR_FAULT_UNKNOWN) < 0.2);
    assert_true(share(IR_FAULT_SKEW) > 0.2 && share(IR_FAULT_SKEW) < 0.4);
    assert_true(share(IR_FAULT_BURST) > 0.23 && share(IR_FAULT_BURST) < 0.27);
    assert_int_equal(times_sent(0), seen.faults[IR_FAULT_DUPLICATE]);
    assert_int_equal(times_sent(1), seen.messages - seen.faults[IR_FAULT_DUPLICATE]);
}

/* A burst is eight messages of one mote with consecutive numbers. */
static void bursts_come_together(void **state) {
    (void)state;
    const ir_faults_t faults = {.bursts = 0.1};
    ir_turn_t before = {0};
    unsigned together = 0;
    unsigned bursts = 0;
    for (uint64_t number = 0; number < 8000; number++) {
        ir_turn_t turn;
        ir_faults_turn(&faults, SEED, 8, number, &turn);
        if (turn.faults & IR_FAULT_BURST) {
            bursts++;
            together += before.mote == turn.mote && turn.round == before.round + 1;
        }
        before = turn;
    }
    assert_true(bursts > 600);
    assert_true(together >= bursts / 8 * 7);
}

/* A late message is older than a message that its mote sent before. */
static void late_is_after_younger_ones(void **state) {
    (void)state;
    const ir_faults_t faults = {.late = 0.2, .bursts = 0.2};
    uint64_t youngest[10] = {0};
    unsigned late = 0;
    for (uint64_t number = 0; number < 80000; number++) {
        ir_turn_t turn;
        ir_faults_turn(&faults, SEED, 10, number, &turn);
        const bool is_late = turn.faults & IR_FAULT_LATE;
        assert_int_equal(is_late, turn.round + 1 < youngest[turn.mote]);
        late += is_late;
        if (turn.round + 1 > youngest[turn.mote]) {
            youngest[turn.mote] = turn.round + 1;
        }
        const int64_t ahead = (int64_t)turn.round - (int64_t)(number / 10);
        assert_true(ahead <= ir_faults_shift(&faults) && -ahead <= ir_faults_shift(&faults));
    }
    assert_true(late > 14000 && late < 18000);
}

static void clocks_stay_wrong(void **state) {
    (void)state;
    const ir_faults_t faults = {.skew = 0.5};
    unsigned wrong = 0;
    unsigned slow = 0;
    for (unsigned mote = 0; mote < 1000; mote++) {
        const int64_t skew_ns = ir_faults_skew(&faults, SEED, mote);
        assert_int_equal(skew_ns % IR_SECOND_NS, 0);
        assert_true(skew_ns <= 7200 * IR_SECOND_NS && skew_ns >= -7200 * IR_SECOND_NS);
        wrong += skew_ns != 0;
        slow += skew_ns < 0;
    }
    assert_in_range(wrong, 450, 550);
    assert_in_range(slow, 200, 300);
}

/* ---- the times in packs ---- */

static void timings_have_their_shares(void **state) {
    (void)state;
    enum { MESSAGES = 20000 };
    const ir_timings_t timings = {.relative = 0.2, .clockless = 0.3, .named = 0.5, .repeated = 0.4};
    const ir_faults_t faults = {.duplicates = 0.2};
    unsigned relative = 0;
    unsigned clockless = 0;
    unsigned named = 0;
    unsigned repeated = 0;
    for (uint64_t number = 0; number < MESSAGES; number++) {
        ir_timed_t timed;
        ir_turn_t turn;
        ir_faults_turn(&faults, SEED, 10, number, &turn);
        ir_faults_timed(&timings, &faults, SEED, turn.original, &timed);
        relative += timed.timing == IR_TIMING_RELATIVE;
        clockless += timed.timing == IR_TIMING_CLOCKLESS;
        named += timed.named;
        repeated += timed.repeated;
        assert_true(timed.timing != IR_TIMING_ABSOLUTE || !timed.named);
        assert_true(timed.timing == IR_TIMING_CLOCKLESS || !timed.repeated);
        if (turn.original != number) {
            assert_int_equal(timed.timing, IR_TIMING_ABSOLUTE);
        }
    }
    /* Two of five messages are duplicates, or have a duplicate. */
    assert_in_range(relative, 0.11 * MESSAGES, 0.13 * MESSAGES);
    assert_in_range(clockless, 0.17 * MESSAGES, 0.19 * MESSAGES);
    assert_in_range(named, 0.14 * MESSAGES, 0.16 * MESSAGES);
    assert_in_range(repeated, 0.06 * MESSAGES, 0.085 * MESSAGES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_motes_take_turns),
        cmocka_unit_test(every_message_is_sent_once),
        cmocka_unit_test(shares_are_kept),
        cmocka_unit_test(bursts_come_together),
        cmocka_unit_test(late_is_after_younger_ones),
        cmocka_unit_test(clocks_stay_wrong),
        cmocka_unit_test(timings_have_their_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
