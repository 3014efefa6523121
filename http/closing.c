#include "http/closing.h"

#include <stddef.h>

static const struct {
    const char *text;
    int code;
    const char *detail;
} closings[IR_CLOSING_COUNT] = {
    [IR_CLOSING_IDLE] = {"idle", 0, NULL},
    [IR_CLOSING_CROWDED] = {"crowded", 0, NULL},
    [IR_CLOSING_SLOW_HEADERS] = {"slow-headers", 408, "the headers took too long"},
    [IR_CLOSING_SLOW_BODY] = {"slow-body", 408, "the body took too long"},
    [IR_CLOSING_SLOW_READER] = {"slow-reader", 0, NULL},
    [IR_CLOSING_MANY_HEADERS] = {"many-headers", 431, "too many header lines"},
    [IR_CLOSING_LARGE_HEADERS] = {"large-headers", 431, "the headers are too large"},
    [IR_CLOSING_LARGE_BODY] = {"large-body", 413, "the body is too large; nothing was accepted"},
    [IR_CLOSING_MEMORY] = {"memory", 503,
                           "too many unfinished requests at once; nothing was accepted"},
    [IR_CLOSING_BROKEN] = {"broken", 0, NULL},
};

const char *ir_closing_text(ir_closing_t closing) {
    return closings[closing].text;
}

int ir_closing_code(ir_closing_t closing) {
    return closings[closing].code;
}

const char *ir_closing_detail(ir_closing_t closing) {
    return closings[closing].detail;
}
