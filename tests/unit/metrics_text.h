/* Helpers for tests of metrics. Include this after cmocka.h. */
#ifndef IR_TESTS_UNIT_METRICS_TEXT_H
#define IR_TESTS_UNIT_METRICS_TEXT_H

#include "common/buffer.h"
#include "common/metrics.h"

/* All metrics in the text format. The caller frees it. */
static inline char *shown(const ir_metrics_t *metrics) {
    ir_buffer_t out;
    ir_buffer_init(&out);
    ir_metrics_render(metrics, &out);
    ir_buffer_append(&out, "", 1);
    assert_true(ir_buffer_ok(&out));
    return out.data;
}

#endif
