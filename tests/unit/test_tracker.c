#include "loadgen/track/tracker.h"

#include "common/clock.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define US 1000

static ir_tracker_counts_t counts;
static const ir_view_t no_mote;

/* Makes ids whose first bytes are often equal, so that they collide in the hash table. */
static ir_id_t id_of(unsigned n) {
    ir_id_t id = {{0}};
    id.bytes[9] = (uint8_t)(n % 3);
    memcpy(id.bytes + 12, &n, sizeof n);
    return id;
}

static bool open_message(ir_tracker_t *tracker, unsigned n, unsigned mote, size_t n_accepted,
                         uint64_t *ticket) {
    const ir_id_t id = id_of(n);
    const ir_expected_t expected = {.raw_id = &id,
                                    .mote = mote,
                                    .n_records = 4,
                                    .n_accepted = n_accepted,
                                    .intended_ns = 1000 * US,
                                    .sent_ns = 1200 * US};
    return ir_tracker_expect(tracker, &expected, ticket);
}

/* A good message that the target confirms at once. */
static bool expect(ir_tracker_t *tracker, unsigned n, unsigned mote) {
    uint64_t ticket = 0;
    if (!open_message(tracker, n, mote, 4, &ticket)) {
        return false;
    }
    ir_tracker_answer(tracker, ticket, true);
    return true;
}

static void reject(ir_tracker_t *tracker, unsigned n) {
    const ir_id_t id = id_of(n);
    ir_tracker_reject(tracker, &id, no_mote);
    ir_tracker_count(tracker, &counts);
}

static void arrive(ir_tracker_t *tracker, unsigned n, unsigned format, bool marked) {
    const ir_id_t id = id_of(n);
    ir_tracker_arrive(tracker, &id, no_mote, format, marked, 2200 * US);
    ir_tracker_count(tracker, &counts);
}

static void complete_when_the_last_format_is_there(void **state) {
    (void)state;
    ir_latency_t latency;
    assert_true(ir_latency_init(&latency));
    ir_tracker_t *tracker = ir_tracker_new(10, 1, 2, false);
    assert_true(expect(tracker, 1, 0));
    arrive(tracker, 1, 1, false);
    assert_int_equal(counts.complete, 0);
    assert_int_equal(counts.waiting, 1);
    assert_int_equal(counts.waiting_records, 4);
    ir_tracker_take(tracker, &latency);
    assert_int_equal(ir_histogram_count(latency.raw), 0);
    arrive(tracker, 1, 0, false);
    assert_int_equal(counts.complete, 1);
    assert_int_equal(counts.by_format[0], 1);
    assert_int_equal(counts.by_format[1], 1);
    assert_int_equal(counts.last_complete_ns, 2200 * US);
    assert_int_equal(counts.complete_records, 4);
    assert_int_equal(counts.waiting, 0);
    ir_tracker_take(tracker, &latency);
    assert_int_equal(ir_histogram_max(latency.raw), 1000);
    assert_int_equal(ir_histogram_max(latency.corrected), 1200);
    ir_latency_reset(&latency);
    ir_tracker_take(tracker, &latency);
    assert_int_equal(ir_histogram_count(latency.raw), 0);
    ir_latency_free(&latency);
    ir_tracker_free(tracker);
}

static void any_format_completes(void **state) {
    (void)state;
    ir_tracker_t *tracker = ir_tracker_new(10, 1, 8, true);
    assert_true(expect(tracker, 1, 0));
    arrive(tracker, 1, 5, false);
    arrive(tracker, 1, 6, false);
    assert_int_equal(counts.complete, 1);
    assert_int_equal(counts.by_format[6], 1);
    assert_int_equal(counts.waiting, 0);
    ir_tracker_free(tracker);
}

static void copies_and_foreign_messages(void **state) {
    (void)state;
    ir_tracker_t *tracker = ir_tracker_new(10, 1, 1, false);
    assert_true(expect(tracker, 1, 0));
    assert_true(expect(tracker, 2, 0));
    arrive(tracker, 1, 0, false);
    arrive(tracker, 2, 0, false);
    arrive(tracker, 1, 0, true);
    arrive(tracker, 1, 0, false);
    arrive(tracker, 7, 0, false);
    ir_tracker_revision(tracker);
    ir_tracker_count(tracker, &counts);
    assert_int_equal(counts.expected, 2);
    assert_int_equal(counts.complete, 2);
    assert_int_equal(counts.copies, 2);
    assert_int_equal(counts.marked, 1);
    assert_int_equal(counts.foreign, 1);
    assert_int_equal(counts.revisions, 1);
    assert_int_equal(counts.order_violations, 0);
    ir_tracker_free(tracker);
}

static void order_is_that_of_a_mote_and_format(void **state) {
    (void)state;
    ir_tracker_t *tracker = ir_tracker_new(10, 2, 2, false);
    for (unsigned n = 0; n < 6; n++) {
        assert_true(expect(tracker, n, n % 2));
    }
    arrive(tracker, 1, 0, false); /* another mote */
    arrive(tracker, 0, 0, false);
    arrive(tracker, 2, 0, false);
    arrive(tracker, 0, 1, false); /* another format */
    assert_int_equal(counts.order_violations, 0);
    arrive(tracker, 5, 0, false);
    arrive(tracker, 3, 0, false); /* a later message of its mote has arrived before */
    assert_int_equal(counts.order_violations, 1);
    arrive(tracker, 4, 1, false);
    arrive(tracker, 2, 1, true); /* it may be a copy */
    assert_int_equal(counts.order_violations, 1);
    ir_tracker_free(tracker);
}

static void what_was_resent_has_no_order(void **state) {
    (void)state;
    ir_tracker_t *tracker = ir_tracker_new(10, 1, 1, false);
    uint64_t first = 0;
    assert_true(open_message(tracker, 1, 0, 4, &first));
    assert_true(expect(tracker, 2, 0));
    ir_tracker_resent(tracker, first);
    arrive(tracker, 2, 0, false);
    arrive(tracker, 1, 0, false);
    assert_int_equal(counts.order_violations, 0);
    assert_int_equal(counts.complete, 2);
    ir_tracker_free(tracker);
}

static void no_room_until_the_oldest_is_complete(void **state) {
    (void)state;
    ir_tracker_t *tracker = ir_tracker_new(3, 1, 1, false);
    for (unsigned n = 0; n < 3; n++) {
        assert_true(expect(tracker, n, 0));
    }
    arrive(tracker, 1, 0, false);
    assert_false(expect(tracker, 3, 0));
    arrive(tracker, 0, 0, false);
    assert_true(expect(tracker, 3, 0));
    assert_true(expect(tracker, 4, 0));
    assert_false(expect(tracker, 5, 0));
    arrive(tracker, 0, 0, false); /* forgotten */
    assert_int_equal(counts.foreign, 1);
    arrive(tracker, 3, 0, true);
    assert_int_equal(counts.complete, 3);
    ir_tracker_free(tracker);
}

static void every_fate(void **state) {
    (void)state;
    ir_tracker_t *tracker = ir_tracker_new(10, 1, 1, false);
    uint64_t tickets[6];
    const size_t accepted[6] = {4, 4, 3, 0, 4, 4};
    for (unsigned n = 0; n < 6; n++) {
        assert_true(open_message(tracker, n, 0, accepted[n], &tickets[n]));
    }
    ir_tracker_count(tracker, &counts);
    assert_int_equal(counts.by_fate[IR_FATE_UNANSWERED], 6);
    arrive(tracker, 0, 0, false); /* before its confirm */
    assert_int_equal(counts.stray, 1);
    for (unsigned n = 0; n < 5; n++) {
        ir_tracker_answer(tracker, tickets[n], n != 4);
    }
    ir_tracker_count(tracker, &counts);
    assert_int_equal(counts.stray, 0);
    assert_int_equal(counts.by_fate[IR_FATE_REPUBLISHED], 1);
    assert_int_equal(counts.by_fate[IR_FATE_MISSING], 3);
    assert_int_equal(counts.by_fate[IR_FATE_REFUSED], 1);
    assert_int_equal(counts.by_fate[IR_FATE_UNANSWERED], 1);
    assert_int_equal(counts.waiting_records, 4 + 3);
    reject(tracker, 2); /* one of its records was rejected */
    reject(tracker, 3); /* as intended */
    reject(tracker, 3);
    assert_int_equal(counts.by_fate[IR_FATE_REJECTED], 2);
    assert_int_equal(counts.waiting, 2);
    assert_int_equal(counts.unmeant, 0);
    arrive(tracker, 2, 0, false);
    assert_int_equal(counts.by_fate[IR_FATE_REPUBLISHED], 2);
    assert_int_equal(counts.by_fate[IR_FATE_REJECTED], 1);
    assert_int_equal(counts.partly_rejected, 1);
    assert_int_equal(counts.complete_records, 4 + 3);
    reject(tracker, 1); /* although every record is good */
    assert_int_equal(counts.unmeant, 1);
    assert_int_equal(counts.waiting, 1);
    reject(tracker, 77);
    assert_int_equal(counts.foreign, 1);
    ir_tracker_free(tracker);
}

static void every_fate_has_a_text(void **state) {
    (void)state;
    for (int fate = 0; fate < IR_FATE_COUNT; fate++) {
        assert_string_not_equal(ir_fate_text((ir_fate_t)fate), "unknown");
    }
    assert_string_equal(ir_fate_text(IR_FATE_COUNT), "unknown");
}

/* A message may come back before it is answered. The tracker must keep it until the answer, because
 * its ticket is in use. */
static void no_room_until_the_oldest_is_answered(void **state) {
    (void)state;
    ir_tracker_t *tracker = ir_tracker_new(2, 1, 1, false);
    uint64_t first = 0;
    assert_true(open_message(tracker, 0, 0, 4, &first));
    assert_true(expect(tracker, 1, 0));
    arrive(tracker, 0, 0, false);
    arrive(tracker, 1, 0, false);
    assert_false(expect(tracker, 2, 0));
    ir_tracker_answer(tracker, first, false);
    assert_true(expect(tracker, 2, 0));
    ir_tracker_free(tracker);
}

/* The ring is filled many times. Every id is found while it is in the ring, and not afterwards. */
static void the_index_holds_through_many_turns(void **state) {
    (void)state;
    enum { CAPACITY = 37, MESSAGES = 5000, DELAY = 20 };
    ir_tracker_t *tracker = ir_tracker_new(CAPACITY, 1, 1, false);
    for (unsigned n = 0; n < MESSAGES + DELAY; n++) {
        if (n < MESSAGES) {
            assert_true(expect(tracker, n, 0));
        }
        if (n >= DELAY) {
            arrive(tracker, n - DELAY, 0, false);
        }
    }
    assert_int_equal(counts.complete, MESSAGES);
    assert_int_equal(counts.foreign, 0);
    assert_int_equal(counts.copies, 0);
    assert_int_equal(counts.order_violations, 0);
    ir_tracker_free(tracker);
}

/* ---- messages whose raw ids are not known in advance ---- */

static const ir_source_options_t three_motes = {
    .simulate = 3, .records = 7, .interval_ns = 900 * IR_SECOND_NS, .messages = 30};

static ir_view_t name_of(const ir_source_t *source, unsigned mote) {
    return ir_source_mote(source, mote);
}

static void expect_arrival(ir_tracker_t *tracker, unsigned mote, size_t n_accepted) {
    uint64_t ticket = 0;
    const ir_expected_t expected = {.mote = mote,
                                    .n_records = 4,
                                    .n_accepted = n_accepted,
                                    .intended_ns = 1000 * US,
                                    .sent_ns = 1200 * US};
    assert_true(ir_tracker_expect(tracker, &expected, &ticket));
    ir_tracker_answer(tracker, ticket, true);
}

static void arrive_of(ir_tracker_t *tracker, unsigned n, ir_view_t mote, unsigned format) {
    const ir_id_t id = id_of(n);
    ir_tracker_arrive(tracker, &id, mote, format, false, 2200 * US);
    ir_tracker_count(tracker, &counts);
}

static void unknown_ids_are_matched_in_the_order_of_their_mote(void **state) {
    (void)state;
    ir_source_t source = sources_open(&three_motes);
    ir_motes_t *motes = ir_motes_new(&source);
    ir_tracker_t *tracker = ir_tracker_new(10, 3, 2, false);
    assert_non_null(motes);
    assert_true(ir_tracker_match(tracker, motes));
    expect_arrival(tracker, 1, 4);
    expect_arrival(tracker, 2, 4);
    expect_arrival(tracker, 1, 4);
    assert_true(expect(tracker, 7, 1));
    arrive_of(tracker, 100, name_of(&source, 1), 0);
    arrive_of(tracker, 101, name_of(&source, 1), 0);
    arrive_of(tracker, 100, name_of(&source, 1), 1);
    assert_int_equal(counts.complete, 1);
    assert_int_equal(counts.matched, 2);
    arrive_of(tracker, 7, name_of(&source, 1), 0); /* an id that is known already is not assigned to
                                                    * another message */
    arrive_of(tracker, 100, name_of(&source, 1), 1);
    assert_int_equal(counts.copies, 1);
    arrive_of(tracker, 102, name_of(&source, 1), 0); /* this mote has no message left */
    arrive_of(tracker, 103, ir_view_text("nobody"), 0);
    assert_int_equal(counts.foreign, 2);
    arrive_of(tracker, 104, name_of(&source, 2), 0);
    arrive_of(tracker, 104, name_of(&source, 2), 1);
    arrive_of(tracker, 101, name_of(&source, 1), 1);
    assert_int_equal(counts.complete, 3);
    assert_int_equal(counts.matched, 3);
    ir_tracker_free(tracker);
    ir_motes_free(motes);
    ir_source_close(&source);
}

/* A message that was sent again may come back under two ids; the second one is then assigned to the
 * next message. Messages that arrive between the two are still in order. */
static void guesses_after_a_resend_have_no_order(void **state) {
    (void)state;
    ir_source_t source = sources_open(&three_motes);
    ir_motes_t *motes = ir_motes_new(&source);
    const ir_view_t mote = name_of(&source, 0);
    for (int with_gap = 0; with_gap < 2; with_gap++) {
        ir_tracker_t *tracker = ir_tracker_new(10, 3, 1, false);
        uint64_t first = 0;
        assert_true(ir_tracker_match(tracker, motes));
        const ir_expected_t expected = {.mote = 0, .n_records = 4, .n_accepted = 4};
        assert_true(ir_tracker_expect(tracker, &expected, &first));
        assert_true(expect(tracker, 7, 0));
        expect_arrival(tracker, 0, 4);
        assert_true(expect(tracker, 8, 0));
        if (with_gap) {
            ir_tracker_gap(tracker);
        } else {
            ir_tracker_resent(tracker, first);
            arrive_of(tracker, 100, mote, 0);
        }
        arrive_of(tracker, 101, mote, 0);
        arrive_of(tracker, 7, mote, 0);
        arrive_of(tracker, 102, mote, 0);
        assert_int_equal(counts.order_violations, 0);
        arrive_of(tracker, 8, mote, 0);
        assert_int_equal(counts.complete, 4);
        ir_tracker_free(tracker);
    }
    ir_motes_free(motes);
    ir_source_close(&source);
}

/* Rejections come through a separate queue, so they may arrive before or after published
 * messages. */
static void rejections_are_matched_with_what_is_to_be_rejected(void **state) {
    (void)state;
    ir_source_t source = sources_open(&three_motes);
    ir_motes_t *motes = ir_motes_new(&source);
    ir_tracker_t *tracker = ir_tracker_new(10, 3, 1, false);
    const ir_view_t mote = name_of(&source, 0);
    assert_true(ir_tracker_match(tracker, motes));
    expect_arrival(tracker, 0, 0); /* no part of it comes back */
    expect_arrival(tracker, 0, 4);
    expect_arrival(tracker, 0, 3);
    arrive_of(tracker, 51, mote, 0);
    for (unsigned n = 50; n <= 52; n += 2) {
        const ir_id_t id = id_of(n);
        ir_tracker_reject(tracker, &id, mote);
    }
    arrive_of(tracker, 52, mote, 0);
    assert_int_equal(counts.complete, 2);
    assert_int_equal(counts.by_fate[IR_FATE_REJECTED], 1);
    assert_int_equal(counts.partly_rejected, 1);
    assert_int_equal(counts.unmeant, 0);
    assert_int_equal(counts.waiting, 0);
    ir_tracker_free(tracker);
    ir_motes_free(motes);
    ir_source_close(&source);
}

/* A message that the target refused is removed from its mote's list when its slot is needed. */
static void refused_messages_leave_the_line(void **state) {
    (void)state;
    ir_source_t source = sources_open(&three_motes);
    ir_motes_t *motes = ir_motes_new(&source);
    ir_tracker_t *tracker = ir_tracker_new(2, 3, 1, false);
    assert_true(ir_tracker_match(tracker, motes));
    for (unsigned i = 0; i < 6; i++) {
        uint64_t ticket = 0;
        const ir_expected_t expected = {.mote = 0, .n_records = 4, .n_accepted = 4};
        assert_true(ir_tracker_expect(tracker, &expected, &ticket));
        ir_tracker_answer(tracker, ticket, false);
    }
    arrive_of(tracker, 1, name_of(&source, 0), 0); /* the target accepted it nevertheless */
    arrive_of(tracker, 2, name_of(&source, 0), 0);
    arrive_of(tracker, 3, name_of(&source, 0), 0);
    assert_int_equal(counts.matched, 2);
    assert_int_equal(counts.foreign, 1);
    ir_tracker_free(tracker);
    ir_motes_free(motes);
    ir_source_close(&source);
}

static void every_allocation_failing(void **state) {
    (void)state;
    failing_alloc_required();
    for (unsigned nth = 1;; nth++) {
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        ir_tracker_t *tracker = ir_tracker_new(10, 3, 2, false);
        if (!failing_alloc_disarm()) {
            assert_non_null(tracker);
            ir_tracker_free(tracker);
            break;
        }
        assert_null(tracker);
    }
    ir_tracker_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_when_the_last_format_is_there),
        cmocka_unit_test(any_format_completes),
        cmocka_unit_test(copies_and_foreign_messages),
        cmocka_unit_test(order_is_that_of_a_mote_and_format),
        cmocka_unit_test(what_was_resent_has_no_order),
        cmocka_unit_test(no_room_until_the_oldest_is_complete),
        cmocka_unit_test(no_room_until_the_oldest_is_answered),
        cmocka_unit_test(every_fate),
        cmocka_unit_test(every_fate_has_a_text),
        cmocka_unit_test(the_index_holds_through_many_turns),
        cmocka_unit_test(unknown_ids_are_matched_in_the_order_of_their_mote),
        cmocka_unit_test(guesses_after_a_resend_have_no_order),
        cmocka_unit_test(rejections_are_matched_with_what_is_to_be_rejected),
        cmocka_unit_test(refused_messages_leave_the_line),
        cmocka_unit_test(every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
