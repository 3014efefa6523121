/* The size limit for messages is read from the broker's error text. Larger messages are refused
 * without being sent. */
#include "broker/size_trial.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void learn(ir_size_bound_t *bound, const char *words) {
    ir_size_learn(bound, ir_view_text(words));
}

static void the_bound_is_read_from_the_words(void **state) {
    (void)state;
    ir_size_bound_t bound = {0};
    ir_error_t error;
    const ir_broker_options_t options = {.uri = "amqp://127.0.0.1:1"};
    learn(&bound,
          "PRECONDITION_FAILED - message size 2000000 is larger than configured max size 1048576");
    assert_int_equal(bound.most, 1048576);
    assert_int_equal(ir_size_check(&bound, &options, 1048577, &error), IR_ERR_RANGE);
    assert_int_equal(ir_size_check(&bound, &options, 1048576, &error), IR_OK);
}

static void other_words_tell_nothing(void **state) {
    (void)state;
    ir_size_bound_t bound = {0};
    learn(&bound, "");
    learn(&bound, "PRECONDITION_FAILED - invalid expiration");
    learn(&bound, "max size ");
    learn(&bound, "max size x");
    assert_int_equal(bound.most, 0);
}

/* No broker listens at this address. The limit stays unknown, and is not queried again. */
static void what_cannot_be_tried_stays_unknown(void **state) {
    (void)state;
    ir_size_bound_t bound = {0};
    ir_error_t error;
    const ir_broker_options_t options = {
        .uri = "amqp://127.0.0.1:1", .timeout_ns = IR_SECOND_NS, .trial_bytes = 1 << 20};
    ir_size_try(&bound, &options, 0);
    const int64_t tried_ns = bound.tried_ns;
    assert_true(tried_ns != 0);
    assert_int_equal(ir_size_check(&bound, &options, 1 << 20, &error), IR_OK);
    ir_size_try(&bound, &options, 0);
    assert_int_equal(bound.tried_ns, tried_ns);
}

static void small_messages_are_not_tried(void **state) {
    (void)state;
    ir_size_bound_t bound = {0};
    const ir_broker_options_t options = {.uri = "amqp://127.0.0.1:1",
                                         .trial_bytes = IR_SIZE_UNTRIED};
    ir_size_try(&bound, &options, 0);
    assert_int_equal(bound.tried_ns, 0);
}

static void a_setting_bounds_before_the_broker_does(void **state) {
    (void)state;
    ir_size_bound_t bound = {0};
    ir_error_t error;
    const ir_broker_options_t options = {.uri = "amqp://127.0.0.1:1", .message_bytes = 1000};
    assert_int_equal(ir_size_check(&bound, &options, 1001, &error), IR_ERR_RANGE);
    assert_int_equal(ir_size_check(&bound, &options, 1000, &error), IR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_is_read_from_the_words),
        cmocka_unit_test(other_words_tell_nothing),
        cmocka_unit_test(what_cannot_be_tried_stays_unknown),
        cmocka_unit_test(small_messages_are_not_tried),
        cmocka_unit_test(a_setting_bounds_before_the_broker_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
