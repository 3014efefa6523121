#include "loadgen/source/replay.h"

#include "common/clock.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "station,parameter,time_utc,value,unit,qualifier\n"
#define ROW "A-1,00010,2011-05-01T04:00:00Z,19.6,deg C,\n"

static ir_replay_t *load(const char *text) {
    ir_replay_t *replay = NULL;
    ir_error_t error = {.text = ""};
    sources_write_text(text);
    if (ir_replay_load(sources_path, &replay, &error) != IR_OK) {
        print_error("%s\n", error.text);
    }
    assert_non_null(replay);
    return replay;
}

static void expect_refusal(const char *text, unsigned line, const char *reason) {
    ir_replay_t *replay = NULL;
    ir_error_t error = {.text = ""};
    sources_write_text(text);
    assert_int_not_equal(ir_replay_load(sources_path, &replay, &error), IR_OK);
    assert_null(replay);
    char place[64];
    snprintf(place, sizeof place, "%s:%u: ", sources_path, line);
    if (strstr(error.text, place) == NULL || strstr(error.text, reason) == NULL) {
        print_error("got: %s\nwanted: %s…%s\n", error.text, place, reason);
        fail();
    }
}

static void real_data(void **state) {
    (void)state;
    ir_replay_t *replay = NULL;
    ir_error_t error;
    assert_int_equal(ir_replay_load(SOURCES_REAL_FILE, &replay, &error), IR_OK);
    size_t count = 0;
    const ir_replay_row_t *rows = ir_replay_rows(replay, &count);
    assert_int_equal(count, 40337);
    assert_int_equal(ir_replay_motes(replay), 13);
    for (size_t i = 1; i < count; i++) {
        assert_true(rows[i - 1].time_ns <= rows[i].time_ns);
    }
    assert_int_equal(ir_replay_step(replay), 31 * 86400 * IR_SECOND_NS);
    assert_true(ir_replay_repeats(replay) > 300);
    ir_replay_free(replay);
}

static void units_are_those_of_senml(void **state) {
    (void)state;
    ir_replay_t *replay = load(HEAD "S,a,2011-05-01T04:00:00Z,10,ft3/s,A\n"
                                    "S,b,2011-05-01T04:00:00Z,10,cfs,A\n"
                                    "S,c,2011-05-01T04:00:00Z,10,ft,A\n"
                                    "S,d,2011-05-01T04:00:00Z,496,uS/cm @25C,A\n"
                                    "S,e,2011-05-01T04:00:00Z,8.9,FNU,A\n"
                                    "S,f,2011-05-01T04:00:00Z,6.4,mg/l,\n"
                                    "S,g,2011-05-01T04:00:00Z,7.6,std units,\n"
                                    "S,h,2011-05-01T04:00:00Z,-0,deg C,\n");
    static const struct {
        const char *unit;
        double value;
    } wanted[] = {{"m3/s", 0.28316846592},
                  {"m3/s", 0.28316846592},
                  {"m", 3.048},
                  {"S/m", 0.0496},
                  {"FNU", 8.9},
                  {"mg/l", 6.4},
                  {"pH", 7.6},
                  {"Cel", 0}};
    size_t count = 0;
    const ir_replay_row_t *rows = ir_replay_rows(replay, &count);
    assert_int_equal(count, 8);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(rows[i].unit, wanted[i].unit);
        assert_true(rows[i].value == wanted[i].value);
        assert_false(__builtin_signbit(rows[i].value));
    }
    ir_replay_free(replay);
}

static void rows_come_by_time_and_station(void **state) {
    (void)state;
    ir_replay_t *replay = load(HEAD "B,x,2011-05-03T04:00:00Z,1,m,\r\n"
                                    "A,x,2011-05-01T04:00:00Z,2,m,\r\n"
                                    "B,x,2011-05-01T04:00:00Z,3,m,\r\n"
                                    "A,y,2011-05-01T04:00:00Z,4,m,");
    size_t count = 0;
    const ir_replay_row_t *rows = ir_replay_rows(replay, &count);
    static const double order[] = {3, 2, 4, 1};
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        assert_true(rows[i].value == order[i]);
    }
    assert_ptr_equal(rows[1].station, rows[2].station);
    assert_int_equal(rows[1].line, 3);
    assert_int_equal(ir_replay_step(replay), 3 * 86400 * IR_SECOND_NS);
    ir_replay_free(replay);
}

static void what_is_wrong_is_named_by_line(void **state) {
    (void)state;
    expect_refusal("", 1, "first line");
    expect_refusal("station,value\n" ROW, 1, "first line");
    expect_refusal(HEAD, 2, "no rows");
    expect_refusal(HEAD ROW "\n", 3, "1 fields");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00Z,1,m\n", 2, "5 fields");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00Z,1,m,A,B\n", 2, "7 fields");
    expect_refusal(HEAD "-A,x,2011-05-01T04:00:00Z,1,m,\n", 2, "not a valid SenML name");
    expect_refusal(HEAD "A,x y,2011-05-01T04:00:00Z,1,m,\n", 2, "not a valid SenML name");
    expect_refusal(HEAD ",x,2011-05-01T04:00:00Z,1,m,\n", 2, "not a valid SenML name");
    expect_refusal(HEAD "A,x,2011-05-01 at 4,1,m,\n", 2, "not a time");
    expect_refusal(HEAD "A,x,1978-07-04T21:24:15Z,1,m,\n", 2, "1978");
    expect_refusal(HEAD "A,x,2250-01-01T00:00:00Z,1,m,\n", 2, "future");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00.0000001Z,1,m,\n", 2, "microsecond");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00Z,,m,\n", 2, "not a number");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00Z,nan,m,\n", 2, "not a number");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00Z,0x1,m,\n", 2, "not a number");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00Z,1 ,m,\n", 2, "not a number");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00Z,1e400,m,\n", 2, "not below");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00Z,1e15,m,\n", 2, "not below");
    expect_refusal(HEAD "A,x,2011-05-01T04:00:00Z,1,furlong,\n", 2, "furlong");
    expect_refusal(HEAD ROW "B,x,2011-05-01T04:00:00Z,1,m,\n" ROW, 4, "line 2");
}

static void long_lines_and_nul_bytes(void **state) {
    (void)state;
    char *text = malloc(5000);
    assert_non_null(text);
    memset(text, 'x', 5000);
    memcpy(text, HEAD, strlen(HEAD));
    text[4999] = '\0';
    expect_refusal(text, 2, "bytes");
    free(text);
    static const char nul[] = HEAD "A,x\0,2011-05-01T04:00:00Z,1,m,\n" ROW;
    ir_replay_t *replay = NULL;
    ir_error_t error;
    sources_write(nul, sizeof nul - 1);
    assert_int_equal(ir_replay_load(sources_path, &replay, &error), IR_ERR_RANGE);
}

static void cut_archive(void **state) {
    (void)state;
    static char bytes[100000];
    FILE *file = fopen(SOURCES_REAL_FILE, "r");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), sizeof bytes);
    assert_int_equal(fclose(file), 0);
    sources_write(bytes, sizeof bytes);
    ir_replay_t *replay = NULL;
    ir_error_t error;
    assert_int_not_equal(ir_replay_load(sources_path, &replay, &error), IR_OK);
    bytes[50000] ^= 0x55;
    sources_write(bytes, sizeof bytes);
    assert_int_not_equal(ir_replay_load(sources_path, &replay, &error), IR_OK);
    assert_null(replay);
}

static void files_that_cannot_be_read(void **state) {
    (void)state;
    ir_replay_t *replay = NULL;
    ir_error_t error;
    assert_int_equal(ir_replay_load("/nonexistent/x.csv", &replay, &error), IR_ERR_NOT_FOUND);
    assert_int_not_equal(ir_replay_load("/", &replay, &error), IR_OK);
    assert_null(replay);
    ir_replay_free(NULL);
}

static void every_allocation_failing(void **state) {
    (void)state;
    failing_alloc_required();
    sources_write_text(HEAD ROW "B,y,2011-05-01T04:00:00Z,1,m,\n");
    for (unsigned nth = 1;; nth++) {
        ir_replay_t *replay = NULL;
        ir_error_t error;
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        const ir_status_t status = ir_replay_load(sources_path, &replay, &error);
        if (!failing_alloc_disarm()) {
            assert_int_equal(status, IR_OK);
            ir_replay_free(replay);
            break;
        }
        assert_int_equal(status, IR_ERR_MEMORY);
        assert_null(replay);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_data),
        cmocka_unit_test(units_are_those_of_senml),
        cmocka_unit_test(rows_come_by_time_and_station),
        cmocka_unit_test(what_is_wrong_is_named_by_line),
        cmocka_unit_test(long_lines_and_nul_bytes),
        cmocka_unit_test(cut_archive),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, sources_make_file, sources_remove_file);
}
