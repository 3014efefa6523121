/* A fuzzer's entry point, as libFuzzer names it. Whatever the input, it must come back; a fault is
 * found by the sanitizers or by abort(). */
#ifndef IR_TESTS_FUZZ_H
#define IR_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
