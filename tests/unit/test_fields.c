#include "feed/fields.h"
#include "feed/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const ir_dialect_t comma = {.separator = ',', .quote = '"'};

/* Returns the fields of a row, each in brackets. */
static const char *split(const char *row, char separator, char quote) {
    static char shown[4096];
    static ir_fields_t fields;
    static char copy[1024];
    const ir_dialect_t dialect = {.separator = separator, .quote = quote};
    snprintf(copy, sizeof copy, "%s", row);
    assert_true(ir_fields_split(copy, strlen(copy), &dialect, &fields));
    size_t size = 0;
    shown[0] = '\0';
    for (size_t i = 0; i < fields.count; i++) {
        size += (size_t)snprintf(shown + size, sizeof shown - size, "[%.*s]",
                                 IR_VIEW_ARG(fields.all[i]));
    }
    return shown;
}

static void test_fields(void **state) {
    (void)state;
    static const struct {
        const char *row;
        char separator;
        char quote;
        const char *fields;
    } cases[] = {
        {"a,b,c\n", ',', '\"', "[a][b][c]"},
        {"a,b,c\r\n", ',', '\"', "[a][b][c]"},
        {"a,b,c", ',', '\"', "[a][b][c]"},
        {",,\n", ',', '\"', "[][][]"},
        {"\n", ',', '\"', "[]"},
        {" a ,\tb\t, c d \n", ',', '\"', "[a][b][c d]"},
        {"\"a,b\",\"c\nd\"\n", ',', '\"', "[a,b][c\nd]"},
        {"\"say \"\"yes\"\"\",x\n", ',', '\"', "[say \"yes\"][x]"},
        {"\"\",\"\"\"\"\n", ',', '\"', "[][\"]"},
        {"\" kept \",x\n", ',', '\"', "[ kept ][x]"},
        {"\"a\"b,c\n", ',', '\"', "[ab][c]"},
        {"a\"b\",c\n", ',', '\"', "[a\"b\"][c]"},
        {"  \"a;b\" ;c\n", ';', '\"', "[a;b][c]"},
        {"1,5;2\n", ';', '\"', "[1,5][2]"},
        {"a\t\tb\t\n", '\t', '\0', "[a][][b][]"},
        {"5\" pipe\tx\n", '\t', '\0', "[5\" pipe][x]"},
        {"\"open\tx\n", '\t', '\0', "[\"open][x]"},
        {"  a   b  c \n", ' ', '\"', "[a][b][c]"},
        {"\"a b\" c\n", ' ', '\"', "[a b][c]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(split(cases[i].row, cases[i].separator, cases[i].quote),
                            cases[i].fields);
    }
}

static void test_too_many_fields(void **state) {
    (void)state;
    static char row[IR_FIELDS_MAX + 2];
    static ir_fields_t fields;
    memset(row, ',', sizeof row);
    assert_true(ir_fields_split(row, IR_FIELDS_MAX - 1, &comma, &fields));
    assert_int_equal(fields.count, IR_FIELDS_MAX);
    assert_false(ir_fields_split(row, IR_FIELDS_MAX, &comma, &fields));
}

static void test_where_a_row_ends(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t end, lines;
    } cases[] = {
        {"", 0, 0},
        {"a,b", 0, 0},
        {"a,b\n", 4, 1},
        {"a,b\nc", 4, 1},
        {"\"a\nb\",c\nd", 8, 2},
        {"\"a\nb", 0, 0},
        {"\"a\"\"\n\"\n", 7, 2},
        {"a\"b\nc\n", 4, 1},
        {"\"a\"", 0, 0},
        {"\n\n", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t lines = 0;
        assert_int_equal(ir_fields_end(ir_view_text(cases[i].text), &comma, &lines), cases[i].end);
        assert_int_equal(lines, cases[i].lines);
    }
}

/* ---- rows ---- */

static int file_with(const char *text, size_t size) {
    char path[] = "/tmp/ir-rows-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void test_a_row_without_its_end_waits(void **state) {
    (void)state;
    ir_error_t error;
    ir_row_t row;
    ir_rows_t *rows = ir_rows_new();
    const int fd = file_with("\xef\xbb\xbf"
                             "a,b\r\n\"c\nd\",e\nf",
                             17);
    ir_rows_begin(rows, fd, (ir_row_place_t){.line = 1});
    assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_ROW);
    assert_memory_equal(row.data, "a,b\r\n", 5);
    assert_int_equal(row.begin.offset, 3);
    assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_ROW);
    assert_int_equal(row.begin.line, 2);
    assert_int_equal(row.end.line, 4);
    assert_int_equal(row.end.offset, 16);
    assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_END);
    assert_true(ir_rows_waits(rows));
    assert_int_equal(pwrite(fd, "g\n", 2, 17), 2);
    assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_ROW);
    assert_memory_equal(row.data, "fg\n", 3);
    ir_rows_back(rows, &row);
    assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_ROW);
    assert_memory_equal(row.data, "fg\n", 3);
    assert_int_equal(row.begin.offset, 16);
    (void)close(fd);
    ir_rows_free(rows);
}

static void test_an_open_quote_costs_its_line_only(void **state) {
    (void)state;
    const size_t size = 3 * IR_ROW_BYTES_MAX;
    char *text = malloc(size);
    ir_error_t error;
    ir_row_t row;
    ir_rows_t *rows = ir_rows_new();
    for (size_t i = 0; i < size; i++) {
        text[i] = i % 10 == 9 ? '\n' : 'x';
    }
    text[0] = '"';
    const int fd = file_with(text, size);
    ir_rows_begin(rows, fd, (ir_row_place_t){.line = 1});
    assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_LONG);
    assert_int_equal(row.begin.line, 1);
    for (size_t i = 1; i < size / 10; i++) {
        assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_ROW);
        assert_int_equal(row.begin.offset, (int64_t)(10 * i));
        assert_int_equal(row.size, 10);
    }
    assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_END);
    (void)close(fd);
    ir_rows_free(rows);
    free(text);
}

static void test_a_line_longer_than_the_buffer(void **state) {
    (void)state;
    const size_t size = 5 * IR_ROW_BYTES_MAX;
    char *text = malloc(size);
    ir_error_t error;
    ir_row_t row;
    ir_rows_t *rows = ir_rows_new();
    memset(text, 'x', size);
    text[size - 3] = text[size - 1] = '\n';
    text[size - 2] = 'a';
    const int fd = file_with(text, size);
    ir_rows_begin(rows, fd, (ir_row_place_t){.line = 1});
    assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_LONG);
    assert_int_equal(row.end.offset, 0);
    assert_int_equal(ir_rows_next(rows, &comma, &row, &error), IR_ROWS_ROW);
    assert_memory_equal(row.data, "a\n", 2);
    assert_int_equal(row.begin.line, 2);
    assert_int_equal(row.end.offset, (int64_t)size);
    (void)close(fd);
    ir_rows_free(rows);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_where_a_row_ends),
        cmocka_unit_test(test_a_row_without_its_end_waits),
        cmocka_unit_test(test_an_open_quote_costs_its_line_only),
        cmocka_unit_test(test_a_line_longer_than_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
