/* Converts arbitrary bytes to text and back. */
#include "common/legible.h"
#include "common/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_view(ir_view_t view, ir_view_t expected) {
    assert_int_equal(view.size, expected.size);
    assert_memory_equal(view.data, expected.data, expected.size);
}

#define VIEW(literal) ir_view((literal), sizeof(literal) - 1)

static void texts_and_bytes(void **state) {
    (void)state;
    static const struct {
        ir_view_t bytes, text;
    } cases[] = {
        {{"ir.creek-1", 10}, {"ir.creek-1", 10}},
        {{"", 0}, {"", 0}},
        {{"ir.B\xc3\xa4"
          "ch",
          8},
         {"ir.B\xc3\xa4"
          "ch",
          8}},
        {{"ir.\xff\xfe", 5}, {"ir.\\xff\\xfe", 11}},
        {{"a\0b\n\x7f", 5}, {"a\\x00b\\x0a\\x7f", 14}},
        {{"a\\xff", 5}, {"a\\x5cxff", 8}},
        {{"\xe2\x82", 2}, {"\\xe2\\x82", 8}},
        {{"\xed\xa0\x80", 3}, {"\\xed\\xa0\\x80", 12}},
    };
    ir_arena_t *arena = ir_arena_new(256);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ir_view_t text = ir_legible_text(arena, cases[i].bytes);
        ir_view_t bytes;
        assert_view(text, cases[i].text);
        assert_true(ir_utf8_valid(text));
        assert_true(ir_legible_bytes(arena, text, &bytes));
        assert_view(bytes, cases[i].bytes);
    }
    ir_arena_free(arena);
}

static void what_changes_nothing_is_no_copy(void **state) {
    (void)state;
    const ir_view_t view = VIEW("ir.creek-1");
    assert_ptr_equal(ir_legible_text(NULL, view).data, view.data);
    ir_view_t bytes;
    assert_true(ir_legible_bytes(NULL, view, &bytes));
    assert_ptr_equal(bytes.data, view.data);
}

static void older_texts_are_their_own_bytes(void **state) {
    (void)state;
    ir_arena_t *arena = ir_arena_new(256);
    static const char *const texts[] = {"a\\b", "a\\x", "\\xF", "\\xGG", "\\xFF", "\\"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ir_view_t bytes;
        assert_true(ir_legible_bytes(arena, ir_view_text(texts[i]), &bytes));
        assert_view(bytes, ir_view_text(texts[i]));
    }
    ir_arena_free(arena);
}

/* Every pair of bytes, alone and after the beginning of a longer character. */
static void all_pairs(void **state) {
    (void)state;
    ir_arena_t *arena = ir_arena_new(4096);
    for (unsigned pair = 0; pair < 65536; pair++) {
        const char bytes[] = {(char)0xe2, (char)(pair >> 8), (char)pair};
        for (size_t from = 0; from < 2; from++) {
            const ir_view_t given = ir_view(bytes + from, sizeof bytes - from);
            const ir_view_t text = ir_legible_text(arena, given);
            ir_view_t back;
            assert_true(ir_utf8_valid(text));
            assert_true(ir_legible_bytes(arena, text, &back));
            assert_view(back, given);
        }
        ir_arena_reset(arena);
    }
    ir_arena_free(arena);
}

static void lines_are_cut_between_characters(void **state) {
    (void)state;
    char out[8];
    assert_int_equal(ir_legible_line(out, sizeof out, VIEW("a\\b\n\xff")), 7);
    assert_string_equal(out, "a\\b\\x0a");
    assert_int_equal(ir_legible_line(out, sizeof out, VIEW("12345\xe2\x82\xac")), 5);
    assert_string_equal(out, "12345");
    assert_int_equal(ir_legible_line(out, 1, VIEW("abc")), 0);
    assert_string_equal(out, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_bytes),
        cmocka_unit_test(what_changes_nothing_is_no_copy),
        cmocka_unit_test(older_texts_are_their_own_bytes),
        cmocka_unit_test(all_pairs),
        cmocka_unit_test(lines_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
