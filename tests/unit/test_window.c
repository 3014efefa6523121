/* The window of unanswered messages, by mote and by age, without a broker. */
#include "common/clock.h"
#include "ingest/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGES 64
#define MOTE_MESSAGES 8
#define BODY "[{\"n\":\"a\"}]"
#define LATE_NS IR_SECOND_NS
#define START_NS (1000 * IR_SECOND_NS)

static ir_outlet_window_t *window;
static const char one_connection, other_connection;
static const void *connection = &one_connection;

static int set_up(void **state) {
    (void)state;
    const ir_outlet_window_limits_t limits = {.messages = MESSAGES,
                                              .bytes = MESSAGES * 100,
                                              .memory = 1 << 20,
                                              .mote_messages = MOTE_MESSAGES,
                                              .mote_bytes = 1000,
                                              .late_ns = LATE_NS};
    window = ir_outlet_window_new(&limits);
    return window != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    const void *all[] = {&one_connection, &other_connection, NULL};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ir_outlet_window_message_t *oldest = NULL;
        while ((oldest = ir_outlet_window_oldest(window, all[i])) != NULL) {
            ir_shipment_free(ir_outlet_window_give_up(window, oldest, IR_SHIPMENT_UNKNOWN));
        }
    }
    connection = &one_connection;
    for (ir_shipment_t *each; (each = ir_outlet_window_give_up_unsent(window)) != NULL;) {
        ir_shipment_free(each);
    }
    const ir_outlet_window_counts_t none = {.messages = 0};
    assert_memory_equal(ir_outlet_window_counts(window), &none, sizeof none);
    ir_outlet_window_free(window);
    return 0;
}

static ir_shipment_t *make_shipment(unsigned mote, size_t n) {
    static ir_submission_pack_t packs[MESSAGES];
    const ir_submission_t submission = {.media = IR_MEDIA_SENML_JSON, .packs = packs, .n_packs = n};
    char name[16];
    for (size_t i = 0; i < n; i++) {
        packs[i].body = ir_view_text(BODY);
    }
    snprintf(name, sizeof name, "mote-%u", mote);
    ir_shipment_t *shipment = ir_shipment_new(&submission, name);
    assert_non_null(shipment);
    return shipment;
}

static ir_admission_t ask(unsigned mote, size_t n) {
    ir_shipment_t *shipment = make_shipment(mote, n);
    const ir_admission_t admission = ir_outlet_window_admit(window, shipment);
    if (admission != IR_ADMISSION_TAKEN) {
        ir_shipment_free(shipment);
    }
    return admission;
}

static bool admit(unsigned mote, size_t n) {
    return ask(mote, n) == IR_ADMISSION_TAKEN;
}

static size_t open_messages(void) {
    return ir_outlet_window_counts(window)->messages;
}

/* Sends all messages that may be sent now; returns the last one. */
static ir_outlet_window_message_t *send_all(int64_t now_ns) {
    ir_outlet_window_message_t *message = NULL;
    while (ir_outlet_window_next(window) != NULL) {
        message = ir_outlet_window_send(window, now_ns);
        ir_outlet_window_number(message, connection, open_messages());
    }
    return message;
}

static ir_outlet_window_message_t *send_one(unsigned mote, int64_t now_ns) {
    assert_true(admit(mote, 1));
    return send_all(now_ns);
}

/* Answers the message and returns its shipment's result; it must be the shipment's last message. */
static ir_shipment_fate_t answer(ir_outlet_window_message_t *message, bool confirmed) {
    ir_shipment_t *shipment = ir_outlet_window_answer(window, message, confirmed);
    assert_non_null(shipment);
    const ir_shipment_fate_t fate = shipment->fate;
    ir_shipment_free(shipment);
    return fate;
}

static void an_old_message_makes_its_mote_wait(void **state) {
    (void)state;
    ir_outlet_window_message_t *old = send_one(1, START_NS);
    ir_outlet_window_judge(window, START_NS + LATE_NS, false);
    assert_int_equal(ir_outlet_window_counts(window)->motes_waiting, 0);
    assert_true(admit(1, 1));
    ir_outlet_window_message_t *second = send_all(START_NS + LATE_NS);
    ir_outlet_window_judge(window, START_NS + LATE_NS + 1, false);
    assert_int_equal(ir_outlet_window_counts(window)->motes_waiting, 1);
    assert_int_equal(ir_outlet_window_counts(window)->messages_waiting, 2);
    assert_int_equal(ir_outlet_window_counts(window)->late, 1);
    assert_false(admit(1, 1));
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(answer(send_one(2, START_NS + LATE_NS), true), IR_SHIPMENT_CONFIRMED);
    }
    assert_int_equal(answer(old, true), IR_SHIPMENT_CONFIRMED);
    assert_int_equal(ir_outlet_window_counts(window)->motes_waiting, 0);
    assert_true(admit(1, 1));
    assert_int_equal(answer(second, false), IR_SHIPMENT_REFUSED);
}

static void a_mote_has_so_many_open_and_no_more(void **state) {
    (void)state;
    assert_true(admit(1, 20));
    ir_outlet_window_message_t *last = send_all(START_NS);
    assert_int_equal(open_messages(), MOTE_MESSAGES);
    assert_int_equal(ir_outlet_window_counts(window)->motes_waiting, 1);
    assert_int_equal(ask(1, 1), IR_ADMISSION_HELD);
    assert_null(ir_outlet_window_answer(window, last, true));
    assert_int_equal(ir_outlet_window_counts(window)->motes_waiting, 0);
    assert_int_equal(ask(1, 1), IR_ADMISSION_LATER);
    assert_non_null(ir_outlet_window_next(window));
    send_all(START_NS);
    assert_int_equal(open_messages(), MOTE_MESSAGES);
    for (unsigned confirmed = 1; confirmed < 19; confirmed++) {
        assert_null(
            ir_outlet_window_answer(window, ir_outlet_window_oldest(window, connection), true));
        send_all(START_NS);
    }
    assert_int_equal(open_messages(), 1);
    assert_int_equal(answer(ir_outlet_window_oldest(window, connection), true),
                     IR_SHIPMENT_CONFIRMED);
}

/* Nothing is late, so the second request of the mote waits and is not refused. */
static void one_request_of_a_mote_follows_the_other(void **state) {
    (void)state;
    assert_true(admit(1, 3));
    ir_outlet_window_send(window, START_NS);
    assert_int_equal(ask(1, 3), IR_ADMISSION_LATER);
    assert_true(admit(2, 1));
    send_all(START_NS);
    assert_true(admit(1, 3));
    send_all(START_NS);
    assert_int_equal(open_messages(), 7);
}

/* A queue that confirms nothing gets only a few messages of a mote. Each confirm allows one
 * more. */
static void a_mote_begins_with_fewer(void **state) {
    (void)state;
    const ir_outlet_window_limits_t limits = {.messages = MESSAGES,
                                              .bytes = 1 << 20,
                                              .memory = 1 << 20,
                                              .mote_messages = 20,
                                              .mote_bytes = 1 << 20,
                                              .late_ns = LATE_NS};
    ir_outlet_window_free(window);
    window = ir_outlet_window_new(&limits);
    assert_non_null(window);
    assert_true(admit(1, 60));
    send_all(START_NS);
    for (size_t open = 16; open <= 20; open++) {
        assert_int_equal(open_messages(), open);
        assert_null(
            ir_outlet_window_answer(window, ir_outlet_window_oldest(window, connection), true));
        send_all(START_NS);
    }
    assert_int_equal(open_messages(), 20);
}

/* Motes take turns, so one with a large request does not keep the others waiting. */
static void motes_take_turns(void **state) {
    (void)state;
    char key[16];
    assert_true(admit(1, 5));
    ir_outlet_window_send(window, START_NS);
    assert_true(admit(2, 5));
    for (unsigned i = 0; i < 8; i++) {
        const ir_shipment_t *next = ir_outlet_window_next(window);
        snprintf(key, sizeof key, "ir.mote-%u", i % 2 == 0 ? 2 : 1);
        assert_memory_equal(next->routing_key.data, key, next->routing_key.size);
        ir_outlet_window_send(window, START_NS);
    }
}

static void a_late_message_keeps_back_what_is_unsent(void **state) {
    (void)state;
    assert_true(admit(1, 12));
    ir_outlet_window_message_t *last = send_all(START_NS);
    ir_outlet_window_judge(window, START_NS + 2 * LATE_NS, false);
    assert_null(ir_outlet_window_answer(window, last, true));
    assert_null(ir_outlet_window_next(window));
    while (open_messages() > 0) {
        assert_null(
            ir_outlet_window_answer(window, ir_outlet_window_oldest(window, connection), true));
    }
    assert_non_null(ir_outlet_window_next(window));
    send_all(START_NS + 2 * LATE_NS);
    assert_int_equal(open_messages(), 4);
}

static void those_that_wait_hold_half_at_most(void **state) {
    (void)state;
    for (unsigned mote = 0; mote < MESSAGES; mote++) {
        send_one(mote, START_NS + mote);
    }
    assert_true(ir_outlet_window_crowded(window));
    assert_null(ir_outlet_window_excess(window));
    ir_outlet_window_judge(window, START_NS + MESSAGES + LATE_NS, false);
    ir_outlet_window_message_t *excess = NULL;
    uint64_t number = 0;
    while ((excess = ir_outlet_window_excess(window)) != NULL) {
        assert_int_equal(ir_outlet_window_message_number(excess), ++number);
        ir_shipment_t *given_up = ir_outlet_window_give_up(window, excess, IR_SHIPMENT_UNKNOWN);
        assert_int_equal(given_up->fate, IR_SHIPMENT_UNKNOWN);
        ir_shipment_free(given_up);
    }
    assert_int_equal(number, MESSAGES / 2);
    assert_int_equal(ir_outlet_window_counts(window)->messages_waiting, MESSAGES / 2);
    assert_false(ir_outlet_window_crowded(window));
    assert_true(admit(0, 1));
}

/* When the window is full, messages that were overtaken count as late at once. */
static void overtaken_messages_are_late_when_the_window_is_full(void **state) {
    (void)state;
    send_one(1, START_NS);
    answer(send_one(2, START_NS + LATE_NS / 2), true);
    ir_outlet_window_judge(window, START_NS + LATE_NS / 2, false);
    assert_int_equal(ir_outlet_window_counts(window)->motes_waiting, 0);
    send_one(3, START_NS + LATE_NS / 2);
    ir_outlet_window_judge(window, START_NS + LATE_NS / 2, true);
    assert_int_equal(ir_outlet_window_counts(window)->motes_waiting, 1);
    assert_false(admit(1, 1));
    assert_true(admit(3, 1));
}

static void a_return_fails_its_own_mote_only(void **state) {
    (void)state;
    ir_outlet_window_message_t *first = send_one(1, START_NS);
    ir_outlet_window_message_t *second = send_one(2, START_NS);
    ir_outlet_window_message_t *third = send_one(2, START_NS);
    ir_outlet_window_return(window, ir_view_text("ir.mote-1"));
    ir_outlet_window_return(window, ir_view_text("ir.mote-2"));
    ir_outlet_window_return(window, ir_view_text("ir.mote-3"));
    ir_outlet_window_message_t *later = send_one(2, START_NS);
    assert_int_equal(answer(first, true), IR_SHIPMENT_REFUSED);
    assert_int_equal(answer(second, true), IR_SHIPMENT_UNKNOWN);
    assert_int_equal(answer(third, false), IR_SHIPMENT_REFUSED);
    assert_int_equal(answer(later, true), IR_SHIPMENT_CONFIRMED);
}

static void giving_up_takes_what_is_unsent_with_it(void **state) {
    (void)state;
    assert_true(admit(1, 12));
    send_all(START_NS);
    while (open_messages() > 1) {
        assert_null(ir_outlet_window_give_up(window, ir_outlet_window_oldest(window, connection),
                                             IR_SHIPMENT_UNKNOWN));
    }
    ir_shipment_t *shipment = ir_outlet_window_give_up(
        window, ir_outlet_window_oldest(window, connection), IR_SHIPMENT_UNKNOWN);
    assert_non_null(shipment);
    assert_int_equal(shipment->fate, IR_SHIPMENT_UNKNOWN);
    assert_int_equal(shipment->sent, MOTE_MESSAGES);
    ir_shipment_free(shipment);
    assert_null(ir_outlet_window_give_up_unsent(window));
}

static bool all_silent(void) {
    return ir_outlet_window_all_silent(window, INT64_MAX);
}

static void silence_of_all_and_of_one(void **state) {
    (void)state;
    assert_false(all_silent());
    ir_outlet_window_message_t *first = send_one(1, START_NS);
    assert_true(all_silent());
    ir_outlet_window_message_t *second = send_one(1, START_NS + 1);
    answer(first, true);
    assert_true(all_silent());
    answer(send_one(2, START_NS + 2), true);
    assert_false(all_silent());
    answer(second, true);
    send_one(1, START_NS + 3);
    assert_false(all_silent());
    send_one(3, START_NS + 5);
    assert_true(all_silent());
    assert_false(ir_outlet_window_all_silent(window, START_NS + 5));
}

static void messages_on_another_connection(void **state) {
    (void)state;
    ir_outlet_window_message_t *stuck = send_one(1, START_NS);
    ir_outlet_window_message_t *same = send_one(1, START_NS);
    ir_outlet_window_message_t *later = send_one(2, START_NS);
    answer(send_one(3, START_NS + IR_SECOND_NS), true);
    assert_int_equal(ir_outlet_window_left_behind(window, &one_connection, 10), 3);
    assert_int_equal(ir_outlet_window_left_behind(window, &one_connection, 2), 2);
    ir_outlet_window_hold(window);
    connection = &other_connection;
    assert_int_equal(ir_outlet_window_counts(window)->motes_waiting, 2);
    assert_false(admit(1, 1));
    answer(later, true);
    ir_outlet_window_message_t *fresh = send_one(2, START_NS + IR_SECOND_NS);
    assert_int_equal(ir_outlet_window_left_behind(window, &other_connection, 10), 0);
    assert_ptr_equal(ir_outlet_window_oldest(window, &one_connection), stuck);
    assert_ptr_equal(ir_outlet_window_oldest(window, &other_connection), fresh);
    assert_ptr_equal(ir_outlet_window_message_connection(fresh), &other_connection);
    answer(fresh, true);
    assert_false(all_silent());
    answer(same, true);
    answer(stuck, true);
    assert_true(admit(1, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_old_message_makes_its_mote_wait),
        TEST(a_mote_has_so_many_open_and_no_more),
        TEST(one_request_of_a_mote_follows_the_other),
        TEST(a_mote_begins_with_fewer),
        TEST(motes_take_turns),
        TEST(a_late_message_keeps_back_what_is_unsent),
        TEST(those_that_wait_hold_half_at_most),
        TEST(overtaken_messages_are_late_when_the_window_is_full),
        TEST(a_return_fails_its_own_mote_only),
        TEST(giving_up_takes_what_is_unsent_with_it),
        TEST(silence_of_all_and_of_one),
        TEST(messages_on_another_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
