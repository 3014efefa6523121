/* A code counts as a fault of the document only if its documentation says so. */
#include "store/documents/mongodb/codes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_fault(const int64_t *codes, size_t count, ir_mongodb_fault_t fault) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ir_mongodb_fault(codes[i]), fault);
    }
}

static void each_code_is_of_its_kind(void **state) {
    (void)state;
    static const int64_t data[] = {22, 121, 10334};
    static const int64_t server[] = {13, 91, 112, 365, 462, 8000, 10107, 16500};
    static const int64_t unknown[] = {-1, 0, 1, 2, 8, 9, 52, 7777777};
    static const int64_t repeat[] = {11000};
    assert_fault(data, sizeof data / sizeof *data, IR_MONGODB_FAULT_DATA);
    assert_fault(server, sizeof server / sizeof *server, IR_MONGODB_FAULT_SERVER);
    assert_fault(unknown, sizeof unknown / sizeof *unknown, IR_MONGODB_FAULT_UNKNOWN);
    assert_fault(repeat, sizeof repeat / sizeof *repeat, IR_MONGODB_FAULT_REPEAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_code_is_of_its_kind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
