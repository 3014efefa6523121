/* A fuzzer's entry point, as libFuzzer names it, and helpers for the targets. It must return for
 * every input. Faults are found by the sanitizers, by abort(), or by the memory limit. */
#ifndef IR_TESTS_FUZZ_H
#define IR_TESTS_FUZZ_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a limit on the memory for an input ---- */

/* Starts a memory limit: from now on this thread may hold `fixed` bytes plus `factor` bytes for
 * each of the `size` bytes of input. The allocation that exceeds the limit aborts, so that the
 * stack trace shows its place. Only one limit at a time. */
void fuzz_watch(size_t fixed, size_t factor, size_t size);

/* Ends the limit. With FUZZ_COSTS in the environment, prints the largest factor so far on standard
 * error, as a help for choosing limits. */
void fuzz_unwatch(void);

/* ---- helpers for targets that read files ---- */

#define FUZZ_PATH_SIZE 40

/* Makes a memory file with the input. Returns a descriptor that the caller closes, or -1. */
int fuzz_file(const uint8_t *data, size_t size, char path[static FUZZ_PATH_SIZE]);

/* Aborts when something failed and did not say why. */
void fuzz_must_say_why(ir_status_t status, const ir_error_t *error);

/* The size that the memory limit is proportional to: that of the input, or for gzip its largest
 * possible decompressed size, up to `bound`. */
size_t fuzz_expanded_size(const uint8_t *data, size_t size, size_t bound);

static inline ir_view_t fuzz_view(const uint8_t *data, size_t size) {
    return ir_view((const char *)data, size);
}

#endif
