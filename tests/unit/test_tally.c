#include "store/command/selection.h"
#include "store/command/tally.h"
#include "store/command/touched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static ir_view_t text(const char *t) {
    return ir_view_text(t);
}

static void counts_by_mote(void **state) {
    (void)state;
    static const char *const motes[] = {"b", "a", "ba", "b", "", "a", "b"};
    char *shown = NULL;
    size_t size = 0;
    ir_tally_t *tally = ir_tally_new();
    assert_non_null(tally);
    for (size_t i = 0; i < sizeof motes / sizeof motes[0]; i++) {
        assert_true(ir_tally_add(tally, text(motes[i]), IR_TALLY_MESSAGES, 1));
        assert_true(ir_tally_add(tally, text(motes[i]), IR_TALLY_NEW, i));
    }
    assert_int_equal(ir_tally_total(tally, IR_TALLY_MESSAGES), 7);
    assert_int_equal(ir_tally_total(tally, IR_TALLY_NEW), 21);
    FILE *out = open_memstream(&shown, &size);
    ir_tally_show_json(tally, false, out);
    fclose(out);
    assert_string_equal(
        shown,
        "{\"motes\":{"
        "\"\":{\"messages\":1,\"refused\":0,\"observations\":0,\"new\":4,\"revisions\":0},"
        "\"a\":{\"messages\":2,\"refused\":0,\"observations\":0,\"new\":6,\"revisions\":0},"
        "\"b\":{\"messages\":3,\"refused\":0,\"observations\":0,\"new\":9,\"revisions\":0},"
        "\"ba\":{\"messages\":1,\"refused\":0,\"observations\":0,\"new\":2,\"revisions\":0}},"
        "\"all\":{\"messages\":7,\"refused\":0,\"observations\":0,\"new\":21,\"revisions\":0}}\n");
    free(shown);
    ir_tally_free(tally);
}

/* Many passes over few series. Repeats are merged from time to time, so memory stays small. */
static void series_are_touched(void **state) {
    (void)state;
    static const ir_sensor_t sensors[] = {{.name = "m/b", .registered = true},
                                          {.name = "m/a", .registered = true},
                                          {.name = "m/stranger"}};
    ir_touched_t touched = {.series = NULL};
    for (int64_t i = 0; i < 10000; i++) {
        const ir_observation_t o = {.sensor = &sensors[i % 3],
                                    .time_ns = i % 2 == 0 ? i : -i,
                                    .value = {.kind = IR_VALUE_NUMBER}};
        assert_true(ir_touched_add(&touched, &o));
    }
    assert_true(touched.capacity <= 1024);
    ir_touched_sort(&touched);
    assert_int_equal(touched.count, 2);
    assert_string_equal(touched.series[0].sensor->name, "m/a");
    assert_int_equal(touched.series[0].from_ns, -9997);
    assert_int_equal(touched.series[0].to_ns, 9994);
    assert_int_equal(touched.series[1].from_ns, -9999);
    assert_int_equal(touched.series[1].to_ns, 9996);
    ir_touched_free(&touched);
}

static void selections(void **state) {
    (void)state;
    ir_store_options_t options = {.mote = "m",
                                  .reason = "unknown-sensor",
                                  .since = "1970-01-01T00:00:01Z",
                                  .until = "1970-01-01T00:00:02Z"};
    ir_raw_selection_t selection;
    ir_error_t error;
    assert_int_equal(ir_store_selection(&options, &selection, &error), IR_OK);
    assert_true(ir_store_selects(&options));
    assert_true(ir_selection_has(&selection, text("m"), 1000000000));
    assert_true(ir_selection_has(&selection, text("m"), 1999999999));
    assert_false(ir_selection_has(&selection, text("m"), 999999999));
    assert_false(ir_selection_has(&selection, text("m"), 2000000000));
    assert_false(ir_selection_has(&selection, text("mm"), 1000000000));
    options.since = "yesterday";
    assert_int_equal(ir_store_selection(&options, &selection, &error), IR_ERR_USAGE);
    assert_non_null(strstr(error.text, "since: 'yesterday'"));
    options.since = NULL;
    options.reason = "none";
    assert_int_equal(ir_store_selection(&options, &selection, &error), IR_ERR_USAGE);
    options = (ir_store_options_t){.mote = NULL};
    assert_int_equal(ir_store_selection(&options, &selection, &error), IR_OK);
    assert_false(ir_store_selects(&options));
    assert_true(ir_selection_has(&selection, text("any"), INT64_MIN));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_by_mote),
        cmocka_unit_test(series_are_touched),
        cmocka_unit_test(selections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
