/* From files to packs, and up to which row a file is confirmed. The tests use real files and a
 * mapping as users write it. */
#include "feed/cursor.h"
#include "feed/input.h"
#include "feed/map.h"
#include "feed/round.h"
#include "tests/unit/failing_alloc.h"

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

#define GAUGE                                                                                      \
    "[gauge]\nfiles = *.csv\nseparator = semicolon\ndecimal = comma\nencoding = latin-1\n"         \
    "time = Datum\ntime-format = %d.%m.%Y %H:%M\nzone = Europe/Berlin\n"                           \
    "missing = NAN, -9999, ***\nmote = elbe\n[gauge:Temp*]\nsensor = elbe/temperature\n"           \
    "unit = Cel\n[gauge:Pegel]\nsensor = /stage\n"

/* A folder with a mapping, files and state, and the round of one position. */
typedef struct ir_scene {
    char folder[64], state[80];
    const char *spool; /* NULL: the files of the mapping */
    ir_map_t *map;
    ir_zones_t *zones;
    ir_report_t report;
    ir_round_t *round;
    char seen[65536]; /* bodies of the accepted packs, one a line */
} ir_scene_t;

static char *path_in(const ir_scene_t *scene, const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", scene->folder, name);
    return path;
}

static void write_file(const ir_scene_t *scene, const char *name, const char *mode,
                       const char *text) {
    FILE *file = fopen(path_in(scene, name), mode);
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void open_round(ir_scene_t *scene, size_t packs) {
    ir_error_t error;
    const ir_round_options_t options = {.position = scene->map->positions[0],
                                        .state = scene->state,
                                        .spool = scene->spool,
                                        .packs = packs,
                                        .zones = scene->zones,
                                        .report = &scene->report};
    assert_int_equal(ir_round_open(&options, &scene->round, &error), IR_OK);
}

static ir_scene_t *new_scene(const char *mapping) {
    ir_scene_t *scene = calloc(1, sizeof *scene);
    ir_error_t error;
    int lock = -1;
    strcpy(scene->folder, "/tmp/ir-feed-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->state, sizeof scene->state, "%s/state", scene->folder);
    write_file(scene, "map.ini", "w", mapping);
    const ir_status_t status = ir_map_load(path_in(scene, "map.ini"), &scene->map, NULL, &error);
    if (status != IR_OK) {
        fail_msg("%s", error.text);
    }
    scene->zones = ir_zones_new();
    assert_int_equal(ir_cursors_lock(scene->state, &lock, &error), IR_OK);
    (void)close(lock);
    open_round(scene, 20000);
    return scene;
}

static void free_scene(ir_scene_t *scene) {
    char command[128];
    ir_round_close(scene->round);
    ir_map_free(scene->map);
    ir_zones_free(scene->zones);
    snprintf(command, sizeof command, "rm -rf %s", scene->folder);
    assert_int_equal(system(command), 0);
    free(scene);
}

/* Reads the state again, like a new process. */
static void restart(ir_scene_t *scene, size_t packs) {
    ir_round_close(scene->round);
    open_round(scene, packs);
}

static void fill(ir_scene_t *scene) {
    ir_error_t error = {.text = ""};
    if (ir_round_fill(scene->round, &error) != IR_OK) {
        fail_msg("%s", error.text);
    }
}

/* Confirms at most `limit` packs of the round, and saves this progress. */
static size_t confirm(ir_scene_t *scene, size_t limit) {
    ir_error_t error;
    size_t number = 0;
    size_t count = 0;
    while (count < limit && ir_round_next(scene->round, &number)) {
        const ir_pack_t *pack = ir_round_pack(scene->round, number);
        const size_t size = strlen(scene->seen);
        snprintf(scene->seen + size, sizeof scene->seen - size, "%.*s\n", IR_VIEW_ARG(pack->body));
        ir_round_settle(scene->round, number);
        count++;
    }
    assert_int_equal(ir_round_confirm(scene->round, &error), IR_OK);
    return count;
}

/* Reads and confirms everything that is in the files now; returns the packs. */
static const char *read_all(ir_scene_t *scene) {
    scene->seen[0] = '\0';
    do {
        fill(scene);
    } while (confirm(scene, SIZE_MAX) > 0 || ir_round_has_more(scene->round));
    return scene->seen;
}

/* ---- csv ---- */

static void test_a_file_of_a_logger(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene(GAUGE);
    write_file(scene, "a.csv", "w",
               "Datum;Temp [\xb0"
               "C];Pegel;Ort\r\n"
               "25.10.2025 10:00;8,5;1,25;\"Dresden; Altstadt\"\r\n"
               "\r\n"
               "25.10.2025 10:15;NAN;1,5;x\r\n"
               "25.10.2025 10:30;-9999,0;***;x\r\n"
               "25.10.2025 10:45;8,75;abc;x\r\n"
               "25.10.2025 11:00;8,5\r\n"
               "25.10.2025 11:15;1.234,5;2;x\r\n"
               "31.10.1971 11:15;1;2;x\r\n"
               "30.03.2025 02:15;1;2;x\r\n"
               "25.10.2025 11:30;8;1;last");
    assert_string_equal(
        read_all(scene),
        "[{\"bt\":1761379200,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":8.5},"
        "{\"n\":\"elbe/stage\",\"v\":1.25}]\n"
        "[{\"bt\":1761380100,\"n\":\"elbe/stage\",\"v\":1.5}]\n"
        "[{\"bt\":1761381900,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":8.75}]\n"
        "[{\"bt\":1761383700,\"n\":\"elbe/stage\",\"v\":2}]\n");
    assert_int_equal(scene->report.unusable, 5);
    assert_string_equal(read_all(scene), "");
    write_file(scene, "a.csv", "a", "\r\n");
    assert_string_equal(read_all(scene),
                        "[{\"bt\":1761384600,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":8},"
                        "{\"n\":\"elbe/stage\",\"v\":1}]\n");
    free_scene(scene);
}

/* The packs have the same bytes however much is read at once, and wherever reading was
 * interrupted. */
static void test_the_same_bytes_in_any_portions(void **state) {
    (void)state;
    static const size_t portions[] = {1, 2, 3, 7, 20000};
    char expected[4096] = "";
    for (size_t i = 0; i < sizeof portions / sizeof portions[0]; i++) {
        ir_scene_t *scene = new_scene(GAUGE);
        write_file(scene, "a.csv", "w", "Datum;Temp;Pegel\n");
        for (int row = 0; row < 9; row++) {
            char line[64];
            /* Three rows for each time; the third repeats the first. */
            snprintf(line, sizeof line, "25.10.2025 1%d:00;%d;%s\n", row / 3, row % 3 % 2,
                     row % 3 == 1 ? "7" : "");
            write_file(scene, "a.csv", "a", line);
        }
        restart(scene, portions[i]);
        read_all(scene);
        if (i == 0) {
            strcpy(expected, scene->seen);
            assert_string_equal(
                expected,
                "[{\"bt\":1761379200,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":0},"
                "{\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":1},{\"n\":\"elbe/"
                "stage\",\"v\":7}]\n"
                "[{\"bt\":1761382800,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":0},"
                "{\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":1},{\"n\":\"elbe/"
                "stage\",\"v\":7}]\n"
                "[{\"bt\":1761386400,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":0},"
                "{\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":1},{\"n\":\"elbe/stage\",\"v\":7}"
                "]\n");
        }
        assert_string_equal(scene->seen, expected);
        free_scene(scene);
    }
}

/* When a row is added whose time is that of the last pack, this pack is read again as a whole;
 * otherwise it is not. */
static void test_rows_that_join_the_last_pack(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene(GAUGE);
    write_file(scene, "a.csv", "w", "Datum;Temp;Pegel\n25.10.2025 10:00;1;\n");
    assert_string_equal(read_all(scene),
                        "[{\"bt\":1761379200,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":1}]\n");
    restart(scene, 20000);
    assert_string_equal(read_all(scene), "");
    write_file(scene, "a.csv", "a", "25.10.2025 10:00;;2\n");
    assert_string_equal(read_all(scene),
                        "[{\"bt\":1761379200,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":1},"
                        "{\"n\":\"elbe/stage\",\"v\":2}]\n");
    write_file(scene, "a.csv", "a", "25.10.2025 10:15;;3\n");
    assert_string_equal(read_all(scene), "[{\"bt\":1761380100,\"n\":\"elbe/stage\",\"v\":3}]\n");
    free_scene(scene);
}

/* ---- states ---- */

static void test_a_process_that_dies(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene(GAUGE);
    write_file(scene, "a.csv", "w",
               "Datum;Temp;Pegel\n26.10.2025 02:30;1;\n26.10.2025 02:45;2;\n"
               "26.10.2025 02:15;3;\n26.10.2025 02:30;4;\n26.10.2025 03:00;5;\n");
    fill(scene);
    assert_int_equal(confirm(scene, 3), 3); /* the clock was set back before the third row */
    restart(scene, 2);
    scene->seen[0] = '\0';
    assert_string_equal(read_all(scene),
                        "[{\"bt\":1761442200,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":4}]\n"
                        "[{\"bt\":1761444000,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":5}]\n");
    free_scene(scene);
}

/* A local time occurs twice, an hour apart. Its rows are read correctly even if the file is read
 * between the two, or in small parts. */
static void test_hourly_rows_when_the_clock_is_set_back(void **state) {
    (void)state;
    static const char *const rows[] = {"00:00;1", "01:00;2", "02:00;3", "02:00;4", "03:00;5"};
    static const long times[] = {1761429600, 1761433200, 1761436800, 1761440400, 1761444000};
    for (size_t packs = 1; packs <= 3; packs++) {
        ir_scene_t *grown = new_scene(GAUGE);
        ir_scene_t *whole = new_scene(GAUGE);
        write_file(grown, "a.csv", "w", "Datum;Temp;Pegel\n");
        write_file(whole, "a.csv", "w", "Datum;Temp;Pegel\n");
        char expected[1024] = "";
        restart(whole, packs);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            char line[64];
            char pack[128];
            snprintf(line, sizeof line, "26.10.2025 %s;\n", rows[i]);
            write_file(grown, "a.csv", "a", line);
            write_file(whole, "a.csv", "a", line);
            snprintf(pack, sizeof pack,
                     "[{\"bt\":%ld,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":%zu}]\n",
                     times[i], i + 1);
            strcat(expected, pack);
            restart(grown, packs);
            assert_string_equal(read_all(grown), pack);
            assert_string_equal(read_all(grown), "");
        }
        assert_string_equal(read_all(whole), expected);
        free_scene(grown);
        free_scene(whole);
    }
}

static void test_files_that_change(void **state) {
    (void)state;
    static const char head[] = "Datum;Temp;Pegel\n25.10.2025 10:00;1;\n25.10.2025 10:15;2;\n"
                               "25.10.2025 10:30;3;\n";
    ir_scene_t *scene = new_scene(GAUGE);
    write_file(scene, "a.csv", "w", head);
    write_file(scene, "a.csv", "a", "25.10.2025 10:45;4;\n");
    assert_int_equal(strlen(read_all(scene)) > 0, 1);
    /* the file has the same beginning and is shorter */
    write_file(scene, "a.csv", "w", head);
    restart(scene, 20000);
    read_all(scene);
    assert_non_null(strstr(scene->seen, "\"v\":1}"));
    assert_non_null(strstr(scene->seen, "\"v\":3}"));
    /* the file has another beginning and is longer */
    write_file(scene, "a.csv", "w", "Datum;Temp;Pegel\n26.10.2025 10:00;6;\n");
    write_file(scene, "a.csv", "a", head + strlen("Datum;Temp;Pegel\n"));
    restart(scene, 20000);
    read_all(scene);
    assert_non_null(strstr(scene->seen, "\"v\":6}"));
    assert_non_null(strstr(scene->seen, "\"v\":1}"));
    assert_string_equal(read_all(scene), "");
    free_scene(scene);
}

static void test_another_mapping(void **state) {
    (void)state;
    ir_error_t error;
    ir_scene_t *scene = new_scene(GAUGE);
    write_file(scene, "a.csv", "w", "Datum;Temp;Pegel\n25.10.2025 10:00;1;2\n");
    read_all(scene);
    ir_round_close(scene->round);
    ir_map_free(scene->map);
    write_file(scene, "map.ini", "a", "unit = cm\n");
    assert_int_equal(ir_map_load(path_in(scene, "map.ini"), &scene->map, NULL, &error), IR_OK);
    open_round(scene, 20000);
    assert_non_null(strstr(read_all(scene), "\"u\":\"cm\",\"v\":2"));
    free_scene(scene);
}

static void test_a_damaged_state(void **state) {
    (void)state;
    ir_error_t error;
    ir_input_t *input = NULL;
    ir_scene_t *scene = new_scene(GAUGE);
    write_file(scene, "a.csv", "w", "Datum;Temp;Pegel\n25.10.2025 10:00;1;2\n");
    read_all(scene);
    char *file = ir_cursor_path(scene->state, "gauge", path_in(scene, "a.csv"));
    FILE *damaged = fopen(file, "w");
    assert_non_null(damaged);
    assert_true(fputs("{\"version\": 1, \"offset\": -4}", damaged) >= 0);
    assert_int_equal(fclose(damaged), 0);
    assert_int_equal(ir_input_open(scene->map->positions[0], path_in(scene, "a.csv"), scene->state,
                                   &input, &error),
                     IR_ERR_SYNTAX);
    assert_non_null(strstr(error.text, file));
    free(file);
    free_scene(scene);
}

static void test_one_process_at_a_time(void **state) {
    (void)state;
    ir_error_t error;
    int first = -1;
    int second = -1;
    ir_scene_t *scene = new_scene(GAUGE);
    assert_int_equal(ir_cursors_lock(scene->state, &first, &error), IR_OK);
    assert_int_equal(ir_cursors_lock(scene->state, &second, &error), IR_ERR_STATE);
    (void)close(first);
    free_scene(scene);
}

/* ---- order ---- */

static void test_oldest_first(void **state) {
    (void)state;
    static const size_t portions[] = {2, 3, 20000};
    for (size_t i = 0; i < sizeof portions / sizeof portions[0]; i++) {
        ir_scene_t *scene = new_scene(GAUGE);
        write_file(scene, "a-new.csv", "w", "Datum;Temp;Pegel\n");
        write_file(scene, "b-old.csv", "w", "Datum;Temp;Pegel\n");
        for (int row = 0; row < 20; row++) {
            char line[64];
            snprintf(line, sizeof line, "%d.01.2025 10:00;%d;\n", 11 + row, 11 + row);
            write_file(scene, "a-new.csv", "a", line);
            snprintf(line, sizeof line, "%d.01.2025 11:00;%d;\n", 1 + row, 1 + row);
            write_file(scene, "b-old.csv", "a", line);
        }
        restart(scene, portions[i]);
        const char *at = read_all(scene);
        double before = 0;
        size_t count = 0;
        while ((at = strstr(at, "\"bt\":")) != NULL) {
            const double time = strtod(at += 5, NULL);
            assert_true(time > before);
            before = time;
            count++;
        }
        assert_int_equal(count, 40);
        free_scene(scene);
    }
}

static void test_the_newest_first(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene(GAUGE);
    write_file(scene, "a.csv", "w",
               "Datum;Temp;Pegel\n26.10.2025 03:15;5;\n26.10.2025 03:00;4;\n"
               "26.10.2025 02:30;3;\n26.10.2025 02:30;2;\n26.10.2025 02:15;1;\n");
    read_all(scene);
    assert_non_null(strstr(scene->seen, "[{\"bt\":1761442200,\"n\":\"elbe/temperature\","
                                        "\"u\":\"Cel\",\"v\":3},"));
    free_scene(scene);
}

/* ---- heads ---- */

static void test_heads_that_do_not_fit(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene(GAUGE);
    write_file(scene, "a.csv", "w", "Datum,Temp,Pegel\n25.10.2025 10:00,1,2\n");
    assert_string_equal(read_all(scene), "");
    assert_true(ir_round_failed(scene->round));
    /* None of the rows counts as read, so that a corrected mapping finds all of them. */
    write_file(scene, "a.csv", "w", "Datum;Temp;Pegel\n25.10.2025 10:00;1;2\n");
    assert_string_equal(read_all(scene),
                        "[{\"bt\":1761379200,\"n\":\"elbe/temperature\",\"u\":\"Cel\",\"v\":1},"
                        "{\"n\":\"elbe/stage\",\"v\":2}]\n");
    free_scene(scene);
}

static void test_no_head(void **state) {
    (void)state;
    ir_scene_t *scene =
        new_scene("[g]\nfiles = *.txt\nheader = 0\nseparator = space\ncomment = #\ntime = 1\n"
                  "time-of-day = 2\nzone = +01:00\nmote = m\n[g:4]\nsensor = m/t\n");
    write_file(scene, "a.txt", "w",
               "# made by hand\n2025-01-01 12:00  x   1.5\n2025-01-01 12:15  x   2\n");
    assert_string_equal(read_all(scene), "[{\"bt\":1735729200,\"n\":\"m/t\",\"v\":1.5}]\n"
                                         "[{\"bt\":1735730100,\"n\":\"m/t\",\"v\":2}]\n");
    free_scene(scene);
}

/* Refused, because the order of the columns would decide which one is meant. */
static void test_two_columns_of_one_name(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene("[g]\nfiles = *.txt\ntime = T\nzone = UTC\nmote = m\n"
                                  "[g:v]\nsensor = m/t\n");
    write_file(scene, "a.txt", "w", "T,v,v\n2025-01-01 12:00,1,2\n");
    assert_string_equal(read_all(scene), "");
    assert_true(ir_round_failed(scene->round));
    write_file(scene, "a.txt", "w", "T,v,w,w\n2025-01-01 12:00,1,2,3\n");
    assert_string_equal(read_all(scene), "[{\"bt\":1735732800,\"n\":\"m/t\",\"v\":1}]\n");
    free_scene(scene);
}

static void test_16_bit_characters(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene("[g]\nfiles = *.txt\nheader = 0\ntime = 1\nzone = UTC\n"
                                  "mote = m\n[g:2]\nsensor = m/t\n");
    write_file(scene, "a.txt", "w",
               "\xff\xfe"
               "2");
    assert_string_equal(read_all(scene), "");
    assert_true(ir_round_failed(scene->round));
    free_scene(scene);
}

/* Many messages about one file do not suppress those about rows of the next file. */
static void test_each_row_is_named_once(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene("[g]\nfiles = *.txt\nheader = 0\ntime = 1\nzone = UTC\n"
                                  "mote = m\n[g:2]\nsensor = m/t\n");
    write_file(scene, "a.txt", "w", "2025-01-01 12:00,1\nx,1\ny,1\n");
    write_file(scene, "b.txt", "w", "");
    read_all(scene);
    assert_int_equal(scene->report.unusable, 2);
    restart(scene, 20000);
    write_file(scene, "a.txt", "a", "z,1\n");
    write_file(scene, "b.txt", "w", "x,1\n");
    read_all(scene);
    assert_int_equal(scene->report.unusable, 4);
    free_scene(scene);
}

static void test_a_head_behind_a_preamble(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene("[g]\nfiles = *.txt\nheader = 3\ntime = T\nzone = UTC\n"
                                  "mote = m\n[g:v]\nsensor = m/t\n");
    write_file(scene, "a.txt", "w",
               "Station,X\n\nT,v\n2025-01-01 12:00,1\nStation,Y\n\nT,w,v\n"
               "2025-01-01 12:15,7,2\n");
    assert_string_equal(read_all(scene), "[{\"bt\":1735732800,\"n\":\"m/t\",\"v\":1}]\n"
                                         "[{\"bt\":1735733700,\"n\":\"m/t\",\"v\":2}]\n");
    free_scene(scene);
}

static void test_toa5(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene("[g]\nfiles = *.dat\nformat = toa5\nzone = -06:00\nmote = m\n"
                                  "missing = NAN\n[g:Temp_Avg]\nsensor = m/t\nunit = Cel\n");
    write_file(
        scene, "a.dat", "w",
        "\"TOA5\",\"CR1000\",\"CR1000\",\"1234\",\"CR1000.Std.25\",\"CPU:a.CR1\",\"1\","
        "\"Min15\"\r\n"
        "\"TIMESTAMP\",\"RECORD\",\"Batt\",\"Temp_Avg\"\r\n"
        "\"TS\",\"RN\",\"Volts\",\"Deg C\"\r\n\"\",\"\",\"Min\",\"Avg\"\r\n"
        "\"2012-05-25 10:15:00\",0,12.9,21.5\r\n\"2012-05-25 10:15:00.25\",1,12.9,\"NAN\"\r\n"
        "\"2012-05-25 10:15:00.5\",2,12.9,21.75\r\n");
    assert_string_equal(read_all(scene),
                        "[{\"bt\":1337962500,\"n\":\"m/t\",\"u\":\"Cel\",\"v\":21.5}]\n"
                        "[{\"bt\":1337962500.5,\"n\":\"m/t\",\"u\":\"Cel\",\"v\":21.75}]\n");
    /* the logger got a new program, so the file contains a second block of header rows */
    write_file(scene, "a.dat", "a",
               "\"TOA5\",\"CR1000\",\"CR1000\",\"1234\",\"CR1000.Std.25\",\"CPU:b.CR1\",\"2\","
               "\"Min15\"\r\n\"TIMESTAMP\",\"RECORD\",\"Temp_Avg\"\r\n\"TS\",\"RN\",\"Deg C\"\r\n"
               "\"\",\"\",\"Avg\"\r\n\"2012-05-25 11:00:00\",0,22\r\n");
    assert_string_equal(read_all(scene),
                        "[{\"bt\":1337965200,\"n\":\"m/t\",\"u\":\"Cel\",\"v\":22}]\n");
    write_file(scene, "a.dat", "a", "\"2012-05-25 11:15:00\",1,23\r\n");
    restart(scene, 20000);
    assert_string_equal(read_all(scene),
                        "[{\"bt\":1337966100,\"n\":\"m/t\",\"u\":\"Cel\",\"v\":23}]\n");
    free_scene(scene);
}

static void test_rdb(void **state) {
    (void)state;
    ir_scene_t *scene =
        new_scene("[usgs]\nfiles = *.rdb\nformat = rdb\nmote = column:site_no\n"
                  "mote-prefix = USGS-\nmissing = Ice, Eqp, ***\n[usgs:*_00060]\n"
                  "sensor = /00060\nunit = ft3/s\n[usgs:*_00010]\nsensor = /00010\n");
    write_file(scene, "a.rdb", "w",
               "# U.S. Geological Survey\n# it's retrieved \"as is\n#\n"
               "agency_cd\tsite_no\tdatetime\ttz_cd\t123_00060\t123_00060_cd\n"
               "5s\t15s\t20d\t6s\t14n\t10s\n"
               "USGS\t08068500\t2011-11-06 01:30\tCDT\t17\tA\n"
               "USGS\t08068500\t2011-11-06 01:30\tCST\t18\tA\n"
               "USGS\t08068500\t2011-11-06 01:45\tCST\tIce\tA\n"
               "#\nagency_cd\tsite_no\tdatetime\ttz_cd\t9_00010\t9_00010_cd\n"
               "5s\t15s\t20d\t6s\t14n\t10s\n"
               "USGS\t021989773\t2011-11-06 01:30\tEST\t12.5\tA\n"
               "#\nagency_cd\tsite_no\tdatetime\ttz_cd\t9_00400\t9_00400_cd\n"
               "5s\t15s\t20d\t6s\t14n\t10s\n"
               "USGS\t02336313\t2011-11-06 01:30\tEST\t7\tA\n");
    assert_string_equal(
        read_all(scene),
        "[{\"bt\":1320561000,\"n\":\"USGS-08068500/00060\",\"u\":\"ft3/s\",\"v\":17}]\n"
        "[{\"bt\":1320561000,\"n\":\"USGS-021989773/00010\",\"v\":12.5}]\n"
        "[{\"bt\":1320564600,\"n\":\"USGS-08068500/00060\",\"u\":\"ft3/s\",\"v\":18}]\n");
    assert_int_equal(scene->report.unusable, 1);
    free_scene(scene);
}

static void test_one_value_a_row(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene("[u]\nfiles = *.csv\ntime = time_utc\nmote = column:station\n"
                                  "[u:value]\nsensor = column:parameter\n");
    write_file(scene, "a.csv", "w",
               "station,parameter,time_utc,value\nA,00010,2011-05-01T04:00:00Z,19.6\n"
               "A,00060,2011-05-01T04:00:00Z,1\nB,00010,2011-05-01T04:00:00Z,20\n"
               "A,00010,2011-05-01T04:15:00Z,19.5\nA b,00010,2011-05-01T04:15:00Z,19.5\n"
               "A,0 0,2011-05-01T04:30:00Z,19.5\n");
    assert_string_equal(read_all(scene), "[{\"bt\":1304222400,\"n\":\"A/00010\",\"v\":19.6},"
                                         "{\"n\":\"A/00060\",\"v\":1}]\n"
                                         "[{\"bt\":1304222400,\"n\":\"B/00010\",\"v\":20}]\n"
                                         "[{\"bt\":1304223300,\"n\":\"A/00010\",\"v\":19.5}]\n");
    assert_int_equal(scene->report.unusable, 2);
    free_scene(scene);
}

/* ---- mappings ---- */

static void test_mappings_that_are_wrong(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "contains no section"},
        {"files = a\n", "map.ini:1: "},
        {"[a b]\nfiles = a\n", "letters"},
        {"[a]\nfile = x\n", "map.ini:2: file: no such setting; did you mean files?"},
        {"[a]\nfiles = x\n[a:v]\nsenser = x\n", "senser: no such setting; did you mean sensor?"},
        {"[a]\nfiles = x\nfiles = y\n", "map.ini:3: files is given twice; line 2 has it already"},
        {"[a]\nfiles = x\nunit = m\n", "map.ini:3: unit: belongs to a section [POSITION:COLUMN]"},
        {"[a]\nfiles = x\n[a:v]\nzone = UTC\n", "zone: belongs to a section [POSITION]"},
        {"[a]\nseparator = ,\n", "comma|semicolon|tab|space"},
        {"[a:b]\nsensor = x\n", "must follow a section [a]"},
        {"[a]\nfiles = x\ntime = t\n[a:v]\nsensor = x\n", "[a]: needs a mote"},
        {"[a]\nfiles = x\nmote = m/n\ntime = t\n[a:v]\nsensor = x\n", "mote must be letters"},
        {"[a]\nfiles = x\nmote = m\n[a:v]\nsensor = x\n", "needs time"},
        {"[a]\nfiles = x\nmote = m\ntime = t\n", "no section [a:COLUMN]"},
        {"[a]\nfiles = x\nmote = m\ntime = t\n[a:v]\nunit = m\n", "[a:v]: needs a sensor"},
        {"[a]\nfiles = x\nmote = m\ntime = t\n[a:v]\nsensor = s\nunit = xyz\n", "unit 'xyz'"},
        {"[a]\nmote = m\ntime = t\n[a:v]\nsensor = s\n", "either files or subscribe"},
        {"[a]\nsubscribe = mqtt://x\nmote = m\ntime = t\n[a:v]\nsensor = s\n", "tts or chirpstack"},
        {"[a]\nfiles = x\nmote = m\ntime = t\ntime-format = x\n[a:v]\nsensor = s\n", "time-format"},
        {"[a]\nfiles = x\nformat = tts\nmote = m\n[a:v]\nsensor = column:x\n", "no column"},
        {"[a]\nfiles = x\nmote = m\ntime = t\nzone = Europe/Berln\n[a:v]\nsensor = s\n",
         "zone 'Europe/Berln'"},
        {"[a]\nfiles = x\nmote = m\ntime = t\nthousands = point\n[a:v]\nsensor = s\n",
         "[a]: decimal and thousands must be different signs"},
        {"[a:123456789012345678901234567890123456789012345678]\nsensor = x\n", "longer than 48"},
    };
    char folder[] = "/tmp/ir-map-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/map.ini", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_error_t error = {.text = ""};
        ir_map_t *map = NULL;
        FILE *file = fopen(path, "w");
        assert_true(fputs(cases[i].text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(ir_map_load(path, &map, NULL, &error), IR_ERR_USAGE);
        assert_memory_equal(error.text, path, strlen(path));
        if (strstr(error.text, cases[i].says) == NULL) {
            fail_msg("%s: %s", cases[i].text, error.text);
        }
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Notations of numbers. POINT: 1234.5. COMMA: 1234,5. The others also have a thousands
 * separator. */
#define POINT                                                                                      \
    { IR_DECIMAL_POINT, IR_THOUSANDS_NONE }
#define COMMA                                                                                      \
    { IR_DECIMAL_COMMA, IR_THOUSANDS_NONE }
#define GERMAN                                                                                     \
    { IR_DECIMAL_COMMA, IR_THOUSANDS_POINT }
#define FRENCH                                                                                     \
    { IR_DECIMAL_COMMA, IR_THOUSANDS_SPACE }
#define SWISS                                                                                      \
    { IR_DECIMAL_POINT, IR_THOUSANDS_APOSTROPHE }
#define ENGLISH                                                                                    \
    { IR_DECIMAL_POINT, IR_THOUSANDS_COMMA }

static void test_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        ir_notation_t notation;
        bool good;
        double number;
    } cases[] = {
        {"1", POINT, true, 1},
        {"-1.5", POINT, true, -1.5},
        {"+.5", POINT, true, 0.5},
        {"5.", POINT, true, 5},
        {"1e3", POINT, true, 1000},
        {"1,5", COMMA, true, 1.5},
        {"1,5", POINT, false, 0},
        {"1.5", COMMA, false, 0},
        {"nan", POINT, false, 0},
        {"inf", POINT, false, 0},
        {"0x10", POINT, false, 0},
        {"1e999", POINT, false, 0},
        {"1.234,5", COMMA, false, 0},
        {"", POINT, false, 0},
        {".", POINT, false, 0},
        {"1 2", POINT, false, 0},
        {"--1", POINT, false, 0},
        {"e", POINT, false, 0},
        {"-1.234,5", GERMAN, true, -1234.5},
        {"1.234.567", GERMAN, true, 1234567},
        {"1234,5", GERMAN, true, 1234.5},
        {"12.5", GERMAN, false, 0}, /* a decimal point, not a group */
        {"1.2345", GERMAN, false, 0},
        {"1234.567", GERMAN, false, 0},
        {".123", GERMAN, false, 0},
        {"1..234", GERMAN, false, 0},
        {"1,234.567", GERMAN, false, 0},
        {"1 234,5", FRENCH, true, 1234.5},
        {"1\xc2\xa0"
         "234,5",
         FRENCH, true, 1234.5},
        {"1\xe2\x80\xaf"
         "234,5",
         FRENCH, true, 1234.5},
        {"12'345.6", SWISS, true, 12345.6},
        {"12\xe2\x80\x99"
         "345",
         SWISS, true, 12345},
        {"1,234.5e2", ENGLISH, true, 123450},
        {"12,5", ENGLISH, false, 0},
        {"\xe2\x88\x92"
         "1.5",
         POINT, true, -1.5}, /* the sign of mathematics */
        {"\xe2\x88\x92", POINT, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double number = 0;
        if (ir_notation_read(ir_view_text(cases[i].text), cases[i].notation, &number) !=
                cases[i].good ||
            number != cases[i].number) {
            fail_msg("%zu: %s: %g", i, cases[i].text, number);
        }
    }
}

static void test_suggested_notations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        ir_notation_t notation;
        const char *like;
    } cases[] = {
        {"1.234,5", COMMA, "; as a number it needs thousands = point"},
        {"1.234,5", POINT, "; as a number it needs decimal = comma with thousands = point"},
        {"1'234.5", POINT, "; as a number it needs thousands = apostrophe"},
        {"15,4", POINT, "; as a number it needs decimal = comma"},
        {"12.5", GERMAN, "; as a number it needs decimal = point with thousands = none"},
        {"1,234", POINT, "; as a number it needs thousands = comma, or decimal = comma"},
        {"#ERR", POINT, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char like[IR_NOTATION_LIKE_SIZE];
        assert_string_equal(ir_notation_like(ir_view_text(cases[i].text), cases[i].notation, like),
                            cases[i].like);
    }
}

/* A file with comment lines, a row of units below the names, and numbers whose groups of digits are
 * separated by Latin-1's no-break space. */
static void test_rows_after_the_header(void **state) {
    (void)state;
    ir_scene_t *scene =
        new_scene("[g]\nfiles = *.csv\nencoding = latin-1\nseparator = semicolon\n"
                  "decimal = comma\nthousands = space\ncomment = #\nafter-header = 1\n"
                  "time = Datum\nmote = m\n[g:Abfluss]\nsensor = /q\n");
    write_file(scene, "a.csv", "w",
               "# Export\nDatum;Abfluss\n;[m\xb3/s]\n2025-10-25T10:00Z;1\xa0"
               "234,5\n"
               "# repeated\nDatum;Abfluss\n;[m\xb3/s]\n2025-10-25T10:15Z;1 235\n");
    assert_string_equal(read_all(scene), "[{\"bt\":1761386400,\"n\":\"m/q\",\"v\":1234.5}]\n"
                                         "[{\"bt\":1761387300,\"n\":\"m/q\",\"v\":1235}]\n");
    assert_int_equal(scene->report.unusable, 0);
    free_scene(scene);
}

/* Rows of a device that have no names, below rows that are no table. */
static void test_numbered_columns_below_other_rows(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene("[g]\nfiles = *.mon\nseparator = space\nheader = 0\n"
                                  "after-header = 2\ntime = 1\ntime-of-day = 2\nmote = m\n"
                                  "[g:3]\nsensor = /p\n");
    write_file(scene, "a.mon", "w",
               "2025-10-25 file of a diver\n1\n2025-10-25 10:00Z 1023.5\n2025-10-25 10:15Z 1023\n");
    assert_string_equal(read_all(scene), "[{\"bt\":1761386400,\"n\":\"m/p\",\"v\":1023.5}]\n"
                                         "[{\"bt\":1761387300,\"n\":\"m/p\",\"v\":1023}]\n");
    assert_int_equal(scene->report.unusable, 0);
    free_scene(scene);
}

/* The path of a spool is relative to the working directory, not to the mapping. Wildcards in its
 * name have no special meaning. */
static void test_a_spool_in_another_folder(void **state) {
    (void)state;
    static const char spool[] = "spool-[a], b*";
    ir_scene_t *scene = new_scene("[l]\nsubscribe = mqtt://h\nformat = chirpstack\n"
                                  "mote = column:deviceName\n[l:level]\nsensor = /level\n");
    char before[256];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scene->state), 0);
    assert_int_equal(mkdir(spool, 0700), 0);
    write_file(scene, "state/spool-[a], b*/0000000001.jsonl", "w",
               "{\"time\":\"2024-05-01T00:00:00+00:00\",\"fCnt\":1,\"fPort\":1,"
               "\"deviceInfo\":{\"deviceName\":\"m\",\"devEui\":\"01\"},"
               "\"object\":{\"level\":1.5},\"rxInfo\":[]}\n");
    scene->spool = spool;
    restart(scene, 10);
    assert_string_equal(read_all(scene), "[{\"bt\":1714521600,\"n\":\"m/level\",\"v\":1.5}]\n");
    assert_int_equal(chdir(before), 0);
    free_scene(scene);
}

static void test_patterns(void **state) {
    (void)state;
    assert_true(ir_layout_fits("abc", "abc"));
    assert_true(ir_layout_fits("*", ""));
    assert_true(ir_layout_fits("*_00060", "12_00060"));
    assert_false(ir_layout_fits("*_00060", "12_00060_cd"));
    assert_true(ir_layout_fits("T*[*C]", "Temp [\xc2\xb0"
                                         "C]"));
    assert_true(ir_layout_fits("*a*a*", "banana"));
    assert_false(ir_layout_fits("a*b", "abc"));
}

/* When memory runs out, no row is skipped: either all rows are read, or the call reports the
 * reason. */
static void test_every_allocation_failing(void **state) {
    (void)state;
    ir_scene_t *scene = new_scene(GAUGE);
    write_file(scene, "a.csv", "w",
               "Datum;Temp;Pegel\n25.10.2025 10:00;8,5;1\n26.10.2025 10:15;\"8,5\";2\n");
    failing_alloc_required();
    for (unsigned nth = 1;; nth++) {
        ir_error_t error = {.text = ""};
        ir_input_tools_t *tools = NULL;
        ir_input_t *input = NULL;
        ir_report_t report = {.told = 0};
        ir_zones_t *zones = NULL;
        size_t count = 0;
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        zones = ir_zones_new();
        ir_status_t status = zones != NULL ? IR_OK : IR_ERR_MEMORY;
        if (status == IR_OK) {
            status = ir_input_tools_open(scene->map->positions[0], zones, &report, &tools, &error);
        }
        if (status == IR_OK) {
            status = ir_input_open(scene->map->positions[0], path_in(scene, "a.csv"), scene->state,
                                   &input, &error);
        }
        if (status == IR_OK) {
            status = ir_input_read(input, tools, 100, &error);
        }
        const bool failed = failing_alloc_disarm();
        if (status == IR_OK) {
            (void)ir_input_packs(input, &count);
            assert_int_equal(count, 2);
        }
        assert_int_equal(report.unusable, 0);
        ir_input_close(input);
        ir_input_tools_close(tools);
        ir_zones_free(zones);
        if (!failed) {
            assert_int_equal(status, IR_OK);
            break;
        }
    }
    free_scene(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_of_a_logger),
        cmocka_unit_test(test_the_same_bytes_in_any_portions),
        cmocka_unit_test(test_rows_that_join_the_last_pack),
        cmocka_unit_test(test_a_process_that_dies),
        cmocka_unit_test(test_hourly_rows_when_the_clock_is_set_back),
        cmocka_unit_test(test_files_that_change),
        cmocka_unit_test(test_another_mapping),
        cmocka_unit_test(test_a_damaged_state),
        cmocka_unit_test(test_one_process_at_a_time),
        cmocka_unit_test(test_oldest_first),
        cmocka_unit_test(test_the_newest_first),
        cmocka_unit_test(test_heads_that_do_not_fit),
        cmocka_unit_test(test_no_head),
        cmocka_unit_test(test_two_columns_of_one_name),
        cmocka_unit_test(test_16_bit_characters),
        cmocka_unit_test(test_each_row_is_named_once),
        cmocka_unit_test(test_a_head_behind_a_preamble),
        cmocka_unit_test(test_toa5),
        cmocka_unit_test(test_rdb),
        cmocka_unit_test(test_one_value_a_row),
        cmocka_unit_test(test_mappings_that_are_wrong),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_a_spool_in_another_folder),
        cmocka_unit_test(test_suggested_notations),
        cmocka_unit_test(test_rows_after_the_header),
        cmocka_unit_test(test_numbered_columns_below_other_rows),
        cmocka_unit_test(test_every_allocation_failing),
        cmocka_unit_test(test_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
