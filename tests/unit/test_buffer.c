/* Buffers, arenas and base64: all appended data are there, and failed allocations are reported. */
#include "common/arena.h"
#include "common/base64.h"
#include "common/buffer.h"
#include "common/utf8.h"
#include "tests/unit/failing_alloc.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(const ir_buffer_t *buffer, const char *text) {
    assert_true(ir_buffer_ok(buffer));
    assert_int_equal(buffer->size, strlen(text));
    assert_memory_equal(buffer->data, text, buffer->size);
}

static void appends_of_every_kind(void **state) {
    (void)state;
    ir_buffer_t buffer;
    ir_buffer_init(&buffer);
    ir_buffer_append_text(&buffer, "a");
    ir_buffer_append_char(&buffer, ' ');
    ir_buffer_append_int(&buffer, INT64_MIN);
    ir_buffer_append_char(&buffer, ' ');
    ir_buffer_append_uint(&buffer, UINT64_MAX);
    ir_buffer_append_char(&buffer, ' ');
    ir_buffer_append_double(&buffer, -0.1);
    ir_buffer_append_format(&buffer, " %s-%03d", "x", 7);
    ir_buffer_append_view(&buffer, ir_view_text(""));
    assert_text(&buffer, "a -9223372036854775808 18446744073709551615 -0.1 x-007");
    ir_buffer_clear(&buffer);
    assert_text(&buffer, "");
    ir_buffer_free(&buffer);
}

static void long_formats_are_not_cut(void **state) {
    (void)state;
    char words[3000];
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    ir_buffer_t buffer;
    ir_buffer_init(&buffer);
    ir_buffer_append_format(&buffer, "%s", words);
    assert_text(&buffer, words);
    ir_buffer_free(&buffer);
}

/* A JSON parser returns the same text that was written. */
static void json_strings(void **state) {
    (void)state;
    static const char *const texts[] = {"", "plain", "\"\\/\b\f\n\r\t", "\x01\x1f\x7f", "äöü€😀"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ir_buffer_t buffer;
        ir_buffer_init(&buffer);
        ir_buffer_append_json_string(&buffer, ir_view_text(texts[i]));
        json_t *parsed = json_loadb(buffer.data, buffer.size, JSON_DECODE_ANY, NULL);
        assert_non_null(parsed);
        assert_string_equal(json_string_value(parsed), texts[i]);
        json_decref(parsed);
        ir_buffer_free(&buffer);
    }
}

static void a_failure_stays_until_cleared(void **state) {
    (void)state;
    failing_alloc_required();
    ir_buffer_t buffer;
    ir_buffer_init(&buffer);
    failing_alloc_arm(1, FAILING_ALLOC_PROGRAM);
    ir_buffer_append_text(&buffer, "a");
    assert_true(failing_alloc_disarm());
    assert_false(ir_buffer_ok(&buffer));
    ir_buffer_append_text(&buffer, "b");
    assert_false(ir_buffer_ok(&buffer));
    assert_int_equal(buffer.size, 0);
    ir_buffer_clear(&buffer);
    ir_buffer_append_text(&buffer, "c");
    assert_text(&buffer, "c");
    ir_buffer_free(&buffer);
}

static void impossible_sizes_fail(void **state) {
    (void)state;
    ir_buffer_t buffer;
    ir_buffer_init(&buffer);
    ir_buffer_append_char(&buffer, 'a');
    assert_false(ir_buffer_reserve(&buffer, SIZE_MAX));
    ir_buffer_free(&buffer);
}

static void arena_gives_aligned_memory_and_takes_it_back(void **state) {
    (void)state;
    ir_arena_t *arena = ir_arena_new(1024);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 3000; size = size * 2 + 1) {
            char *memory = ir_arena_alloc(arena, size);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
            memset(memory, 0xa5, size);
        }
        assert_true(ir_arena_footprint(arena) >= 3000);
        ir_arena_reset(arena);
        assert_true(ir_arena_footprint(arena) <= 2048);
    }
    const ir_view_t copy = ir_arena_copy(arena, ir_view("abc", 2));
    assert_int_equal(copy.size, 2);
    assert_string_equal(copy.data, "ab");
    assert_non_null(ir_arena_copy(arena, (ir_view_t){NULL, 0}).data);
    ir_arena_free(arena);
    ir_arena_free(NULL);
}

static void arena_without_memory(void **state) {
    (void)state;
    failing_alloc_required();
    failing_alloc_arm(1, FAILING_ALLOC_PROGRAM);
    assert_null(ir_arena_new(64));
    assert_true(failing_alloc_disarm());
    ir_arena_t *arena = ir_arena_new(64);
    failing_alloc_arm(1, FAILING_ALLOC_PROGRAM);
    assert_null(ir_arena_alloc(arena, 10));
    assert_true(failing_alloc_disarm());
    assert_null(ir_arena_alloc(arena, SIZE_MAX - 8));
    assert_non_null(ir_arena_alloc(arena, 10));
    ir_arena_free(arena);
}

/* RFC 4648, section 10. */
static void base64_vectors(void **state) {
    (void)state;
    static const char *const vectors[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"\xfb\xff", "+/8=", "-_8"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const ir_view_t bytes = ir_view_text(vectors[i][0]);
        ir_buffer_t buffer;
        ir_buffer_init(&buffer);
        ir_base64_append(&buffer, bytes, false);
        assert_text(&buffer, vectors[i][1]);
        ir_buffer_clear(&buffer);
        ir_base64_append(&buffer, bytes, true);
        assert_text(&buffer, vectors[i][2]);
        char decoded[32];
        size_t size = 99;
        assert_true(ir_base64url_decode(ir_buffer_view(&buffer), decoded, &size));
        assert_int_equal(size, bytes.size);
        assert_memory_equal(decoded, bytes.data, size);
        ir_buffer_free(&buffer);
    }
}

static void base64_refuses_what_is_none(void **state) {
    (void)state;
    static const char *const bad[] = {"A", "AA+A", "AA/A", "A===", "A A", "AAAAA", "AB\n"};
    char decoded[32];
    size_t size = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(ir_base64url_decode(ir_view_text(bad[i]), decoded, &size));
    }
}

static void utf8(void **state) {
    (void)state;
    static const char *const good[] = {"", "plain", "é€😀", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"};
    static const char *const bad[] = {"\x80",         "\xc3",         "\xc0\xaf",
                                      "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xff",         "a\xe2\x82",    "\xc3\x28"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(ir_utf8_valid(ir_view_text(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(ir_utf8_valid(ir_view_text(bad[i])));
    }
    assert_false(ir_utf8_valid(ir_view("a\0b", 3)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_of_every_kind),
        cmocka_unit_test(long_formats_are_not_cut),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(a_failure_stays_until_cleared),
        cmocka_unit_test(impossible_sizes_fail),
        cmocka_unit_test(arena_gives_aligned_memory_and_takes_it_back),
        cmocka_unit_test(arena_without_memory),
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64_refuses_what_is_none),
        cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
