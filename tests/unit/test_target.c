#include "send/mote_tokens.h"
#include "send/sender.h"
#include "send/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const ir_target_options_t options = {.broker = {.uri = "amqp://one,amqp://two"},
                                            .mqtt_password = "secret"};

static void every_kind(void **state) {
    (void)state;
    ir_targets_t targets;
    assert_int_equal(ir_targets_parse("amqp://a,amqps://b:1/v,mqtt://h,mqtts://u%3Av:p@h:99,"
                                      "http://g:8080,https://g/other/path,null:",
                                      &options, &targets, NULL),
                     IR_OK);
    assert_int_equal(targets.count, 7);
    const ir_sender_t *const senders[] = {&ir_sender_amqp, &ir_sender_amqp, &ir_sender_mqtt,
                                          &ir_sender_mqtt, &ir_sender_http, &ir_sender_http,
                                          &ir_sender_null};
    for (unsigned i = 0; i < targets.count; i++) {
        assert_ptr_equal(targets.all[i].sender, senders[i]);
        assert_true(targets.all[i].connections > 0);
    }
    assert_string_equal(targets.all[1].broker.uri, "amqps://b:1/v");
    assert_int_equal(targets.all[2].port, 1883);
    assert_false(targets.all[2].secure);
    assert_null(targets.all[2].user);
    assert_string_equal(targets.all[2].secret, "secret");
    assert_int_equal(targets.all[3].port, 99);
    assert_true(targets.all[3].secure);
    assert_string_equal(targets.all[3].user, "u:v");
    assert_string_equal(targets.all[3].password, "p");
    assert_null(strstr(targets.all[3].label, "p@"));
    assert_string_equal(targets.all[4].uri, "http://g:8080/v1/observations");
    assert_string_equal(targets.all[5].uri, "https://g/other/path");
    assert_false(ir_targets_are_null(&targets));
    ir_targets_free(&targets);
    assert_int_equal(ir_targets_parse("null:", &options, &targets, NULL), IR_OK);
    assert_true(ir_targets_are_null(&targets));
    ir_targets_free(&targets);
}

static void none_named_is_the_broker(void **state) {
    (void)state;
    ir_targets_t targets;
    assert_int_equal(ir_targets_parse(NULL, &options, &targets, NULL), IR_OK);
    assert_int_equal(targets.count, 1);
    assert_string_equal(targets.all[0].broker.uri, options.broker.uri);
    ir_targets_free(&targets);
}

static void wrong_addresses(void **state) {
    (void)state;
    const char *const wrong[] = {"",          "ftp://x",   "http://", "mqtt://:99x",
                                 "null:else", "amqp://a,", "http:x",  "http://a:1:2"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ir_targets_t targets;
        ir_error_t error;
        assert_int_equal(ir_targets_parse(wrong[i], &options, &targets, &error), IR_ERR_USAGE);
        assert_non_null(strstr(error.text, "target"));
    }
}

static void too_many(void **state) {
    (void)state;
    char list[IR_TARGETS_MAX * 6 + 10] = "null:";
    ir_targets_t targets;
    for (int i = 0; i < IR_TARGETS_MAX; i++) {
        strcat(list, ",null:");
    }
    assert_int_equal(ir_targets_parse(list, &options, &targets, NULL), IR_ERR_USAGE);
}

/* ---- tokens ---- */

static char path[] = "/tmp/ir-test-tokens-XXXXXX";

static int begin(void **state) {
    (void)state;
    const int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int end(void **state) {
    (void)state;
    return unlink(path);
}

static ir_status_t load(const char *text, ir_mote_tokens_t **tokens, ir_error_t *error) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return ir_mote_tokens_load(path, tokens, error);
}

static const char *find(const ir_mote_tokens_t *tokens, const char *mote) {
    /* The view of the address need not be NUL-terminated. */
    char longer[40];
    snprintf(longer, sizeof longer, "%s/rest", mote);
    return ir_mote_tokens_find(tokens, ir_view(longer, strlen(mote)));
}

static void tokens_are_found(void **state) {
    (void)state;
    ir_mote_tokens_t *tokens = NULL;
    assert_int_equal(
        load("# motes\n\nm-2\ttwo\n  m-10 ten \r\nm-1 one\nm-100 hundred", &tokens, NULL), IR_OK);
    assert_int_equal(ir_mote_tokens_count(tokens), 4);
    assert_string_equal(find(tokens, "m-1"), "one");
    assert_string_equal(find(tokens, "m-2"), "two");
    assert_string_equal(find(tokens, "m-10"), "ten");
    assert_string_equal(find(tokens, "m-100"), "hundred");
    assert_null(find(tokens, "m-"));
    assert_null(find(tokens, "m-1000"));
    assert_null(find(tokens, ""));
    ir_mote_tokens_free(tokens);
    assert_int_equal(load("", &tokens, NULL), IR_OK);
    assert_null(find(tokens, "m-1"));
    ir_mote_tokens_free(tokens);
}

static void wrong_lines_are_named_without_the_token(void **state) {
    (void)state;
    ir_mote_tokens_t *tokens = NULL;
    ir_error_t error;
    assert_int_equal(load("m-1 one\nm-2\n", &tokens, &error), IR_ERR_SYNTAX);
    assert_non_null(strstr(error.text, ":2:"));
    assert_int_equal(load("m-1 one secret\n", &tokens, &error), IR_ERR_SYNTAX);
    assert_null(strstr(error.text, "secret"));
    assert_int_equal(ir_mote_tokens_load("/nonexistent/tokens", &tokens, &error), IR_ERR_IO);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(load("m-1 secret\n", &tokens, &error), IR_ERR_USAGE);
    assert_non_null(strstr(error.text, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(none_named_is_the_broker),
        cmocka_unit_test(wrong_addresses),
        cmocka_unit_test(too_many),
        cmocka_unit_test(tokens_are_found),
        cmocka_unit_test(wrong_lines_are_named_without_the_token),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
