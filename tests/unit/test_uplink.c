/* Uplinks as The Things Stack v3 and ChirpStack v4 publish them (tests/data/feed), and the spool.
 */
#include "feed/fields.h"
#include "feed/map.h"
#include "feed/rows.h"
#include "feed/spool.h"
#include "feed/subscription.h"
#include "feed/uplink.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LINES_MAX 16

/* Returns the lines of a file in tests/data. */
static size_t read_lines(const char *path, char *lines[LINES_MAX]) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    size_t count = 0;
    assert_non_null(file);
    while (count < LINES_MAX && getline(&line, &room, file) > 0) {
        lines[count++] = strdup(line);
    }
    free(line);
    (void)fclose(file);
    return count;
}

static ir_map_t *map_of(const char *text) {
    char path[] = "/tmp/ir-map-XXXXXX";
    ir_error_t error = {.text = ""};
    ir_map_t *map = NULL;
    const int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    if (ir_map_load(path, &map, NULL, &error) != IR_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(unlink(path), 0);
    return map;
}

typedef struct ir_expected {
    ir_uplink_result_t result;
    uint64_t missed;
    int64_t time_us;
    size_t n_values;
} ir_expected_t;

static uint64_t check_lines(const char *mapping, const char *path, const ir_expected_t *expected,
                            size_t count) {
    char *lines[LINES_MAX] = {NULL};
    static ir_reading_t reading;
    ir_map_t *map = map_of(mapping);
    ir_report_t report = {.path = path};
    const ir_reading_context_t context = {map->positions[0], ir_arena_new(4096), ir_tracks_new(),
                                          &report};
    assert_int_equal(read_lines(path, lines), count);
    for (size_t i = 0; i < count; i++) {
        uint64_t missed = 0;
        report.line = i + 1;
        assert_int_equal(ir_uplink_read(&context, ir_view_text(lines[i]), &reading, &missed),
                         expected[i].result);
        assert_int_equal(missed, expected[i].missed);
        if (expected[i].result == IR_UPLINK_READ) {
            assert_int_equal(reading.time_ns, expected[i].time_us * 1000);
            assert_int_equal(reading.n_values, expected[i].n_values);
        }
        free(lines[i]);
    }
    const ir_track_t *track = NULL;
    assert_non_null(ir_tracks_at(context.tracks, 0, &track));
    const uint64_t encoded = track->encoded;
    ir_tracks_free(context.tracks);
    ir_arena_free(context.arena);
    ir_map_free(map);
    return encoded;
}

static void test_the_things_stack(void **state) {
    (void)state;
    static const ir_expected_t expected[] = {
        {IR_UPLINK_READ, 0, 1581520545585796, 3},
        {IR_UPLINK_READ, 3, 1581521445585000, 1},
        {IR_UPLINK_ENCODED, 0, 0, 0},
        {IR_UPLINK_NOTHING, 0, 0, 0}, /* a join */
        {IR_UPLINK_NOTHING, 0, 0, 0}, /* the device has rejoined, so its counter is 0; the value is
                                       * missing */
        {IR_UPLINK_NOTHING, 0, 0, 0}, /* without a time */
        {IR_UPLINK_NOTHING, 0, 0, 0}, /* cut off */
    };
    assert_int_equal(
        check_lines("[tts]\nfiles = x\nformat = tts\nmote = column:device_id\nmissing = -9999\n"
                    "[tts:level]\nsensor = /level\nunit = m\n[tts:water.temp]\nsensor = /temp\n"
                    "[tts:probes.1.ph]\nsensor = /ph\n[tts:battery]\nsensor = /battery\n",
                    "tests/data/feed/tts.jsonl", expected, sizeof expected / sizeof expected[0]),
        1);
}

static void test_chirpstack(void **state) {
    (void)state;
    static const ir_expected_t expected[] = {
        {IR_UPLINK_READ, 0, 1658136855775023, 2},
        {IR_UPLINK_READ, 0, 1658137755775000, 1},
        {IR_UPLINK_NOTHING, 0, 0, 0}, /* a join */
    };
    assert_int_equal(check_lines("[cs]\nfiles = x\nformat = chirpstack\nmote = column:devEui\n"
                                 "[cs:level]\nsensor = /level\n[cs:temperature_1]\nsensor = /t\n"
                                 "[cs:door]\nsensor = /door\n",
                                 "tests/data/feed/chirpstack.jsonl", expected,
                                 sizeof expected / sizeof expected[0]),
                     0);
}

static void test_addresses(void **state) {
    (void)state;
    static const struct {
        const char *uri;
        ir_status_t status;
    } cases[] = {
        {"mqtt://h", IR_OK},
        {"mqtts://app%40ttn:key@eu1.cloud.thethings.network:8883", IR_OK},
        {"http://h", IR_ERR_USAGE},
        {"mqtt://", IR_ERR_USAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char mapping[256];
        ir_error_t error;
        snprintf(mapping, sizeof mapping,
                 "[a]\nsubscribe = %s\nformat = tts\nmote = m\n[a:v]\nsensor = m/v\n",
                 cases[i].uri);
        ir_map_t *map = map_of(mapping);
        assert_int_equal(ir_subscription_check(map->positions[0], &error), cases[i].status);
        ir_map_free(map);
    }
}

/* ---- the spool ---- */

static size_t count_segments(const char *path) {
    DIR *folder = opendir(path);
    size_t count = 0;
    assert_non_null(folder);
    for (const struct dirent *each; (each = readdir(folder)) != NULL;) {
        count += strstr(each->d_name, IR_SPOOL_SUFFIX) != NULL;
    }
    (void)closedir(folder);
    return count;
}

static void remove_folder(const char *path) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", path);
    assert_int_equal(system(command), 0);
}

static void test_a_spool(void **state) {
    (void)state;
    char folder[] = "/tmp/ir-spool-XXXXXX";
    char path[64];
    char text[64] = "";
    ir_error_t error;
    ir_spool_t *spool = NULL;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(ir_spool_open(folder, 1 << 20, &spool, &error), IR_OK);
    assert_int_equal(ir_spool_append(spool, ir_view_text("{\"a\":\r\n1}"), &error), IR_OK);
    assert_int_equal(ir_spool_append(spool, ir_view_text("{}"), &error), IR_OK);
    assert_int_equal(ir_spool_sync(spool, &error), IR_OK);
    ir_spool_close(spool);
    snprintf(path, sizeof path, "%s/0000000001.jsonl", folder);
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(text, 1, sizeof text - 1, file), 13);
    (void)fclose(file);
    assert_string_equal(text, "{\"a\":  1}\n{}\n");
    assert_int_equal(ir_spool_open(folder, 1 << 20, &spool, &error), IR_OK);
    assert_int_equal(count_segments(folder), 2);
    ir_spool_close(spool);
    remove_folder(folder);
}

static void test_a_full_spool(void **state) {
    (void)state;
    static char message[10000];
    char folder[] = "/tmp/ir-spool-XXXXXX";
    char path[64];
    ir_error_t error;
    ir_spool_t *spool = NULL;
    size_t taken = 0;
    memset(message, 'x', sizeof message);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(ir_spool_open(folder, 1 << 20, &spool, &error), IR_OK);
    while (ir_spool_has_room(spool)) {
        assert_int_equal(ir_spool_append(spool, ir_view(message, sizeof message), &error), IR_OK);
        taken++;
    }
    assert_true(taken * sizeof message <= 1 << 20);
    assert_true(count_segments(folder) > 4);
    for (int i = 1; i <= 6; i++) { /* removes confirmed segments, like a reader */
        snprintf(path, sizeof path, "%s/%010d.jsonl", folder, i);
        assert_int_equal(unlink(path), 0);
    }
    assert_true(ir_spool_has_room(spool));
    assert_int_equal(ir_spool_append(spool, ir_view(message, IR_ROW_BYTES_MAX), &error),
                     IR_ERR_RANGE);
    ir_spool_close(spool);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_things_stack), cmocka_unit_test(test_chirpstack),
        cmocka_unit_test(test_addresses),        cmocka_unit_test(test_a_spool),
        cmocka_unit_test(test_a_full_spool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
