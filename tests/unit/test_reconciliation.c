#include "loadgen/measure/measurement.h"
#include "loadgen/measure/reconciliation.h"
#include "loadgen/measure/result.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void even_and_not(void **state) {
    (void)state;
    char line[IR_RECONCILIATION_LINE];
    ir_reconciliation_t reconciliation;
    ir_producer_counts_t sent = {.messages_sent = 10,
                                 .messages_confirmed = 7,
                                 .messages_refused = 2,
                                 .messages_lost = 1,
                                 .repeats = 1};
    ir_tracker_counts_t back = {.by_fate = {[IR_FATE_REPUBLISHED] = 4,
                                            [IR_FATE_REJECTED] = 1,
                                            [IR_FATE_MISSING] = 1,
                                            [IR_FATE_REFUSED] = 2}};
    ir_reconciliation_make(&reconciliation, &sent, &back);
    assert_true(ir_reconciliation_is_even(&reconciliation));
    assert_string_equal(ir_reconciliation_sent_line(&reconciliation, line),
                        "sent 10 = confirmed 7 + refused 2 + lost 1");
    assert_string_equal(ir_reconciliation_back_line(&reconciliation, line),
                        "confirmed 7 = republished 4 + rejected 1 + missing 1 + repeated 1");
    back.by_fate[IR_FATE_MISSING] = 0;
    ir_reconciliation_make(&reconciliation, &sent, &back);
    assert_true(ir_reconciliation_sent_is_even(&reconciliation));
    assert_false(ir_reconciliation_back_is_even(&reconciliation));
    assert_non_null(strstr(ir_reconciliation_back_line(&reconciliation, line), "≠"));
    sent.messages_lost = 0;
    ir_reconciliation_make(&reconciliation, &sent, NULL);
    assert_false(ir_reconciliation_sent_is_even(&reconciliation));
    assert_true(ir_reconciliation_back_is_even(&reconciliation));
    assert_false(ir_reconciliation_is_even(&reconciliation));
}

static void what_is_behind_counts_as_backlog(void **state) {
    (void)state;
    const ir_snapshot_t now = {.sent = {.observations_sent = 100,
                                        .observations_unsent = 7,
                                        .observations_confirmed = 60,
                                        .observations_refused = 10,
                                        .observations_behind = 5.5},
                               .back = {.waiting_records = 20}};
    assert_true(ir_snapshot_due(&now) == 112.5);
    assert_true(ir_snapshot_backlog(&now) == 5.5 + 30 + 20);
}

static void trends(void **state) {
    (void)state;
    ir_trend_t trend = {.n = 0};
    assert_true(ir_trend_slope(&trend) == 0);
    ir_trend_add(&trend, 3, 8);
    assert_true(ir_trend_slope(&trend) == 0);
    for (int i = 0; i < 100; i++) {
        ir_trend_add(&trend, 3 + i, 8 + 2.5 * i);
    }
    assert_true(ir_trend_slope(&trend) > 2.49 && ir_trend_slope(&trend) < 2.51);
}

static void a_result_of_a_stretch(void **state) {
    (void)state;
    const ir_snapshot_t begin = {.at_ns = IR_SECOND_NS, .sent = {.observations_sent = 50}};
    const ir_trend_t flat = {.n = 0};
    ir_measurement_t stretch;
    ir_result_t result;
    ir_trial_t trial;
    assert_true(ir_measurement_init(&stretch));
    ir_measurement_begin(&stretch, &begin);
    stretch.end.at_ns = 3 * IR_SECOND_NS;
    stretch.end.sent.observations_sent = 250;
    stretch.end.sent.observations_unsent = 50;
    stretch.end.sent.observations_confirmed = 190;
    ir_latency_record(&stretch.confirms, 0, 5 * IR_MILLISECOND_NS, 15 * IR_MILLISECOND_NS);
    ir_histogram_record(stretch.late, 30000, 1);
    ir_result_make(&result, &stretch, &flat, 125, false, 20);
    assert_true(ir_result_sent_rate(&result) == 100);
    assert_true(ir_result_done_rate(&result) == 95);
    assert_true(result.confirms.p99 > 14.9 && result.confirms.p99 < 15.1);
    assert_false(result.valid);
    ir_result_trial(&result, &trial);
    assert_true(trial.sent_share == 0.8);
    assert_true(trial.asked == 125 && !trial.valid && trial.p99_ms == result.confirms.p99);
    ir_result_make(&result, &stretch, &flat, 125, false, 40);
    assert_true(result.valid);
    ir_measurement_free(&stretch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_and_not),
        cmocka_unit_test(what_is_behind_counts_as_backlog),
        cmocka_unit_test(trends),
        cmocka_unit_test(a_result_of_a_stretch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
