/* Times and numbers are written as text and read back. Also dates, back-off and rendezvous
 * hashing. */
#include "common/backoff.h"
#include "common/clock.h"
#include "common/number.h"
#include "common/rendezvous.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    int64_t time_ns;
    const char *text;
} times[] = {
    {0, "1970-01-01T00:00:00Z"},
    {-1, "1969-12-31T23:59:59.999999999Z"},
    {INT64_C(951782400) * IR_SECOND_NS, "2000-02-29T00:00:00Z"},
    {INT64_C(1304222400) * IR_SECOND_NS + 250000000, "2011-05-01T04:00:00.25Z"},
    {INT64_C(4107542399) * IR_SECOND_NS, "2100-02-28T23:59:59Z"},
    {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
    {INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
};

static void fractions_have_as_many_digits_as_asked_for(void **state) {
    (void)state;
    static const struct {
        int64_t time_ns;
        int digits;
        const char *text;
    } fixed[] = {
        {0, 3, "1970-01-01T00:00:00.000Z"},
        {0, 0, "1970-01-01T00:00:00Z"},
        {120 * IR_MILLISECOND_NS, 3, "1970-01-01T00:00:00.120Z"},
        {IR_SECOND_NS - 1, 3, "1970-01-01T00:00:00.999Z"},
        {-1, 3, "1969-12-31T23:59:59.999Z"},
        {5, 9, "1970-01-01T00:00:00.000000005Z"},
        {INT64_MIN, 1, "1677-09-21T00:12:43.1Z"},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        char text[IR_TIME_SIZE];
        const size_t size = ir_clock_format_fixed(fixed[i].time_ns, fixed[i].digits, text);
        assert_int_equal(size, strlen(fixed[i].text));
        assert_string_equal(text, fixed[i].text);
    }
}

static void times_are_written_and_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[IR_TIME_SIZE];
        int64_t read = 0;
        assert_int_equal(ir_clock_format(times[i].time_ns, text), strlen(times[i].text));
        assert_string_equal(text, times[i].text);
        assert_true(ir_clock_parse(ir_view_text(text), &read));
        assert_true(read == times[i].time_ns);
    }
}

static void offsets_are_taken_into_account(void **state) {
    (void)state;
    int64_t time = 0;
    assert_true(ir_clock_parse(ir_view_text("2011-05-01T00:00:00-04:00"), &time));
    assert_true(time == INT64_C(1304222400) * IR_SECOND_NS);
}

static void what_is_no_time_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "2011-05-01",
                                      "2011-05-01T04:00:00",
                                      "2011-02-29T00:00:00Z",
                                      "2011-13-01T00:00:00Z",
                                      "2011-05-01T24:00:00Z",
                                      "2011-05-01T04:00:00Zx",
                                      "2011-05-01T04:00:00.Z",
                                      "9999-01-01T00:00:00Z"};
    int64_t time = 42;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (ir_clock_parse(ir_view_text(bad[i]), &time)) {
            fail_msg("'%s' was accepted as a time", bad[i]);
        }
    }
    assert_true(time == 42);
}

/* Compares with the C library's calendar, including the week and the day of the year. */
static void dates_are_those_of_the_c_library(void **state) {
    (void)state;
    for (int64_t seconds = -3000000000; seconds < 6000000000; seconds += 86400 * 3 + 12345) {
        const time_t moment = (time_t)seconds;
        struct tm tm;
        char week[8];
        gmtime_r(&moment, &tm);
        strftime(week, sizeof week, "%V", &tm);
        const ir_date_t date = ir_clock_date(seconds * IR_SECOND_NS);
        assert_int_equal(date.year, tm.tm_year + 1900);
        assert_int_equal(date.month, tm.tm_mon + 1);
        assert_int_equal(date.day, tm.tm_mday);
        assert_int_equal(date.day_of_year, tm.tm_yday + 1);
        assert_int_equal(date.week, atoi(week));
        assert_int_equal(date.weekday, tm.tm_wday == 0 ? 7 : tm.tm_wday);
    }
}

static void clocks_go_forward(void **state) {
    (void)state;
    const int64_t before = ir_clock_monotonic();
    assert_true(ir_clock_monotonic() >= before);
    assert_true(ir_clock_now() > INT64_C(1700000000) * IR_SECOND_NS);
    assert_true(ir_clock_process_cpu() > 0);
}

static void numbers_read_back_and_are_short(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } known[] = {{0, "0"},
                 {1, "1"},
                 {-0.0, "-0"},
                 {0.1, "0.1"},
                 {1e21, "1e+21"},
                 {-2.5, "-2.5"},
                 {1e-7, "1e-7"},
                 {1.5e-6, "0.0000015"},
                 {123456789012345680000.0, "123456789012345680000"},
                 {5e-324, "5e-324"},
                 {-1.25e-9, "-1.25e-9"},
                 {100000, "100000"},
                 {17.2, "17.2"},
                 {0.3, "0.3"}};
    char text[IR_NUMBER_SIZE];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        ir_number_format(known[i].value, text);
        assert_string_equal(text, known[i].text);
    }
    srand(7);
    for (int i = 0; i < 200000; i++) {
        union {
            double number;
            unsigned char bytes[8];
        } any;
        for (size_t j = 0; j < sizeof any.bytes; j++) {
            any.bytes[j] = (unsigned char)(rand() >> 4);
        }
        const double decimal = (double)(rand() % 2000000 - 1000000) / 1000.0;
        const double value = i % 2 == 0 && isfinite(any.number) ? any.number : decimal;
        const size_t size = ir_number_format(value, text);
        assert_int_equal(size, strlen(text));
        assert_true(size < IR_NUMBER_SIZE);
        assert_true(strtod(text, NULL) == value);
        char longer[40];
        snprintf(longer, sizeof longer, "%.17g", value);
        assert_true(size <= strlen(longer) || strtod(longer, NULL) == value);
    }
}

static void decimals_are_written_like_their_doubles(void **state) {
    (void)state;
    static const double powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    char text[IR_NUMBER_SIZE];
    char expected[IR_NUMBER_SIZE];
    for (unsigned decimals = 0; decimals <= 6; decimals++) {
        for (int64_t units = -1200; units < 200000; units += 1 + (units > 0 ? units / 100 : 0)) {
            const size_t size = ir_number_format_decimal(units, decimals, text);
            ir_number_format((double)units / powers[decimals], expected);
            assert_string_equal(text, expected);
            assert_int_equal(size, strlen(text));
        }
    }
    ir_number_format_decimal(-(INT64_C(1) << 53) + 1, 3, text);
    assert_string_equal(text, "-9007199254740.991");
}

static void conversions_round_to_what_was_meant(void **state) {
    (void)state;
    assert_true(ir_number_round15(8.900000000000001, 0) == 8.9);
    assert_true(ir_number_round15(-8.900000000000001, 0) == -8.9);
    assert_true(ir_number_round15(282.88 - 273.15, 282.88) == 9.73);
    assert_true(ir_number_round15(1e-14, 300) == 0);
    assert_true(ir_number_round15(1.23456789012345678e300, 0) == 1.23456789012346e300);
    assert_true(ir_number_round15(0, 0) == 0);
}

static void back_off_doubles_with_jitter_up_to_its_bound(void **state) {
    (void)state;
    ir_backoff_t backoff;
    ir_backoff_init(&backoff, 100, 1000);
    int64_t bound = 100;
    bool differs = false;
    for (int i = 0; i < 20; i++) {
        const int64_t wait = ir_backoff_next(&backoff);
        assert_true(wait >= bound / 2 && wait <= bound);
        differs = differs || (wait != bound && wait != bound / 2);
        bound = bound * 2 < 1000 ? bound * 2 : 1000;
    }
    assert_true(differs);
    ir_backoff_reset(&backoff);
    assert_true(ir_backoff_next(&backoff) <= 100);
}

/* When a node is removed, only its own keys move. */
static void rendezvous_moves_little(void **state) {
    (void)state;
    static const char *const nodes[] = {"a", "b", "c", "d"};
    unsigned counts[4] = {0};
    unsigned moved = 0;
    for (int key = 0; key < 4000; key++) {
        char text[16];
        snprintf(text, sizeof text, "mote-%d", key);
        int best[2] = {0, 0};
        for (int without = 0; without < 2; without++) {
            for (int i = 1; i < 4 - without; i++) {
                if (ir_rendezvous_weight(ir_view_text(nodes[i]), ir_view_text(text)) >
                    ir_rendezvous_weight(ir_view_text(nodes[best[without]]), ir_view_text(text))) {
                    best[without] = i;
                }
            }
        }
        counts[best[0]]++;
        assert_true(best[0] == 3 || best[0] == best[1]);
        moved += best[0] != best[1];
    }
    assert_int_equal(moved, counts[3]);
    for (int i = 0; i < 4; i++) {
        assert_in_range(counts[i], 800, 1200);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_and_read),
        cmocka_unit_test(fractions_have_as_many_digits_as_asked_for),
        cmocka_unit_test(offsets_are_taken_into_account),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(dates_are_those_of_the_c_library),
        cmocka_unit_test(clocks_go_forward),
        cmocka_unit_test(numbers_read_back_and_are_short),
        cmocka_unit_test(decimals_are_written_like_their_doubles),
        cmocka_unit_test(conversions_round_to_what_was_meant),
        cmocka_unit_test(back_off_doubles_with_jitter_up_to_its_bound),
        cmocka_unit_test(rendezvous_moves_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
