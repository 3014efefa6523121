#include "loadgen/receipts.h"

#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define US 1000

static ir_receipts_counts_t counts;

/* Ids that differ in their first bytes only now and then, so that places in the index collide. */
static ir_id_t id_of(unsigned n) {
    ir_id_t id = {{0}};
    id.bytes[0] = (uint8_t)(n % 3);
    memcpy(id.bytes + 12, &n, sizeof n);
    return id;
}

static bool expect(ir_receipts_t *receipts, unsigned n, unsigned mote) {
    const ir_id_t id = id_of(n);
    return ir_receipts_expect(receipts, &id, mote, 1000 * US, 1200 * US);
}

static void arrive(ir_receipts_t *receipts, unsigned n, unsigned format, bool marked) {
    const ir_id_t id = id_of(n);
    ir_receipts_arrive(receipts, &id, format, marked, 2200 * US);
    ir_receipts_count(receipts, &counts);
}

static void complete_when_the_last_format_is_there(void **state) {
    (void)state;
    ir_receipts_t *receipts = ir_receipts_new(10, 1, 2, false);
    assert_true(expect(receipts, 1, 0));
    arrive(receipts, 1, 1, false);
    assert_int_equal(counts.complete, 0);
    assert_int_equal(ir_histogram_count(ir_receipts_raw(receipts)), 0);
    arrive(receipts, 1, 0, false);
    assert_int_equal(counts.complete, 1);
    assert_int_equal(counts.by_format[0], 1);
    assert_int_equal(counts.by_format[1], 1);
    assert_int_equal(counts.last_complete_ns, 2200 * US);
    assert_int_equal(ir_histogram_max(ir_receipts_raw(receipts)), 1000);
    assert_int_equal(ir_histogram_max(ir_receipts_corrected(receipts)), 1200);
    ir_receipts_free(receipts);
}

static void any_format_completes(void **state) {
    (void)state;
    ir_receipts_t *receipts = ir_receipts_new(10, 1, 8, true);
    assert_true(expect(receipts, 1, 0));
    arrive(receipts, 1, 5, false);
    arrive(receipts, 1, 6, false);
    assert_int_equal(counts.complete, 1);
    assert_int_equal(counts.by_format[6], 1);
    assert_int_equal(ir_histogram_count(ir_receipts_raw(receipts)), 1);
    ir_receipts_free(receipts);
}

static void copies_and_foreign_messages(void **state) {
    (void)state;
    ir_receipts_t *receipts = ir_receipts_new(10, 1, 1, false);
    assert_true(expect(receipts, 1, 0));
    assert_true(expect(receipts, 2, 0));
    arrive(receipts, 1, 0, false);
    arrive(receipts, 2, 0, false);
    arrive(receipts, 1, 0, true);
    arrive(receipts, 1, 0, false);
    arrive(receipts, 7, 0, false);
    ir_receipts_revision(receipts);
    ir_receipts_count(receipts, &counts);
    assert_int_equal(counts.expected, 2);
    assert_int_equal(counts.complete, 2);
    assert_int_equal(counts.copies, 2);
    assert_int_equal(counts.marked, 1);
    assert_int_equal(counts.foreign, 1);
    assert_int_equal(counts.revisions, 1);
    assert_int_equal(counts.order_violations, 0);
    ir_receipts_free(receipts);
}

static void order_is_that_of_a_mote_and_format(void **state) {
    (void)state;
    ir_receipts_t *receipts = ir_receipts_new(10, 2, 2, false);
    for (unsigned n = 0; n < 6; n++) {
        assert_true(expect(receipts, n, n % 2));
    }
    arrive(receipts, 1, 0, false); /* another mote */
    arrive(receipts, 0, 0, false);
    arrive(receipts, 2, 0, false);
    arrive(receipts, 0, 1, false); /* another format */
    assert_int_equal(counts.order_violations, 0);
    arrive(receipts, 5, 0, false);
    arrive(receipts, 3, 0, false); /* a later one of its mote was there */
    assert_int_equal(counts.order_violations, 1);
    arrive(receipts, 4, 1, false);
    arrive(receipts, 2, 1, true); /* perhaps a copy */
    assert_int_equal(counts.order_violations, 1);
    ir_receipts_free(receipts);
}

static void what_was_resent_has_no_order(void **state) {
    (void)state;
    ir_receipts_t *receipts = ir_receipts_new(10, 1, 1, false);
    assert_true(expect(receipts, 1, 0));
    assert_true(expect(receipts, 2, 0));
    const ir_id_t first = id_of(1);
    const ir_id_t unknown = id_of(9);
    ir_receipts_resent(receipts, &first);
    ir_receipts_resent(receipts, &unknown);
    arrive(receipts, 2, 0, false);
    arrive(receipts, 1, 0, false);
    assert_int_equal(counts.order_violations, 0);
    assert_int_equal(counts.complete, 2);
    ir_receipts_free(receipts);
}

static void no_room_until_the_oldest_is_complete(void **state) {
    (void)state;
    ir_receipts_t *receipts = ir_receipts_new(3, 1, 1, false);
    for (unsigned n = 0; n < 3; n++) {
        assert_true(expect(receipts, n, 0));
    }
    arrive(receipts, 1, 0, false);
    assert_false(expect(receipts, 3, 0));
    arrive(receipts, 0, 0, false);
    assert_true(expect(receipts, 3, 0));
    assert_true(expect(receipts, 4, 0));
    assert_false(expect(receipts, 5, 0));
    arrive(receipts, 0, 0, false); /* forgotten */
    assert_int_equal(counts.foreign, 1);
    arrive(receipts, 3, 0, true);
    assert_int_equal(counts.complete, 3);
    ir_receipts_free(receipts);
}

/* Many turns of the ring: every id is found while it is remembered, none afterwards. */
static void the_index_holds_through_many_turns(void **state) {
    (void)state;
    enum { CAPACITY = 37, MESSAGES = 5000, DELAY = 20 };
    ir_receipts_t *receipts = ir_receipts_new(CAPACITY, 1, 1, false);
    for (unsigned n = 0; n < MESSAGES + DELAY; n++) {
        if (n < MESSAGES) {
            assert_true(expect(receipts, n, 0));
        }
        if (n >= DELAY) {
            arrive(receipts, n - DELAY, 0, false);
        }
    }
    assert_int_equal(counts.complete, MESSAGES);
    assert_int_equal(counts.foreign, 0);
    assert_int_equal(counts.copies, 0);
    assert_int_equal(counts.order_violations, 0);
    ir_receipts_free(receipts);
}

static void every_allocation_failing(void **state) {
    (void)state;
    failing_alloc_required();
    for (unsigned nth = 1;; nth++) {
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        ir_receipts_t *receipts = ir_receipts_new(10, 3, 2, false);
        if (!failing_alloc_disarm()) {
            assert_non_null(receipts);
            ir_receipts_free(receipts);
            break;
        }
        assert_null(receipts);
    }
    ir_receipts_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_when_the_last_format_is_there),
        cmocka_unit_test(any_format_completes),
        cmocka_unit_test(copies_and_foreign_messages),
        cmocka_unit_test(order_is_that_of_a_mote_and_format),
        cmocka_unit_test(what_was_resent_has_no_order),
        cmocka_unit_test(no_room_until_the_oldest_is_complete),
        cmocka_unit_test(the_index_holds_through_many_turns),
        cmocka_unit_test(every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
