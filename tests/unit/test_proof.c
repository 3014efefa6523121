/* When a refusal is believed: after eight equal answers over two seconds, if the control items
 * between them are accepted; or at once, if the code is documented to be about the data. Never
 * while the server refuses an item that is certainly good. A caller that does not wait for the
 * proof sets the suspects aside. */
#include "common/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ITEMS 10000
#define CODE_UNKNOWN 16500
#define CODE_DATA 121

/* A server that always refuses certain items, and a share of all requests. */
typedef struct ir_server {
    bool bad[ITEMS];     /* refused with `code` */
    bool certain;        /* the code is about the data */
    bool each_by_itself; /* accepts the other items of a request */
    unsigned refused_percent;
    bool control_refused;
    uint64_t random;
    unsigned written[ITEMS], alone[ITEMS], refused[ITEMS], aside[ITEMS];
    unsigned controls;
    bool behind; /* an item was written before an earlier one was settled */
} ir_server_t;

static bool happens(ir_server_t *server) {
    server->random = server->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (server->random >> 33) % 100 < server->refused_percent;
}

static ir_answer_t say(const ir_server_t *server, int64_t code) {
    ir_answer_t answer = {.code = code, .certain = server->certain && code == CODE_DATA};
    ir_error_set(&answer.why, IR_ERR_REFUSED, "code %d", (int)code);
    return answer;
}

static int64_t code_of(const ir_server_t *server) {
    return server->certain ? CODE_DATA : CODE_UNKNOWN;
}

static void write_item(ir_server_t *server, uint32_t item) {
    server->written[item]++;
    for (uint32_t i = 0; i < item && server->bad[item] == false; i++) {
        server->behind |= server->bad[i] && server->refused[i] == 0 && server->aside[i] == 0;
    }
}

static ir_outcome_t put(void *context, const uint32_t *items, size_t count, ir_suspects_t *suspects,
                        ir_answer_t *answer) {
    ir_server_t *server = context;
    bool some_bad = false;
    if (count == 1) {
        server->alone[items[0]]++;
    }
    for (size_t i = 0; i < count; i++) {
        some_bad |= server->bad[items[i]];
    }
    if (happens(server) || (some_bad && !server->each_by_itself)) {
        *answer = say(server, some_bad ? code_of(server) : CODE_UNKNOWN);
        return IR_OUTCOME_REFUSED;
    }
    for (size_t i = 0; i < count; i++) {
        if (!server->bad[items[i]]) {
            write_item(server, items[i]);
            continue;
        }
        const ir_answer_t one = say(server, code_of(server));
        assert_true(ir_suspects_add(suspects, items[i], &one));
    }
    return IR_OUTCOME_OK;
}

static ir_outcome_t write_control(void *context, ir_error_t *error) {
    ir_server_t *server = context;
    server->controls++;
    if (server->control_refused || happens(server)) {
        ir_error_set(error, IR_ERR_IO, "throttled");
        return IR_OUTCOME_REFUSED;
    }
    return IR_OUTCOME_OK;
}

static bool refuse(void *context, uint32_t item, const ir_answer_t *answer) {
    ir_server_t *server = context;
    server->refused[item]++;
    assert_true(answer->why.text[0] != '\0');
    return true;
}

static bool set_aside(void *context, uint32_t item, const ir_answer_t *answer) {
    ir_server_t *server = context;
    server->aside[item]++;
    assert_true(answer->why.text[0] != '\0');
    return true;
}

static ir_outcome_t run(ir_server_t *server, uint32_t count, bool in_order, ir_error_t *error) {
    const ir_proof_work_t work = {.put = put,
                                  .control = write_control,
                                  .refuse = refuse,
                                  .context = server,
                                  .in_order = in_order};
    return ir_proof_run(&work, count, error);
}

static ir_outcome_t run_setting_aside(ir_server_t *server, uint32_t count, bool in_order,
                                      ir_error_t *error) {
    const ir_proof_work_t work = {.put = put,
                                  .control = write_control,
                                  .refuse = refuse,
                                  .set_aside = set_aside,
                                  .context = server,
                                  .in_order = in_order};
    return ir_proof_run(&work, count, error);
}

static int set_up(void **state) {
    *state = calloc(1, sizeof(ir_server_t));
    return *state == NULL;
}

static int tear_down(void **state) {
    free(*state);
    return 0;
}

static void assert_all_settled(const ir_server_t *server, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(server->refused[i], server->bad[i]);
        assert_true(server->bad[i] == (server->written[i] == 0));
    }
}

static void one_bad_item_of_ten_thousand_is_proved(void **state) {
    ir_server_t *server = *state;
    ir_error_t error;
    server->bad[7001] = true;
    const int64_t begun_ns = ir_clock_monotonic();
    assert_int_equal(run(server, ITEMS, false, &error), IR_OUTCOME_OK);
    assert_true(ir_clock_monotonic() - begun_ns >= IR_PROOF_SPREAD_NS);
    assert_all_settled(server, ITEMS);
    assert_true(server->alone[7001] >= IR_PROOF_TRIES);
    assert_true(server->controls >= IR_PROOF_TRIES);
}

static void suspects_that_the_server_names_are_proved_together(void **state) {
    ir_server_t *server = *state;
    ir_error_t error;
    server->each_by_itself = true;
    for (uint32_t i = 0; i < 40; i++) {
        server->bad[i * 17] = true;
    }
    const int64_t begun_ns = ir_clock_monotonic();
    assert_int_equal(run(server, ITEMS, false, &error), IR_OUTCOME_OK);
    assert_true(ir_clock_monotonic() - begun_ns < 40 * IR_PROOF_SPREAD_NS);
    assert_all_settled(server, ITEMS);
}

static void a_code_about_the_data_counts_at_once(void **state) {
    ir_server_t *server = *state;
    ir_error_t error;
    server->certain = server->each_by_itself = true;
    server->bad[0] = server->bad[99] = true;
    assert_int_equal(run(server, 100, false, &error), IR_OUTCOME_OK);
    assert_all_settled(server, 100);
    assert_int_equal(server->controls, 0);
    assert_int_equal(server->alone[99], 0);
}

static void nothing_is_refused_while_the_control_item_is(void **state) {
    ir_server_t *server = *state;
    ir_error_t error = {.status = IR_OK};
    server->control_refused = true;
    server->bad[3] = true;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(run(server, 10, false, &error), IR_OUTCOME_RETRY);
    }
    assert_int_equal(server->refused[3], 0);
    assert_non_null(strstr(error.text, "throttled"));
}

static void a_share_of_all_requests_refused_refuses_nothing(void **state) {
    ir_server_t *server = *state;
    static const unsigned shares[] = {10, 50, 90};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        memset(server, 0, sizeof *server);
        server->random = 7 + i;
        server->refused_percent = shares[i];
        ir_error_t error;
        for (int batch = 0; batch < 4; batch++) {
            ir_outcome_t outcome = IR_OUTCOME_RETRY;
            for (int tries = 0; outcome == IR_OUTCOME_RETRY && tries < 1000; tries++) {
                outcome = run(server, 500, false, &error);
            }
            assert_int_equal(outcome, IR_OUTCOME_OK);
        }
        assert_all_settled(server, 500);
    }
}

static void in_order_nothing_passes_a_suspect(void **state) {
    ir_server_t *server = *state;
    ir_error_t error;
    server->bad[5] = true;
    assert_int_equal(run(server, 12, true, &error), IR_OUTCOME_OK);
    assert_all_settled(server, 12);
    assert_false(server->behind);
}

static void assert_set_aside(const ir_server_t *server, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(server->aside[i], server->bad[i]);
        assert_int_equal(server->refused[i], 0);
        assert_true(server->bad[i] == (server->written[i] == 0));
    }
}

/* Each item is sent alone at most once, which proves nothing. All others are written. */
static void suspects_are_set_aside_without_a_proof(void **state) {
    ir_server_t *server = *state;
    ir_error_t error;
    for (int each_by_itself = 0; each_by_itself <= 1; each_by_itself++) {
        memset(server, 0, sizeof *server);
        server->each_by_itself = each_by_itself;
        for (uint32_t i = 0; i < 200; i++) {
            server->bad[i * 17] = true;
        }
        assert_int_equal(run_setting_aside(server, ITEMS, false, &error), IR_OUTCOME_OK);
        assert_set_aside(server, ITEMS);
        assert_true(server->controls >= 1);
        for (uint32_t i = 0; i < 200; i++) {
            assert_true(server->alone[i * 17] <= 1);
        }
    }
}

static void in_order_nothing_passes_what_is_not_set_aside_yet(void **state) {
    ir_server_t *server = *state;
    ir_error_t error;
    server->bad[5] = server->bad[6] = true;
    assert_int_equal(run_setting_aside(server, 12, true, &error), IR_OUTCOME_OK);
    assert_set_aside(server, 12);
    assert_false(server->behind);
}

static void nothing_is_set_aside_while_the_control_item_is_refused(void **state) {
    ir_server_t *server = *state;
    ir_error_t error = {.status = IR_OK};
    server->control_refused = server->each_by_itself = server->bad[3] = true;
    for (int in_order = 0; in_order <= 1; in_order++) {
        assert_int_equal(run_setting_aside(server, 10, in_order, &error), IR_OUTCOME_RETRY);
    }
    assert_int_equal(server->aside[3], 0);
    assert_non_null(strstr(error.text, "throttled"));
}

static void what_is_known_to_be_about_the_data_is_not_set_aside(void **state) {
    ir_server_t *server = *state;
    ir_error_t error;
    server->certain = server->bad[3] = true;
    assert_int_equal(run_setting_aside(server, 10, true, &error), IR_OUTCOME_OK);
    assert_all_settled(server, 10);
    assert_int_equal(server->aside[3], 0);
}

static void a_proof_that_is_given_up_refuses_nothing(void **state) {
    ir_server_t *server = *state;
    ir_error_t error;
    const atomic_bool given_up = true;
    const ir_proof_work_t work = {.put = put,
                                  .control = write_control,
                                  .refuse = refuse,
                                  .context = server,
                                  .given_up = &given_up};
    server->bad[3] = true;
    assert_int_equal(ir_proof_run(&work, 10, &error), IR_OUTCOME_RETRY);
    assert_int_equal(server->refused[3], 0);
    assert_true(server->alone[3] < IR_PROOF_TRIES);
}

static void another_answer_and_a_short_time_prove_nothing(void **state) {
    (void)state;
    ir_proof_t proof = {0};
    const ir_answer_t one = {.code = 1};
    const ir_answer_t other = {.code = 2};
    const ir_answer_t certain = {.code = 3, .certain = true};
    for (unsigned i = 0; i < 100; i++) {
        assert_false(ir_proof_add(&proof, &one, i * IR_MILLISECOND_NS));
    }
    assert_false(ir_proof_add(&proof, &other, 10 * IR_SECOND_NS));
    for (unsigned i = 1; i < IR_PROOF_TRIES - 1; i++) {
        assert_false(ir_proof_add(&proof, &other, 20 * IR_SECOND_NS));
    }
    assert_true(ir_proof_add(&proof, &other, 20 * IR_SECOND_NS));
    assert_true(ir_proof_add(&proof, &certain, 21 * IR_SECOND_NS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_bad_item_of_ten_thousand_is_proved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(suspects_that_the_server_names_are_proved_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_code_about_the_data_counts_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_refused_while_the_control_item_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_share_of_all_requests_refused_refuses_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(in_order_nothing_passes_a_suspect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(suspects_are_set_aside_without_a_proof, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_order_nothing_passes_what_is_not_set_aside_yet, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_set_aside_while_the_control_item_is_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_known_to_be_about_the_data_is_not_set_aside, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_proof_that_is_given_up_refuses_nothing, set_up,
                                        tear_down),
        cmocka_unit_test(another_answer_and_a_short_time_prove_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
