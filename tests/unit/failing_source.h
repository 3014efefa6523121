/* For the tests of message sources that make allocations fail. */
#ifndef IR_TESTS_FAILING_SOURCE_H
#define IR_TESTS_FAILING_SOURCE_H

#include "loadgen/source/source.h"
#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef ir_status_t (*failing_source_open_fn)(const ir_source_options_t *options,
                                              ir_source_t *source, ir_error_t *error);

/* Opens the source with each of its allocations failing in turn: it must return IR_ERR_MEMORY and
 * leave nothing open. */
static inline void failing_source_open(failing_source_open_fn open,
                                       const ir_source_options_t *options) {
    failing_alloc_required();
    for (unsigned nth = 1;; nth++) {
        ir_source_t source = {0};
        ir_error_t error;
        failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
        const ir_status_t status = open(options, &source, &error);
        if (!failing_alloc_disarm()) {
            assert_int_equal(status, IR_OK);
            ir_source_close(&source);
            break;
        }
        assert_int_equal(status, IR_ERR_MEMORY);
        assert_null(source.kind);
    }
}

#endif
