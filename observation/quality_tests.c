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

int ir_flag_find(ir_view_t text) {
    static const int flags[] = {IR_FLAG_GOOD, IR_FLAG_NOT_EVALUATED, IR_FLAG_SUSPECT, IR_FLAG_FAIL,
                                IR_FLAG_MISSING};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (ir_view_equal(text, ir_view_text(ir_flag_text(flags[i])))) {
            return flags[i];
        }
    }
    return 0;
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
