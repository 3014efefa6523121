/* Local times in zones whose clocks change, and what the earlier rows of a file reveal about an
 * ambiguous time. */
#include "common/clock.h"
#include "feed/timestamp.h"
#include "feed/track.h"
#include "feed/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int64_t wall(const char *text) {
    ir_timestamp_t timestamp;
    assert_true(ir_timestamp_parse(ir_view_text(text), "iso", &timestamp));
    return timestamp.time_ns;
}

static const char *shown(int64_t time_ns) {
    static char texts[4][IR_TIME_SIZE];
    static unsigned next;
    char *text = texts[next++ % 4];
    ir_clock_format(time_ns, text);
    return text;
}

/* ---- zones ---- */

static void test_zones(void **state) {
    (void)state;
    static const struct {
        const char *zone, *wall, *first, *second; /* first == NULL: this local time does not
                                                   * exist */
    } cases[] = {
        {"Europe/Berlin", "2025-01-15 12:00", "2025-01-15T11:00:00Z", NULL},
        {"Europe/Berlin", "2025-07-15 12:00", "2025-07-15T10:00:00Z", NULL},
        {"Europe/Berlin", "2025-03-30 01:59:59", "2025-03-30T00:59:59Z", NULL},
        {"Europe/Berlin", "2025-03-30 02:00", NULL, NULL},
        {"Europe/Berlin", "2025-03-30 02:59:59", NULL, NULL},
        {"Europe/Berlin", "2025-03-30 03:00", "2025-03-30T01:00:00Z", NULL},
        {"Europe/Berlin", "2025-10-26 01:59:59", "2025-10-25T23:59:59Z", NULL},
        {"Europe/Berlin", "2025-10-26 02:00", "2025-10-26T00:00:00Z", "2025-10-26T01:00:00Z"},
        {"Europe/Berlin", "2025-10-26 02:59:59.5", "2025-10-26T00:59:59.5Z",
         "2025-10-26T01:59:59.5Z"},
        {"Europe/Berlin", "2025-10-26 03:00", "2025-10-26T02:00:00Z", NULL},
        {"America/New_York", "2024-03-10 02:30", NULL, NULL},
        {"America/New_York", "2024-11-03 01:30", "2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z"},
        {"America/New_York", "2011-11-06 00:59:59", "2011-11-06T04:59:59Z", NULL},
        {"America/Chicago", "2011-11-06 01:00", "2011-11-06T06:00:00Z", "2011-11-06T07:00:00Z"},
        /* offsets and changes of half an hour */
        {"Asia/Kolkata", "2025-06-01 12:00", "2025-06-01T06:30:00Z", NULL},
        {"Australia/Lord_Howe", "2025-04-06 01:45", "2025-04-05T14:45:00Z", "2025-04-05T15:15:00Z"},
        {"Australia/Lord_Howe", "2025-10-05 02:15", NULL, NULL},
        {"Australia/Adelaide", "2025-04-06 02:30", "2025-04-05T16:00:00Z", "2025-04-05T17:00:00Z"},
        {"Asia/Kathmandu", "2025-06-01 12:00", "2025-06-01T06:15:00Z", NULL},
        /* the clocks change at midnight: a day begins at 01:00, or its last hour occurs twice */
        {"America/Havana", "2024-03-10 00:30", NULL, NULL},
        {"America/Santiago", "2024-09-08 00:00", NULL, NULL},
        {"America/Santiago", "2024-04-06 23:30", "2024-04-07T02:30:00Z", "2024-04-07T03:30:00Z"},
        {"Asia/Beirut", "2022-10-29 23:30", "2022-10-29T20:30:00Z", "2022-10-29T21:30:00Z"},
        /* a change that is not daylight saving time: Moscow set its clocks back permanently */
        {"Europe/Moscow", "2014-10-26 01:30", "2014-10-25T21:30:00Z", "2014-10-25T22:30:00Z"},
        /* a day that was skipped */
        {"Pacific/Apia", "2011-12-30 12:00", NULL, NULL},
        {"Pacific/Apia", "2011-12-31 12:00", "2011-12-30T22:00:00Z", NULL},
        /* a change of rules that is newer than ICU in Debian 12 */
        {"Asia/Almaty", "2024-06-01 12:00", "2024-06-01T07:00:00Z", NULL},
        /* abbreviations and offsets */
        {"CET", "2025-07-15 12:00", "2025-07-15T11:00:00Z", NULL},
        {"MESZ", "2025-10-26 02:30", "2025-10-26T00:30:00Z", NULL},
        {"EST", "2024-11-03 01:30", "2024-11-03T06:30:00Z", NULL},
        {"EDT", "2024-11-03 01:30", "2024-11-03T05:30:00Z", NULL},
        {"Z", "2025-07-15 12:00", "2025-07-15T12:00:00Z", NULL},
        {"+01:00", "2025-07-15 12:00", "2025-07-15T11:00:00Z", NULL},
        {"-0330", "2025-07-15 12:00", "2025-07-15T15:30:00Z", NULL},
        {"UTC+5", "2025-07-15 12:00", "2025-07-15T07:00:00Z", NULL},
    };
    ir_zones_t *zones = ir_zones_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ir_zone_t *zone = ir_zones_find(zones, ir_view_text(cases[i].zone));
        assert_non_null(zone);
        const ir_instants_t found = ir_zone_instants(zone, wall(cases[i].wall));
        assert_int_equal(found.count, (cases[i].first != NULL) + (cases[i].second != NULL));
        if (found.count > 0) {
            assert_string_equal(shown(found.first_ns), cases[i].first);
        }
        if (found.count > 1) {
            assert_string_equal(shown(found.second_ns), cases[i].second);
        }
    }
    ir_zones_free(zones);
}

static void test_unknown_zones(void **state) {
    (void)state;
    static const char *const names[] = {
        "",      "Europe/Brelin", "../etc/passwd", "/etc/passwd", "XYZ", "+25:00",
        "+1:75", "UTC+",          "Europe/",       "+1:00:00",    "a.b"};
    ir_zones_t *zones = ir_zones_new();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_null(ir_zones_find(zones, ir_view_text(names[i])));
    }
    ir_zones_free(zones);
}

/* Converts every quarter-hour of a year to local time and back: every instant is found once, in
 * order. */
static void test_a_year_of_quarters(void **state) {
    (void)state;
    static const char *const names[] = {"Europe/Berlin",       "America/New_York",
                                        "Australia/Lord_Howe", "America/Santiago",
                                        "Asia/Beirut",         "Africa/Casablanca"};
    ir_zones_t *zones = ir_zones_new();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const ir_zone_t *zone = ir_zones_find(zones, ir_view_text(names[i]));
        int none = 0;
        int twice = 0;
        int instants = 0;
        for (int64_t at = wall("2022-01-01 00:00"); at < wall("2023-01-01 00:00");
             at += 900 * IR_SECOND_NS) {
            const ir_instants_t found = ir_zone_instants(zone, at);
            none += found.count == 0;
            twice += found.count == 2;
            instants += found.count;
            assert_true(found.count < 2 || found.first_ns < found.second_ns);
        }
        assert_int_equal(none, twice);
        assert_int_equal(instants, 365 * 96);
        assert_true(none > 0);
    }
    ir_zones_free(zones);
}

/* Reads rows of local times, and asserts the instant of each ("-": the time does not exist; "?…":
 * the instant is a guess). */

/* Reads rows of local times, and asserts the instant of each ("-": the time does not exist; "?…":
 * the instant is a guess). */
static void check_rows(const char *zone_name, const char *const (*rows)[2], size_t count) {
    ir_zones_t *zones = ir_zones_new();
    const ir_zone_t *zone = ir_zones_find(zones, ir_view_text(zone_name));
    ir_track_t track = IR_TRACK_NEW;
    for (size_t i = 0; i < count; i++) {
        char text[64] = "-";
        int64_t time_ns = 0;
        const int64_t wall_ns = wall(rows[i][0]);
        const ir_track_verdict_t verdict = ir_track_instant(&track, zone, wall_ns, &time_ns);
        if (verdict != IR_TRACK_NONE) {
            snprintf(text, sizeof text, "%s%s", verdict == IR_TRACK_GUESSED ? "?" : "",
                     shown(time_ns));
            ir_track_note(&track, wall_ns, time_ns);
        }
        assert_string_equal(text, rows[i][1]);
    }
    ir_zones_free(zones);
}

#define CHECK_ROWS(zone, rows) check_rows(zone, rows, sizeof(rows) / sizeof(rows)[0])

static void test_autumn(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"2025-10-26 01:30", "2025-10-25T23:30:00Z"}, {"2025-10-26 02:00", "2025-10-26T00:00:00Z"},
        {"2025-10-26 02:30", "2025-10-26T00:30:00Z"}, {"2025-10-26 02:30", "2025-10-26T00:30:00Z"},
        {"2025-10-26 02:00", "2025-10-26T01:00:00Z"}, {"2025-10-26 02:30", "2025-10-26T01:30:00Z"},
        {"2025-10-26 02:30", "2025-10-26T01:30:00Z"}, {"2025-10-26 03:00", "2025-10-26T02:00:00Z"},
    };
    CHECK_ROWS("Europe/Berlin", rows);
}

/* The newest row comes first. */
static void test_autumn_backwards(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"2025-10-26 03:30", "2025-10-26T02:30:00Z"}, {"2025-10-26 03:00", "2025-10-26T02:00:00Z"},
        {"2025-10-26 02:30", "2025-10-26T01:30:00Z"}, {"2025-10-26 02:00", "2025-10-26T01:00:00Z"},
        {"2025-10-26 02:30", "2025-10-26T00:30:00Z"}, {"2025-10-26 02:00", "2025-10-26T00:00:00Z"},
        {"2025-10-26 01:30", "2025-10-25T23:30:00Z"},
    };
    CHECK_ROWS("Europe/Berlin", rows);
}

/* There is one row per hour. The second 02:30 is recognised because it follows the first one. */
static void test_hourly_rows(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"2024-11-03 00:30", "2024-11-03T04:30:00Z"},
        {"2024-11-03 01:15", "2024-11-03T05:15:00Z"},
        {"2024-11-03 01:14", "2024-11-03T06:14:00Z"},
        {"2024-11-03 02:00", "2024-11-03T07:00:00Z"},
    };
    CHECK_ROWS("America/New_York", rows);
}

/* A local time that occurs twice, an hour apart. */
static void test_a_row_each_hour(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"2025-10-26 00:00", "2025-10-25T22:00:00Z"}, {"2025-10-26 01:00", "2025-10-25T23:00:00Z"},
        {"2025-10-26 02:00", "2025-10-26T00:00:00Z"}, {"2025-10-26 02:00", "2025-10-26T01:00:00Z"},
        {"2025-10-26 03:00", "2025-10-26T02:00:00Z"},
    };
    static const char *const backwards[][2] = {
        {"2025-10-26 05:00", "2025-10-26T04:00:00Z"}, {"2025-10-26 04:00", "2025-10-26T03:00:00Z"},
        {"2025-10-26 03:00", "2025-10-26T02:00:00Z"}, {"2025-10-26 02:00", "2025-10-26T01:00:00Z"},
        {"2025-10-26 02:00", "2025-10-26T00:00:00Z"}, {"2025-10-26 01:00", "2025-10-25T23:00:00Z"},
    };
    CHECK_ROWS("Europe/Berlin", rows);
    CHECK_ROWS("Europe/Berlin", backwards);
}

/* There are two rows per hour, one for each sensor. */
static void test_two_rows_each_hour(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"2025-10-26 01:00", "2025-10-25T23:00:00Z"}, {"2025-10-26 01:00", "2025-10-25T23:00:00Z"},
        {"2025-10-26 02:00", "2025-10-26T00:00:00Z"}, {"2025-10-26 02:00", "2025-10-26T00:00:00Z"},
        {"2025-10-26 02:00", "2025-10-26T01:00:00Z"}, {"2025-10-26 02:00", "2025-10-26T01:00:00Z"},
        {"2025-10-26 03:00", "2025-10-26T02:00:00Z"},
    };
    CHECK_ROWS("Europe/Berlin", rows);
}

static void test_a_file_that_begins_in_the_hour(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"2025-10-26 02:30", "?2025-10-26T00:30:00Z"},
        {"2025-10-26 02:45", "2025-10-26T00:45:00Z"},
        {"2025-10-26 02:15", "2025-10-26T01:15:00Z"},
    };
    CHECK_ROWS("Europe/Berlin", rows);
}

/* The file has one block of rows for each sensor, so the second block begins with the first time
 * again. */
static void test_blocks(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"2025-10-26 01:30", "2025-10-25T23:30:00Z"}, {"2025-10-26 02:30", "2025-10-26T00:30:00Z"},
        {"2025-10-26 02:29", "2025-10-26T01:29:00Z"}, {"2025-11-26 03:30", "2025-11-26T02:30:00Z"},
        {"2025-10-26 01:30", "2025-10-25T23:30:00Z"}, {"2025-10-26 02:30", "2025-10-26T00:30:00Z"},
        {"2025-10-26 02:29", "2025-10-26T01:29:00Z"},
    };
    CHECK_ROWS("Europe/Berlin", rows);
}

static void test_spring(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"2025-03-30 01:45", "2025-03-30T00:45:00Z"},
        {"2025-03-30 02:00", "-"},
        {"2025-03-30 02:45", "-"},
        {"2025-03-30 03:00", "2025-03-30T01:00:00Z"},
    };
    CHECK_ROWS("Europe/Berlin", rows);
}

static void test_half_an_hour(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"2025-04-06 01:15", "2025-04-05T14:15:00Z"}, {"2025-04-06 01:30", "2025-04-05T14:30:00Z"},
        {"2025-04-06 01:45", "2025-04-05T14:45:00Z"}, {"2025-04-06 01:30", "2025-04-05T15:00:00Z"},
        {"2025-04-06 01:45", "2025-04-05T15:15:00Z"}, {"2025-04-06 02:00", "2025-04-05T15:30:00Z"},
    };
    CHECK_ROWS("Australia/Lord_Howe", rows);
}

/* ---- tracks ---- */

static void test_tracks(void **state) {
    (void)state;
    ir_tracks_t *tracks = ir_tracks_new();
    ir_tracks_t *copy = ir_tracks_new();
    const ir_track_t *found = NULL;
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        ir_tracks_of(tracks, ir_view_text(name))->frame = i;
    }
    assert_true(ir_tracks_copy(copy, tracks));
    assert_true(ir_tracks_copy(copy, tracks));
    assert_string_equal(ir_tracks_at(copy, 500, &found), "m500");
    assert_int_equal(found->frame, 500);
    assert_null(ir_tracks_at(copy, 1000, &found));
    ir_tracks_free(tracks);
    ir_tracks_free(copy);
}

/* ---- texts ---- */

static void test_texts(void **state) {
    (void)state;
    static const struct {
        const char *format, *text, *time; /* NULL: the text is not a time */
        bool zoned;
    } cases[] = {
        {"iso", "2025-10-26T02:30:00Z", "2025-10-26T02:30:00Z", true},
        {"iso", "2025-10-26 02:30", "2025-10-26T02:30:00Z", false},
        {"iso", "2025-10-26 02:30:15.25", "2025-10-26T02:30:15.25Z", false},
        {"iso", "2025-10-26T02:30:00+02:00", "2025-10-26T00:30:00Z", true},
        {"iso", "2025-10-26T02:30:00-0330", "2025-10-26T06:00:00Z", true},
        {"iso", "2025-10-26 02:30:00 +01", "2025-10-26T01:30:00Z", true},
        {"iso", "2025-10-26", NULL, false},
        {"iso", "2025-02-29 00:00", NULL, false},
        {"iso", "2024-02-29 00:00", "2024-02-29T00:00:00Z", false},
        {"iso", "2025-10-26 24:00", "2025-10-27T00:00:00Z", false},
        {"iso", "2025-12-31T24:00:00+01:00", "2025-12-31T23:00:00Z", true},
        {"iso", "2025-10-26 24:00:01", NULL, false},
        {"iso", "2025-10-26 24:01", NULL, false},
        {"iso", "2025-10-26 02:30:00+2", NULL, false},
        {"iso", "2025-10-26 02:30 x", NULL, false},
        {"iso", "", NULL, false},
        {"%d.%m.%Y %H:%M", "26.10.2025 02:30", "2025-10-26T02:30:00Z", false},
        {"%d.%m.%Y %H:%M", "31.04.2025 02:30", NULL, false},
        {"%d.%m.%Y %H:%M", "31.12.2024 24:00", "2025-01-01T00:00:00Z", false},
        {"%m/%d/%Y %I:%M %p", "10/26/2025 24:00 PM", NULL, false},
        {"%d.%m.%Y %H:%M", "26.10.25 02:30", NULL, false},
        {"%d.%m.%Y %H:%M:%S", "26.10.2025 02:30:00,125", "2025-10-26T02:30:00.125Z", false},
        {"%d.%m.%y %H:%M", "26.10.25 02:30", "2025-10-26T02:30:00Z", false},
        {"%m/%d/%Y %I:%M:%S %p", "10/26/2025 02:30:00 PM", "2025-10-26T14:30:00Z", false},
        {"%m/%d/%Y %I:%M %p", "10/26/2025 02:30 p.m.", "2025-10-26T14:30:00Z", false},
        {"%d/%m/%Y %I:%M %p", "26/10/2025 02:30 A. M.", "2025-10-26T02:30:00Z", false},
        {"%Y %W %w %H:%M", "2025 42 0 02:30", "2025-10-26T02:30:00Z", false},
        {"%d.%m.%Y %H:%M %z", "26.10.2025 02:30 +0200", "2025-10-26T00:30:00Z", true},
        {"%Y%m%d%H%M", "202510260230", "2025-10-26T02:30:00Z", false},
        {"unix", "1761445800", "2025-10-26T02:30:00Z", true},
        {"unix", "1761445800.5", "2025-10-26T02:30:00.5Z", true},
        {"unix-ms", "1761445800250", "2025-10-26T02:30:00.25Z", true},
        {"unix", "99999999999999999999", NULL, false},
        {"unix", "x", NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_timestamp_t timestamp;
        const bool parsed =
            ir_timestamp_parse(ir_view_text(cases[i].text), cases[i].format, &timestamp);
        assert_int_equal(parsed, cases[i].time != NULL);
        if (parsed) {
            assert_string_equal(shown(timestamp.time_ns), cases[i].time);
            assert_int_equal(timestamp.zoned, cases[i].zoned);
        }
    }
}

static void test_usual_formats(void **state) {
    (void)state;
    static const struct {
        const char *text, *like;
    } cases[] = {
        {"26.10.2025 02:30", "; did you mean %d.%m.%Y %H:%M?"},
        {"26.10.2025 24:00", "; did you mean %d.%m.%Y %H:%M?"},
        {"10/26/2025 02:30:00 PM", "; did you mean %m/%d/%Y %I:%M:%S %p?"},
        {"04/05/2025 02:30", "; did you mean %d/%m/%Y %H:%M or %m/%d/%Y %H:%M?"},
        {"2025-10-26T02:30Z", "; did you mean iso?"},
        {"1761445800", "; did you mean unix?"},
        {"1761445800250", "; did you mean unix-ms?"},
        {"32.10.2025 02:30", ""},
        {"45957.4375",
         "; if it is a spreadsheet's serial date, export the column as date and time"},
        {"12.5", ""},
        {"10/26/2025 02:30 p.m.", "; did you mean %m/%d/%Y %I:%M %p?"},
        {"2025-W43-7 02:30", "; ISO weeks cannot be read: export the column as a date"},
        {"26. Okt. 2025 02:30",
         "; names of months (%b) are read in English, and zones only from a column"},
        {"tt.mm.jjjj hh:mm", "; if it is a row of units below the header, set after-header = 1"},
        {"", "; if it is a row of units below the header, set after-header = 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char like[IR_TIMESTAMP_LIKE_SIZE];
        assert_string_equal(ir_timestamp_like(ir_view_text(cases[i].text), like), cases[i].like);
    }
}

static void test_formats(void **state) {
    (void)state;
    ir_error_t error;
    static const char *const good[] = {
        "iso",   "unix",    "unix-ms", "%d.%m.%Y %H:%M", "%Y 100%% %j", "%-d %b %y %l:%M%p",
        "%D %T", "%Y %U %a"};
    static const char *const bad[] = {"",
                                      "ISO",
                                      "dd.mm.yyyy",
                                      "%s",
                                      "%H:%M %Z",
                                      "%H:%M",
                                      "%d.%m. %H:%M",
                                      "%G-W%V-%u %H:%M",
                                      "%Y-W%V-%u",
                                      "%Y-%m-%d %I:%M",
                                      "%Y-%m-%d %H:%M %p"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(ir_timestamp_check(good[i], &error), IR_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ir_timestamp_check(bad[i], &error), IR_ERR_USAGE);
        assert_memory_equal(error.text, "time-format: ", 13);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_unknown_zones),
        cmocka_unit_test(test_a_year_of_quarters),
        cmocka_unit_test(test_autumn),
        cmocka_unit_test(test_autumn_backwards),
        cmocka_unit_test(test_hourly_rows),
        cmocka_unit_test(test_a_row_each_hour),
        cmocka_unit_test(test_two_rows_each_hour),
        cmocka_unit_test(test_a_file_that_begins_in_the_hour),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_spring),
        cmocka_unit_test(test_half_an_hour),
        cmocka_unit_test(test_tracks),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_usual_formats),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
