#include "store/ledger.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 20000

typedef struct ir_fixture {
    char path[64], other[64];
} ir_fixture_t;

static void make_path(char path[static 64]) {
    strcpy(path, "/tmp/test_ledger.XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static int set_up(void **state) {
    ir_fixture_t *fixture = calloc(1, sizeof *fixture);
    make_path(fixture->path);
    make_path(fixture->other);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    ir_fixture_t *fixture = *state;
    unlink(fixture->path);
    unlink(fixture->other);
    free(fixture);
    return 0;
}

static ir_id_t make_id(unsigned number) {
    ir_id_t id = {{0}};
    /* Spreads the number over the bytes, so that ids are not in the order of the numbers. */
    const unsigned mixed = number * 2654435761U;
    memcpy(id.bytes, &mixed, sizeof mixed);
    memcpy(id.bytes + 8, &number, sizeof number);
    return id;
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Writes a ledger: message 1 with observations 11 and 12; message 2, unconfirmed, with observation
 * 21; message 3, which must be refused. */
static void write_example(const char *path) {
    ir_error_t error;
    ir_ledger_writer_t *writer = NULL;
    const ir_id_t raw[] = {make_id(1), make_id(2), make_id(3)};
    const ir_id_t observations[] = {make_id(11), make_id(12), make_id(21)};
    assert_int_equal(ir_ledger_create(path, &writer, &error), IR_OK);
    assert_int_equal(ir_ledger_write(writer, 'm', &raw[0], observations, 2, &error), IR_OK);
    assert_int_equal(ir_ledger_write(writer, 'u', &raw[1], &observations[2], 1, &error), IR_OK);
    assert_int_equal(ir_ledger_write(writer, 'r', &raw[2], NULL, 0, &error), IR_OK);
    assert_int_equal(ir_ledger_close(writer, &error), IR_OK);
}

static ir_ledger_t *load(const char *path) {
    ir_ledger_t *ledger = ir_ledger_new();
    ir_ledger_extent_t extent;
    ir_error_t error;
    assert_non_null(ledger);
    assert_int_equal(ir_ledger_add(ledger, path, false, &extent, &error), IR_OK);
    assert_false(extent.cut_off);
    return ledger;
}

static void see(ir_ledger_t *ledger, unsigned number) {
    const ir_id_t id = make_id(number);
    assert_true(ir_ledger_see(ledger, &id, ir_view(NULL, 0)));
}

static void see_of(ir_ledger_t *ledger, unsigned number, const char *mote) {
    const ir_id_t id = make_id(number);
    assert_true(ir_ledger_see(ledger, &id, ir_view_text(mote)));
}

static void assert_result(ir_ledger_t *ledger, uint64_t present, uint64_t missing, uint64_t doubled,
                          uint64_t foreign) {
    ir_ledger_result_t result;
    ir_ledger_end(ledger, &result);
    assert_int_equal(result.again, 0);
    assert_int_equal(result.present, present);
    assert_int_equal(result.missing, missing);
    assert_int_equal(result.doubled, doubled);
    assert_int_equal(result.foreign, foreign);
}

/* If a ledger names its motes, data of other motes do not count. The graph does not show the mote
 * of an observation, so it is taken from the documents. */
static void test_motes(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_error_t error;
    ir_ledger_writer_t *writer = NULL;
    const ir_id_t raw = make_id(1);
    const ir_id_t observation = make_id(11);
    assert_int_equal(ir_ledger_create(fixture->path, &writer, &error), IR_OK);
    assert_int_equal(ir_ledger_write_mote(writer, ir_view_text("mine"), &error), IR_OK);
    assert_int_equal(ir_ledger_write(writer, 'm', &raw, &observation, 1, &error), IR_OK);
    assert_int_equal(ir_ledger_close(writer, &error), IR_OK);
    ir_ledger_t *ledger = load(fixture->path);
    ir_ledger_result_t result;
    ir_ledger_begin(ledger, IR_LEDGER_RAW);
    see_of(ledger, 1, "mine");
    see_of(ledger, 2, "mine");
    see_of(ledger, 3, "other");
    ir_ledger_end(ledger, &result);
    assert_int_equal(result.foreign, 1);
    assert_int_equal(result.others, 1);
    for (int graph = 0; graph < 2; graph++) {
        ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
        see_of(ledger, 11, graph ? "" : "mine");
        see_of(ledger, 12, graph ? "" : "other");
        see_of(ledger, 13, graph ? "" : "mine");
        ir_ledger_end(ledger, &result);
        assert_int_equal(result.present, 1);
        assert_int_equal(result.foreign, 1);
        assert_int_equal(result.others, 1);
    }
    ir_ledger_free(ledger);
}

static void test_text(void **state) {
    const ir_fixture_t *fixture = *state;
    write_example(fixture->path);
    char text[512] = "";
    FILE *file = fopen(fixture->path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_int_equal(strncmp(text, "# ir-ledger 2\nm ", 16), 0);
    assert_int_equal(strlen(text), 14 + 6 * 39 + 6);
    assert_string_equal(text + 14 + 5 * 39, "r 136da6da-0000-0000-0300-000000000000\n# end\n");
}

static void test_compare(void **state) {
    const ir_fixture_t *fixture = *state;
    write_example(fixture->path);
    ir_ledger_t *ledger = load(fixture->path);

    ir_ledger_begin(ledger, IR_LEDGER_RAW);
    assert_result(ledger, 0, 2, 0, 0);

    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    see(ledger, 11);
    see(ledger, 12);
    assert_result(ledger, 2, 0, 0, 0);

    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    see(ledger, 11);
    see(ledger, 21);
    see(ledger, 21);
    see(ledger, 11);
    see(ledger, 11);
    see(ledger, 1);
    assert_result(ledger, 2, 1, 3, 1);
    ir_ledger_free(ledger);
}

static void test_add(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_error_t error;
    ir_ledger_writer_t *writer = NULL;
    ir_ledger_extent_t extent;
    ir_ledger_result_t result;
    const ir_id_t raw = make_id(2);
    const ir_id_t observations[] = {make_id(21), make_id(31)};
    write_example(fixture->path);
    assert_int_equal(ir_ledger_create(fixture->other, &writer, &error), IR_OK);
    assert_int_equal(ir_ledger_write(writer, 'm', &raw, observations, 2, &error), IR_OK);
    assert_int_equal(ir_ledger_close(writer, &error), IR_OK);

    ir_ledger_t *ledger = load(fixture->path);
    assert_int_equal(ir_ledger_add(ledger, fixture->other, false, &extent, &error), IR_OK);
    /* One run sent a message without getting a confirm, and another run sent the same message and
     * got one. */
    ir_ledger_begin(ledger, IR_LEDGER_RAW);
    ir_ledger_end(ledger, &result);
    assert_int_equal(result.expected, 3);
    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    ir_ledger_end(ledger, &result);
    assert_int_equal(result.expected, 4);
    ir_ledger_free(ledger);
}

static void test_many(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_error_t error;
    ir_ledger_writer_t *writer = NULL;
    assert_int_equal(ir_ledger_create(fixture->path, &writer, &error), IR_OK);
    for (unsigned i = 0; i < MANY; i++) {
        const ir_id_t id = make_id(i);
        assert_int_equal(ir_ledger_write(writer, 'm', &id, &id, 1, &error), IR_OK);
    }
    assert_int_equal(ir_ledger_close(writer, &error), IR_OK);
    ir_ledger_t *ledger = load(fixture->path);
    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    for (unsigned i = 1; i < MANY; i++) {
        see(ledger, i);
    }
    assert_result(ledger, MANY - 1, 1, 0, 0);
    ir_ledger_free(ledger);
}

static void test_empty(void **state) {
    const ir_fixture_t *fixture = *state;
    write_text(fixture->path, "# ir-ledger 2\n# end\n");
    ir_ledger_t *ledger = load(fixture->path);
    ir_ledger_begin(ledger, IR_LEDGER_RAW);
    see(ledger, 1);
    assert_result(ledger, 0, 0, 0, 1);
    ir_ledger_free(ledger);
}

#define ID "c63c9519-0000-0000-0300-000000000000"

static void test_bad_files(void **state) {
    static const struct {
        const char *text, *wrong;
    } cases[] = {
        {"", ":1: not a ledger"},
        {"# ir-ledger 3\n", ":1: not a ledger"},
        {"# ir-ledger 1\nm " ID "\n", ":1: a ledger of version 1"},
        {"# ir-ledger 2", ":1: cut off"},
        {"# ir-ledger 2\n\n", ":2: neither"},
        {"# ir-ledger 2\nx " ID "\n", ":2: neither"},
        {"# ir-ledger 2\nm c63c9519-0000-0000-0300-00000000000\n", ":2: neither"},
        {"# ir-ledger 2\nm" ID "\n", ":2: neither"},
        {"# ir-ledger 2\no " ID "\n", ":2: an \"o\" line without"},
        {"# ir-ledger 2\nm " ID "\np " ID "\n", ":3: a \"p\" line without"},
        {"# ir-ledger 2\nr " ID "\no " ID "\n", ":3: an \"o\" line without"},
        {"# ir-ledger 2\nm " ID "\nt " ID " a 1 1 1\no " ID "\n", ":4: an \"o\" line without"},
        {"# ir-ledger 2\n# end\nm " ID "\n", ":3: a line after"},
        {"# ir-ledger 2\nt " ID "\n", ":2: not \"t "},
        {"# ir-ledger 2\nt " ID " a 7 1\n", ":2: not \"t "},
        {"# ir-ledger 2\nt " ID " a 7 1 x\n", ":2: not \"t "},
        {"# ir-ledger 2\nt " ID " a 7 -1 1\n", ":2: not \"t "},
        {"# ir-ledger 2\nt " ID " a 7 4294967296 1\n", ":2: not \"t "},
        {"# ir-ledger 2\nt " ID " a 7 1 2\n", ":2: not \"t "},
        {"# ir-ledger 2\nt " ID "  7 1 1\n", ":2: not \"t "},
        {"# ir-ledger 2\nt " ID " a 7 1 1 name\n", ":2: not \"t "},
    };
    const ir_fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_error_t error = {.status = IR_OK};
        ir_ledger_extent_t extent;
        ir_ledger_t *ledger = ir_ledger_new();
        write_text(fixture->path, cases[i].text);
        assert_int_equal(ir_ledger_add(ledger, fixture->path, false, &extent, &error),
                         IR_ERR_SYNTAX);
        ir_ledger_free(ledger);
        assert_non_null(strstr(error.text, fixture->path));
        assert_non_null(strstr(error.text, cases[i].wrong));
    }
}

/* A ledger is truncated, because the generator was interrupted or the disk was full. Its complete
 * lines count. */
static void test_cut_off(void **state) {
    static const struct {
        const char *text;
        uint64_t lines, expected;
        bool incomplete;
    } cases[] = {
        {"# ir-ledger 2\n", 1, 0, false},
        {"# ir-ledger 2\nm " ID "\n", 2, 1, false},
        {"# ir-ledger 2\nm " ID, 1, 0, true},
        {"# ir-ledger 2\nm " ID "\no c63c95", 2, 1, true},
        {"# ir-ledger 2\nt " ID " a 7 1 1\nt " ID " a 7 1", 2, 1, true},
        {"# ir-ledger 2\nm " ID "\n# en", 2, 1, true},
    };
    const ir_fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_error_t error;
        ir_ledger_extent_t extent;
        ir_ledger_result_t result;
        ir_ledger_t *ledger = ir_ledger_new();
        write_text(fixture->path, cases[i].text);
        assert_int_equal(ir_ledger_add(ledger, fixture->path, false, &extent, &error), IR_OK);
        assert_true(extent.cut_off);
        assert_int_equal(extent.incomplete, cases[i].incomplete);
        assert_int_equal(extent.lines, cases[i].lines);
        ir_ledger_begin(ledger, IR_LEDGER_RAW);
        ir_ledger_end(ledger, &result);
        assert_int_equal(result.expected, cases[i].expected);
        ir_ledger_free(ledger);
    }
}

/* ---- messages with times relative to their arrival ---- */

static void write_arrival(ir_ledger_writer_t *writer, unsigned content, uint32_t sent,
                          uint32_t confirmed, const char *name, unsigned raw) {
    ir_error_t error;
    const ir_ledger_arrival_t arrival = {.content = make_id(content),
                                         .mote = ir_view_text("creek"),
                                         .records = 2,
                                         .sent = sent,
                                         .confirmed = confirmed,
                                         .name = ir_view_text(name),
                                         .raw_id = make_id(raw)};
    assert_int_equal(ir_ledger_write_arrival(writer, &arrival, &error), IR_OK);
}

static void see_arrival(ir_ledger_t *ledger, unsigned key, unsigned first_observation,
                        size_t count) {
    const ir_id_t id = make_id(key);
    ir_id_t observations[4];
    for (unsigned i = 0; i < count; i++) {
        observations[i] = make_id(first_observation + i);
    }
    assert_true(ir_ledger_has_arrival(ledger, &id));
    assert_int_equal(ir_ledger_see_arrival(ledger, &id, observations, count), IR_OK);
}

/* Without a name: message 1 was sent three times and confirmed once, message 2 is one reading sent
 * twice, message 3 was not confirmed. With a name: message 104 was sent twice. */
static ir_ledger_t *arrivals(const char *path) {
    ir_error_t error;
    ir_ledger_writer_t *writer = NULL;
    assert_int_equal(ir_ledger_create(path, &writer, &error), IR_OK);
    write_arrival(writer, 1, 3, 1, NULL, 0);
    write_arrival(writer, 2, 1, 1, NULL, 0);
    write_arrival(writer, 2, 1, 1, NULL, 0);
    write_arrival(writer, 3, 1, 0, NULL, 0);
    write_arrival(writer, 4, 2, 1, "a name of 4", 104);
    assert_int_equal(ir_ledger_close(writer, &error), IR_OK);
    ir_ledger_t *ledger = load(path);
    const ir_id_t content = make_id(4);
    assert_true(ir_ledger_has_arrivals(ledger));
    assert_false(ir_ledger_has_arrival(ledger, &content));
    ir_ledger_begin(ledger, IR_LEDGER_RAW);
    return ledger;
}

static void check(ir_ledger_t *ledger, const ir_ledger_result_t *expected) {
    ir_ledger_result_t result;
    ir_ledger_end(ledger, &result);
    assert_int_equal(result.expected, expected->expected);
    assert_int_equal(result.present, expected->present);
    assert_int_equal(result.missing, expected->missing);
    assert_int_equal(result.doubled, expected->doubled);
    assert_int_equal(result.foreign, expected->foreign);
    assert_int_equal(result.again, expected->again);
}

static void test_arrivals(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_ledger_t *ledger = arrivals(fixture->path);
    see_arrival(ledger, 1, 1000, 2);
    see_arrival(ledger, 1, 1010, 2); /* it arrived twice */
    see_arrival(ledger, 2, 1020, 2);
    see_arrival(ledger, 2, 1030, 2);
    see_arrival(ledger, 104, 1040, 2);
    check(ledger, &(ir_ledger_result_t){.expected = 4, .present = 4, .again = 1});
    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    for (unsigned i = 0; i < 5; i++) {
        see(ledger, 1000 + 10 * i);
        see(ledger, 1001 + 10 * i);
    }
    check(ledger, &(ir_ledger_result_t){.expected = 10, .present = 10});
    ir_ledger_free(ledger);
}

/* One message is lost. Of another message one observation is missing, and another observation is
 * stored with a second time. */
static void test_arrivals_missing(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_ledger_t *ledger = arrivals(fixture->path);
    see_arrival(ledger, 1, 1000, 2);
    see_arrival(ledger, 2, 1020, 2);
    see_arrival(ledger, 104, 1040, 2);
    check(ledger, &(ir_ledger_result_t){.expected = 4, .present = 3, .missing = 1});
    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    see(ledger, 1000);
    see(ledger, 1005);
    see(ledger, 1020);
    see(ledger, 1021);
    see(ledger, 1040);
    see(ledger, 1041);
    check(ledger, &(ir_ledger_result_t){.expected = 8, .present = 5, .missing = 3, .foreign = 1});
    ir_ledger_free(ledger);
}

/* A message without a name is stored more often than it was sent. A message with a name is stored
 * more than once. */
static void test_arrivals_doubled(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_ledger_t *ledger = arrivals(fixture->path);
    for (unsigned i = 0; i < 4; i++) {
        see_arrival(ledger, 1, 1000 + 10 * i, 2);
    }
    see_arrival(ledger, 2, 1100, 2);
    see_arrival(ledger, 2, 1110, 2);
    see_arrival(ledger, 104, 1120, 2);
    see_arrival(ledger, 104, 1130, 2);
    check(ledger, &(ir_ledger_result_t){.expected = 4, .present = 4, .doubled = 2, .again = 2});
    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    see(ledger, 1030);
    see(ledger, 1131);
    ir_ledger_result_t result;
    ir_ledger_end(ledger, &result);
    assert_int_equal(result.doubled, 2);
    assert_int_equal(result.present, 0);
    ir_ledger_free(ledger);
}

/* Fewer or more observations are stored than the message had good records. */
static void test_arrivals_with_other_records(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_ledger_t *ledger = arrivals(fixture->path);
    see_arrival(ledger, 1, 1000, 1);
    see_arrival(ledger, 2, 1020, 2);
    see_arrival(ledger, 2, 1030, 3);
    see_arrival(ledger, 104, 1040, 2);
    check(ledger, &(ir_ledger_result_t){.expected = 4, .present = 4});
    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    for (unsigned i = 1000; i < 1050; i++) {
        if (i % 10 < (i < 1010 ? 1 : i < 1030 ? 2 : i < 1040 ? 3 : 2) && (i < 1010 || i >= 1020)) {
            see(ledger, i);
        }
    }
    check(ledger, &(ir_ledger_result_t){.expected = 9, .present = 8, .missing = 1, .foreign = 1});
    ir_ledger_free(ledger);
}

static void test_no_file(void **state) {
    (void)state;
    ir_error_t error;
    ir_ledger_t *ledger = ir_ledger_new();
    ir_ledger_extent_t extent;
    ir_ledger_writer_t *writer = NULL;
    assert_int_equal(ir_ledger_add(ledger, "/nowhere/at/all", false, &extent, &error),
                     IR_ERR_NOT_FOUND);
    ir_ledger_free(ledger);
    assert_int_equal(ir_ledger_create("/nowhere/at/all", &writer, &error), IR_ERR_IO);
    assert_null(writer);
    assert_int_equal(ir_ledger_close(NULL, &error), IR_OK);
    ir_ledger_free(NULL);
}

static void test_wrong_kind(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_error_t error;
    ir_ledger_writer_t *writer = NULL;
    const ir_id_t id = make_id(1);
    assert_int_equal(ir_ledger_create(fixture->path, &writer, &error), IR_OK);
    assert_int_equal(ir_ledger_write(writer, 'o', &id, NULL, 0, &error), IR_ERR_USAGE);
    assert_int_equal(ir_ledger_write(writer, '\0', &id, NULL, 0, &error), IR_ERR_USAGE);
    assert_int_equal(ir_ledger_write(writer, 'r', &id, &id, 1, &error), IR_ERR_USAGE);
    assert_int_equal(ir_ledger_close(writer, &error), IR_OK);
}

/* /dev/full refuses the first line; a file with a size limit refuses a later one. After that
 * nothing more is written, so the complete lines can be used. */
static void test_full_disk(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_error_t error = {.status = IR_OK};
    ir_ledger_writer_t *writer = NULL;
    const ir_id_t id = make_id(1);
    assert_int_equal(ir_ledger_create("/dev/full", &writer, &error), IR_ERR_FULL);
    assert_non_null(strstr(error.text, "/dev/full"));
    assert_null(writer);

    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {100000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ir_status_t status = IR_OK;
    assert_int_equal(ir_ledger_create(fixture->path, &writer, &error), IR_OK);
    for (int i = 0; i < MANY && status == IR_OK; i++) {
        status = ir_ledger_write(writer, 'm', &id, &id, 1, &error);
    }
    assert_int_not_equal(status, IR_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_not_equal(ir_ledger_write(writer, 'm', &id, &id, 1, &error), IR_OK);
    assert_int_not_equal(ir_ledger_close(writer, &error), IR_OK);

    ir_ledger_extent_t extent;
    ir_ledger_t *ledger = ir_ledger_new();
    assert_int_equal(ir_ledger_add(ledger, fixture->path, false, &extent, &error), IR_OK);
    assert_true(extent.cut_off);
    assert_true(extent.lines > 1000);
    ir_ledger_free(ledger);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_motes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_add, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arrivals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arrivals_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arrivals_doubled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arrivals_with_other_records, set_up, tear_down),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test_setup_teardown(test_wrong_kind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
