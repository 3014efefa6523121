/* The user name in the brokers' addresses, which becomes the user-id of messages. */
#include "broker/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static ir_status_t user_of(const char *uri, char user[static IR_BROKER_USER_SIZE]) {
    const ir_broker_options_t options = {.uri = uri};
    ir_error_t error = {.status = IR_OK};
    const ir_status_t status = ir_broker_user(&options, user, &error);
    assert_int_equal(status, error.status);
    return status;
}

static void one_user_for_all_addresses(void **state) {
    (void)state;
    static const struct {
        const char *uri, *user;
    } cases[] = {
        {"amqp://gateway@a/", "gateway"},
        {"amqp://gateway:secret@a:5673,amqp://gateway@b", "gateway"},
        {"amqp://a", "guest"},
        {"amqp://guest@a, amqp://b", "guest"},
        {"amqp://g%40te@a", "g@te"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char user[IR_BROKER_USER_SIZE] = "";
        assert_int_equal(user_of(cases[i].uri, user), IR_OK);
        assert_string_equal(user, cases[i].user);
    }
}

static void several_users_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"amqp://gateway@a,amqp://other@b",
                                        "amqp://gateway@a,amqp://b", "http://a"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char user[IR_BROKER_USER_SIZE] = "";
        assert_int_equal(user_of(wrong[i], user), IR_ERR_USAGE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_user_for_all_addresses),
        cmocka_unit_test(several_users_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
