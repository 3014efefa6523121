/* Answers of a broker's management interface: up to four, separated by a zero byte. */
#include "tests/fuzz/fuzz.h"
#include "worker/policies.h"

#include <string.h>

#define FIXED ((size_t)256 * 1024)
#define FACTOR                                                                                     \
    600 /* a JSON value of two bytes takes 80 bytes in the parser; a fault is a line of            \
         * 200 bytes */

static ir_view_t next(ir_view_t *rest) {
    const char *end = rest->size > 0 ? memchr(rest->data, '\0', rest->size) : NULL;
    const size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
    const ir_view_t part = ir_view(rest->data, size);
    const size_t taken = end != NULL ? size + 1 : size;
    *rest = ir_view(rest->data + taken, rest->size - taken);
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ir_view_t rest = fuzz_view(data, size);
    ir_policy_answers_t answers;
    answers.overview = next(&rest);
    answers.queues = next(&rest);
    answers.policies = next(&rest);
    answers.operator_policies = next(&rest);
    ir_policy_verdict_t verdict = {0};
    ir_error_t error = {.status = IR_OK};
    ir_buffer_t reasons;
    ir_buffer_init(&reasons);
    fuzz_watch(FIXED, FACTOR, size);
    fuzz_must_say_why(ir_policies_judge(&answers, &verdict, &reasons, &error), &error);
    fuzz_unwatch();
    ir_buffer_free(&reasons);
    return 0;
}
