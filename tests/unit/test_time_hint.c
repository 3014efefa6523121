#include "store/time_hint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HINT(literal) ir_time_hint(ir_view(literal, sizeof(literal) - 1))

static void test_json(void **state) {
    (void)state;
    assert_int_equal(HINT("[{\"bn\":\"m\",\"bt\":1304222400,\"v\":1}]"), 1304222400);
    assert_int_equal(HINT("[{\"n\":\"m\",\"t\": 1304222400.75,\"v\":1}]"), 1304222400);
    assert_int_equal(HINT("[{\"ut\":60,\"t\":1304222401}]"), 1304222401);
    assert_int_equal(HINT("[{\"n\":\"412345678\",\"v\":1}]"), 0);
    assert_int_equal(HINT("[{\"t\":-60,\"v\":1}]"), 0);
    assert_int_equal(HINT("[{\"t\":99999999999999999999999999}]"), 0);
    assert_int_equal(HINT("[{\"t\":"), 0);
}

static void test_cbor(void **state) {
    (void)state;
    assert_int_equal(HINT("\x81\xa2\x22\x1a\x4d\xbc\xd9\x80\x02\x01"), 1304222080);
    assert_int_equal(HINT("\x81\xa1\x06\x1b\0\0\0\0\x4d\xbc\xd9\x80"), 1304222080);
    assert_int_equal(HINT("\x81\xa1\x22\xfb\x41\xd3\x6f\x36\x60\x00\x00\x00"), 1304222080);
    assert_int_equal(HINT("\x81\xa1\x22\xfb\x7f\xf8\0\0\0\0\0\0"), 0);
    assert_int_equal(HINT("\x81\xa1\x22\x1a\x4d\xbc\xd9"), 0);
    assert_int_equal(HINT("\x81\xa1\x22\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), 0);
    assert_int_equal(HINT("\x81\xa1\x22"), 0);
}

static void test_nothing(void **state) {
    (void)state;
    assert_int_equal(ir_time_hint(ir_view(NULL, 0)), 0);
    assert_int_equal(HINT("\0"), 0);
    assert_int_equal(HINT("not a pack at all"), 0);
}

/* Whatever is cut off: no byte beyond the end is read (the copy ends where the body does). */
static void test_every_prefix(void **state) {
    (void)state;
    static const char *const bodies[] = {"[{\"bn\":\"m\",\"bt\":1304222400,\"v\":1}]",
                                         "\x81\xa1\x22\xfb\x41\xd3\x6f\x36\x60\x01\x01\x01"};
    for (size_t b = 0; b < sizeof bodies / sizeof bodies[0]; b++) {
        for (size_t size = 1; size <= strlen(bodies[b]); size++) {
            char *copy = malloc(size);
            memcpy(copy, bodies[b], size);
            assert_true(ir_time_hint(ir_view(copy, size)) >= 0);
            free(copy);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_cbor),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
