#include "observation/quality_tests.h"

static const struct {
    const char *key, *words;
} tests[IR_TEST_COUNT] = {
#define ROW(symbol, key, words, flag) [IR_TEST_##symbol] = {key, words},
    IR_QUALITY_TESTS(ROW)
#undef ROW
};

const char *ir_test_text(ir_test_t test) {
    return tests[test].key;
}

const char *ir_test_words(ir_test_t test) {
    return tests[test].words;
}

ir_test_t ir_test_find(ir_view_t key) {
    int test = 0;
    while (test < IR_TEST_COUNT && !ir_view_equal(key, ir_view_text(tests[test].key))) {
        test++;
    }
    return (ir_test_t)test;
}

const char *ir_flag_text(int flag) {
    switch (flag) {
    case IR_FLAG_GOOD:
        return "good";
    case IR_FLAG_SUSPECT:
        return "suspect";
    case IR_FLAG_FAIL:
        return "fail";
    case IR_FLAG_MISSING:
        return "missing";
    default:
        return "not_evaluated";
    }
}
