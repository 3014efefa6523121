/* Linked into every unit test: the environment variable TEST_FILTER, a pattern with * and ?,
 * selects tests by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void select_tests(void) {
    const char *pattern = getenv("TEST_FILTER");
    if (pattern != NULL) {
        cmocka_set_test_filter(pattern);
    }
}
