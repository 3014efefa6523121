#include "store/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    /* Spread over the bytes, so that order of numbers is not order of ids. */
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

/* Message 1 with observations 11 and 12, unconfirmed 2 with 21, meant to be refused 3. */
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

static void see(ir_ledger_t *ledger, unsigned number) {
    const ir_id_t id = make_id(number);
    ir_ledger_see(ledger, &id);
}

static void assert_result(ir_ledger_t *ledger, uint64_t present, uint64_t missing, uint64_t doubled,
                          uint64_t foreign) {
    ir_ledger_result_t result;
    ir_ledger_end(ledger, &result);
    assert_int_equal(result.present, present);
    assert_int_equal(result.missing, missing);
    assert_int_equal(result.doubled, doubled);
    assert_int_equal(result.foreign, foreign);
}

static void test_text(void **state) {
    const ir_fixture_t *fixture = *state;
    write_example(fixture->path);
    char text[512] = "";
    FILE *file = fopen(fixture->path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_int_equal(strncmp(text, "# ir-ledger 1\nm ", 16), 0);
    assert_int_equal(strlen(text), 14 + 6 * 39);
    assert_string_equal(text + 14 + 5 * 39, "r 136da6da-0000-0000-0300-000000000000\n");
}

static void test_compare(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_error_t error;
    ir_ledger_t *ledger = NULL;
    write_example(fixture->path);
    assert_int_equal(ir_ledger_load(fixture->path, &ledger, &error), IR_OK);
    assert_int_equal(ir_ledger_count(ledger, IR_LEDGER_RAW), 2);
    assert_int_equal(ir_ledger_count(ledger, IR_LEDGER_OBSERVATION), 2);

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
    ir_ledger_t *ledger = NULL;
    ir_ledger_writer_t *writer = NULL;
    const ir_id_t raw = make_id(2);
    const ir_id_t observations[] = {make_id(21), make_id(31)};
    write_example(fixture->path);
    assert_int_equal(ir_ledger_create(fixture->other, &writer, &error), IR_OK);
    assert_int_equal(ir_ledger_write(writer, 'm', &raw, observations, 2, &error), IR_OK);
    assert_int_equal(ir_ledger_close(writer, &error), IR_OK);

    assert_int_equal(ir_ledger_load(fixture->path, &ledger, &error), IR_OK);
    assert_int_equal(ir_ledger_add(ledger, fixture->other, &error), IR_OK);
    /* What one sent without a confirm, the other sent with one. */
    assert_int_equal(ir_ledger_count(ledger, IR_LEDGER_RAW), 3);
    assert_int_equal(ir_ledger_count(ledger, IR_LEDGER_OBSERVATION), 4);
    ir_ledger_free(ledger);
}

static void test_many(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_error_t error;
    ir_ledger_t *ledger = NULL;
    ir_ledger_writer_t *writer = NULL;
    assert_int_equal(ir_ledger_create(fixture->path, &writer, &error), IR_OK);
    for (unsigned i = 0; i < MANY; i++) {
        const ir_id_t id = make_id(i);
        assert_int_equal(ir_ledger_write(writer, 'm', &id, &id, 1, &error), IR_OK);
    }
    assert_int_equal(ir_ledger_close(writer, &error), IR_OK);
    assert_int_equal(ir_ledger_load(fixture->path, &ledger, &error), IR_OK);
    ir_ledger_begin(ledger, IR_LEDGER_OBSERVATION);
    for (unsigned i = 1; i < MANY; i++) {
        see(ledger, i);
    }
    assert_result(ledger, MANY - 1, 1, 0, 0);
    ir_ledger_free(ledger);
}

static void test_empty(void **state) {
    const ir_fixture_t *fixture = *state;
    ir_error_t error;
    ir_ledger_t *ledger = NULL;
    write_text(fixture->path, "# ir-ledger 1\n");
    assert_int_equal(ir_ledger_load(fixture->path, &ledger, &error), IR_OK);
    ir_ledger_begin(ledger, IR_LEDGER_RAW);
    see(ledger, 1);
    assert_result(ledger, 0, 0, 0, 1);
    ir_ledger_free(ledger);
}

static void test_bad_files(void **state) {
    static const struct {
        const char *text, *wrong;
    } cases[] = {
        {"", ":1: not a ledger"},
        {"# ir-ledger 2\n", ":1: not a ledger"},
        {"# ir-ledger 1", ":1: cut off"},
        {"# ir-ledger 1\n\n", ":2: neither"},
        {"# ir-ledger 1\nx c63c9519-0000-0000-0300-000000000000\n", ":2: neither"},
        {"# ir-ledger 1\nm c63c9519-0000-0000-0300-00000000000\n", ":2: neither"},
        {"# ir-ledger 1\nmc63c9519-0000-0000-0300-000000000000\n", ":2: neither"},
        {"# ir-ledger 1\no c63c9519-0000-0000-0300-000000000000\n", ":2: an \"o\" line without"},
        {"# ir-ledger 1\nm c63c9519-0000-0000-0300-000000000000\n"
         "p c63c9519-0000-0000-0300-000000000000\n",
         ":3: a \"p\" line without"},
        {"# ir-ledger 1\nr c63c9519-0000-0000-0300-000000000000\n"
         "o c63c9519-0000-0000-0300-000000000000\n",
         ":3: an \"o\" line without"},
        {"# ir-ledger 1\nm c63c9519-0000-0000-0300-000000000000", ":2: cut off"},
        {"# ir-ledger 1\nm c63c9519-0000-0000-0300-000000000000 and much more than fits a line\n",
         ":2: cut off"},
    };
    const ir_fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ir_error_t error = {.status = IR_OK};
        ir_ledger_t *ledger = NULL;
        write_text(fixture->path, cases[i].text);
        assert_int_equal(ir_ledger_load(fixture->path, &ledger, &error), IR_ERR_SYNTAX);
        assert_null(ledger);
        assert_non_null(strstr(error.text, fixture->path));
        assert_non_null(strstr(error.text, cases[i].wrong));
    }
}

static void test_no_file(void **state) {
    (void)state;
    ir_error_t error;
    ir_ledger_t *ledger = NULL;
    ir_ledger_writer_t *writer = NULL;
    assert_int_equal(ir_ledger_load("/nowhere/at/all", &ledger, &error), IR_ERR_NOT_FOUND);
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

static void test_full_disk(void **state) {
    (void)state;
    ir_error_t error = {.status = IR_OK};
    ir_ledger_writer_t *writer = NULL;
    const ir_id_t id = make_id(1);
    assert_int_equal(ir_ledger_create("/dev/full", &writer, &error), IR_OK);
    assert_int_equal(ir_ledger_write(writer, 'm', &id, &id, 1, &error), IR_OK);
    assert_int_equal(ir_ledger_close(writer, &error), IR_ERR_FULL);
    assert_non_null(strstr(error.text, "/dev/full"));

    /* Noticed while writing: the end still says that the ledger is incomplete. */
    ir_status_t status = IR_OK;
    assert_int_equal(ir_ledger_create("/dev/full", &writer, &error), IR_OK);
    for (int i = 0; i < MANY && status == IR_OK; i++) {
        status = ir_ledger_write(writer, 'm', &id, &id, 1, &error);
    }
    assert_int_equal(status, IR_ERR_FULL);
    assert_int_not_equal(ir_ledger_close(writer, &error), IR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compare, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_add, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_files, set_up, tear_down),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test_setup_teardown(test_wrong_kind, set_up, tear_down),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
