/* Requests that are decoded in a separate thread. Motes take turns; a mote's requests keep their
 * order, and their number is limited. Nothing is lost or leaked, whenever the decoder ends. */
#include "common/clock.h"
#include "ingest/decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <poll.h>

#define MOTE_MOST 3
#define WAIT_MS 10000
#define BODY "[{\"n\":\"a/x\",\"v\":1,\"t\":1300000000}]"

static const ir_submission_limits_t limits = {
    .senml = {.bytes = 512, .depth = 16, .records = 100, .future_ns = 0},
    .body_bytes = 2048,
    .expanded_bytes = 4096,
    .packs = 4};

static ir_decoder_t *start(void) {
    ir_decoder_t *decoder = NULL;
    ir_error_t error;
    assert_int_equal(ir_decoder_start(&limits, MOTE_MOST, &decoder, &error), IR_OK);
    return decoder;
}

/* The context identifies the request. */
static ir_status_t add(ir_decoder_t *decoder, ir_account_t *account, const char *text,
                       const char *context) {
    const ir_submission_input_t input = {.mote = account->mote,
                                         .content_type = "application/senml+json",
                                         .arrival_ns = INT64_C(1400000000) * IR_SECOND_NS};
    struct evbuffer *body = evbuffer_new();
    assert_non_null(body);
    assert_int_equal(evbuffer_add(body, text, strlen(text)), 0);
    const ir_status_t status = ir_decoder_add(decoder, account, &input, body, (void *)context);
    assert_int_equal(evbuffer_get_length(body), status == IR_OK ? 0 : strlen(text));
    evbuffer_free(body);
    return status;
}

/* Does what one turn of the gateway's loop does. */
static ir_decoding_t *wait_for(ir_decoder_t *decoder) {
    struct pollfd polled = {.fd = ir_decoder_fd(decoder), .events = POLLIN};
    assert_int_equal(poll(&polled, 1, WAIT_MS), 1);
    ir_decoding_t *taken = ir_decoder_take(decoder);
    assert_non_null(taken);
    return taken;
}

static void which_way(void **state) {
    (void)state;
    ir_account_t account = {.mote = "a"};
    ir_submission_input_t input = {.mote = "a"};
    assert_false(ir_decoder_wants(&account, &input, 100));
    assert_true(ir_decoder_wants(&account, &input, 100000));
    input.content_encoding = "identity";
    assert_false(ir_decoder_wants(&account, &input, 100));
    input.content_encoding = "gzip";
    assert_true(ir_decoder_wants(&account, &input, 100));
    input.content_encoding = NULL;
    account.decoding = 1;
    assert_true(ir_decoder_wants(&account, &input, 100));
}

static void results(void **state) {
    (void)state;
    ir_decoder_t *decoder = start();
    ir_account_t account = {.mote = "a"};
    assert_int_equal(add(decoder, &account, BODY, "good"), IR_OK);
    assert_int_equal(add(decoder, &account, "[", "bad"), IR_OK);
    ir_decoder_hand(decoder, ir_decoder_next(decoder));
    assert_null(ir_decoder_next(decoder));
    ir_decoding_t *good = wait_for(decoder);
    assert_string_equal(good->context, "good");
    assert_int_equal(good->status, IR_OK);
    assert_int_equal(ir_decoder_submission(decoder)->code, 202);
    assert_int_equal(good->shipment->n_messages, 1);
    assert_int_equal(good->shipment->messages[0].body.size, strlen(BODY));
    ir_decoder_end(decoder, good, &account);
    ir_decoder_hand(decoder, ir_decoder_next(decoder));
    ir_decoding_t *bad = wait_for(decoder);
    assert_int_equal(ir_decoder_submission(decoder)->code, 400);
    assert_null(bad->shipment);
    ir_decoder_end(decoder, bad, &account);
    assert_int_equal(account.decoding, 0);
    assert_int_equal(ir_decoder_count(decoder), 0);
    ir_decoder_stop(decoder);
}

static void motes_take_turns(void **state) {
    (void)state;
    ir_decoder_t *decoder = start();
    ir_account_t a = {.mote = "a"};
    ir_account_t b = {.mote = "b"};
    ir_account_t c = {.mote = "c"};
    static const char *const order[] = {"a1", "b1", "c1", "a2", "b2", "a3"};
    assert_int_equal(add(decoder, &a, BODY, "a1"), IR_OK);
    assert_int_equal(add(decoder, &a, BODY, "a2"), IR_OK);
    assert_int_equal(add(decoder, &a, BODY, "a3"), IR_OK);
    assert_int_equal(add(decoder, &a, BODY, "a4"), IR_ERR_FULL);
    assert_int_equal(add(decoder, &b, BODY, "b1"), IR_OK);
    assert_int_equal(add(decoder, &b, BODY, "b2"), IR_OK);
    assert_int_equal(add(decoder, &c, BODY, "c1"), IR_OK);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        ir_decoding_t *next = ir_decoder_next(decoder);
        assert_string_equal(next->context, order[i]);
        ir_decoder_hand(decoder, next);
        next = wait_for(decoder);
        assert_string_equal(next->context, order[i]);
        ir_decoder_end(decoder, next, NULL);
    }
    assert_null(ir_decoder_next(decoder));
    ir_decoder_stop(decoder);
}

/* With two bodies of the mote: one handed to the thread, one that waits. */
static ir_decoder_t *start_with_one_handed(ir_account_t *account) {
    ir_decoder_t *decoder = start();
    assert_int_equal(add(decoder, account, BODY, "handed"), IR_OK);
    assert_int_equal(add(decoder, account, BODY, "waits"), IR_OK);
    ir_decoder_hand(decoder, ir_decoder_next(decoder));
    return decoder;
}

static void who_waits_too_long(void **state) {
    (void)state;
    ir_account_t a = {.mote = "a"};
    ir_decoder_t *decoder = start_with_one_handed(&a);
    assert_null(ir_decoder_overdue(decoder, 0));
    for (size_t left = 2; left > 0; left--) {
        ir_decoding_t *late = ir_decoder_overdue(decoder, INT64_MAX);
        assert_non_null(late);
        ir_decoder_abandon(decoder, late, &a);
    }
    assert_null(ir_decoder_overdue(decoder, INT64_MAX));
    assert_null(ir_decoder_next(decoder));
    assert_int_equal(ir_decoder_count(decoder), 1);
    ir_decoding_t *handed = wait_for(decoder);
    assert_null(handed->context);
    ir_decoder_end(decoder, handed, &a);
    assert_int_equal(ir_decoder_count(decoder), 0);
    ir_decoder_stop(decoder);
}

static void what_is_left_at_the_end(void **state) {
    (void)state;
    ir_account_t a = {.mote = "a"};
    ir_decoder_t *decoder = start_with_one_handed(&a);
    ir_decoder_stop(decoder);
    ir_decoder_stop(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_way),
        cmocka_unit_test(results),
        cmocka_unit_test(motes_take_turns),
        cmocka_unit_test(who_waits_too_long),
        cmocka_unit_test(what_is_left_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
