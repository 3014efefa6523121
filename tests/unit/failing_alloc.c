#include "tests/unit/failing_alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* These run before a sanitizer is ready, so they must not be instrumented. */
#define PLAIN __attribute__((no_sanitize("address", "undefined", "thread")))

/* The wrapped allocator: the sanitizer's if there is one, else the C library's. The names are given
 * by these libraries. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *old, size_t size) __attribute__((weak));
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

/* The address range of the program's own code; the linker defines these symbols. */
extern const char __executable_start[];
extern const char etext[];
/* NOLINTEND(bugprone-reserved-identifier) */

/* volatile, because the compiler assumes that malloc changes no variables */
static _Thread_local volatile unsigned remaining; /* 0: not armed, or already done */
static _Thread_local failing_alloc_scope_t armed_scope;
static _Thread_local volatile bool failed;

void failing_alloc_arm(unsigned nth, failing_alloc_scope_t scope) {
    failed = false;
    armed_scope = scope;
    remaining = nth;
}

bool failing_alloc_disarm(void) {
    remaining = 0;
    return failed;
}

void failing_alloc_required(void) {
    void *(*const volatile allocate)(size_t) = malloc; /* volatile prevents inlining */
    failing_alloc_arm(1, FAILING_ALLOC_ALL);
    void *volatile probe = allocate(1);
    free(probe);
    if (!failing_alloc_disarm()) {
        print_message("another allocator is in use: no allocation can be made to fail\n");
        skip();
    }
}

PLAIN static bool fails(const void *caller) {
    if (remaining == 0) {
        return false;
    }
    const uintptr_t address = (uintptr_t)caller;
    if (armed_scope == FAILING_ALLOC_PROGRAM &&
        (address < (uintptr_t)__executable_start || address >= (uintptr_t)etext)) {
        return false;
    }
    remaining--;
    failed = remaining == 0;
    if (failed) {
        errno = ENOMEM;
    }
    return failed;
}

PLAIN void *malloc(size_t size) {
    if (fails(__builtin_return_address(0))) {
        return NULL;
    }
    return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
PLAIN void *calloc(size_t count, size_t size) {
    if (fails(__builtin_return_address(0))) {
        return NULL;
    }
    return __interceptor_calloc ? __interceptor_calloc(count, size) : __libc_calloc(count, size);
}

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
PLAIN void *realloc(void *old, size_t size) {
    if (fails(__builtin_return_address(0))) {
        return NULL;
    }
    return __interceptor_realloc ? __interceptor_realloc(old, size) : __libc_realloc(old, size);
}
