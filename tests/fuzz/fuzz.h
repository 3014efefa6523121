/* A fuzzer's entry point, as libFuzzer names it, and what the targets share. Whatever the input, it
 * must come back; a fault is found by the sanitizers, by abort(), or by what it costs. */
#ifndef IR_TESTS_FUZZ_H
#define IR_TESTS_FUZZ_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- what an input may cost ---- */

/* From here on, what this thread has allocated and not freed may be `fixed` bytes and `factor` for
 * each of the `size` bytes of input. The allocation that goes beyond aborts, so that its place is
 * seen. Only one at a time. */
void fuzz_watch(size_t fixed, size_t factor, size_t size);

/* The end of it. With FUZZ_COSTS in the environment, the largest factor so far is told on standard
 * error: for choosing bounds. */
void fuzz_unwatch(void);

/* ---- what readers of files want ---- */

#define FUZZ_PATH_SIZE 40

/* The input as a file in memory; the descriptor to close, or -1. */
int fuzz_file(const uint8_t *data, size_t size, char path[static FUZZ_PATH_SIZE]);

/* Aborts when something failed and did not say why. */
void fuzz_must_say_why(ir_status_t status, const ir_error_t *error);

/* What memory is to be in proportion to: the size, or of gzip the most that can come out of it, up
 * to `bound`. */
size_t fuzz_expanded_size(const uint8_t *data, size_t size, size_t bound);

static inline ir_view_t fuzz_view(const uint8_t *data, size_t size) {
    return ir_view((const char *)data, size);
}

#endif
