#include "annotation/quality/reasons.h"

bool ir_flag_is_bad(uint8_t flag) {
    return flag == IR_FLAG_SUSPECT || flag == IR_FLAG_FAIL;
}

void ir_reasons_append(ir_buffer_t *out, const ir_observation_t *observation) {
    const char *separator = "";
    for (int test = 0; test < IR_TEST_COUNT; test++) {
        if (ir_flag_is_bad(observation->flags[test])) {
            ir_buffer_append_text(out, separator);
            ir_buffer_append_text(out, ir_test_words((ir_test_t)test));
            ir_buffer_append_char(out, ' ');
            ir_buffer_append_text(out, ir_flag_text(observation->flags[test]));
            separator = "; ";
        }
    }
    if (separator[0] == '\0' && ir_flag_is_bad(observation->aggregate)) {
        ir_buffer_append_text(out, "ahead of arrival suspect");
    }
}
