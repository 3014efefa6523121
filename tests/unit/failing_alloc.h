/* Makes each allocation of a piece of code fail in turn. Linked into a test program, it wraps the
 * allocator of the C library or of a sanitizer. While it is not armed it only passes calls on. One
 * line of the Makefile adds it to a program:
 *
 *   $(OUT)/tests/test_NOUN: $(OUT)/tests/unit/failing_alloc.o
 *
 * Use:
 *
 *   failing_alloc_required();
 *   for (unsigned nth = 1;; nth++) {
 *       failing_alloc_arm(nth, FAILING_ALLOC_PROGRAM);
 *       status = the_code();
 *       if (!failing_alloc_disarm()) {
 *           break;                      -- it needed fewer than nth allocations: all were tried
 *       }
 *       assert_int_equal(status, IR_ERR_MEMORY);
 *   } */
#ifndef IR_TESTS_FAILING_ALLOC_H
#define IR_TESTS_FAILING_ALLOC_H

#include <stdbool.h>

typedef enum failing_alloc_scope {
    FAILING_ALLOC_PROGRAM, /* allocations by the code linked into the test program */
    FAILING_ALLOC_ALL      /* also by shared libraries; some of them then crash */
} failing_alloc_scope_t;

/* From now on the nth (from 1) malloc, calloc or realloc of this thread returns NULL, once. */
void failing_alloc_arm(unsigned nth, failing_alloc_scope_t scope);

/* Lets allocations succeed again; returns whether one was made to fail. */
bool failing_alloc_disarm(void);

/* Skips the cmocka test if another allocator, such as valgrind's, has replaced this one: then
 * nothing would fail. */
void failing_alloc_required(void);

#endif
