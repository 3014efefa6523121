#include "common/status.h"

#include <stdio.h>

static const char *const status_texts[IR_STATUS_COUNT] = {
    [IR_OK] = "ok",
    [IR_ERR_MEMORY] = "out of memory",
    [IR_ERR_USAGE] = "wrong usage",
    [IR_ERR_SYNTAX] = "syntax error",
    [IR_ERR_RANGE] = "out of range",
    [IR_ERR_NOT_FOUND] = "not found",
    [IR_ERR_IO] = "input or output failed",
    [IR_ERR_FULL] = "no space left",
    [IR_ERR_TIMEOUT] = "timed out",
    [IR_ERR_CONNECT] = "cannot connect",
    [IR_ERR_AUTH] = "not authorised",
    [IR_ERR_PROTOCOL] = "protocol error",
    [IR_ERR_REFUSED] = "refused",
    [IR_ERR_VANISHED] = "vanished",
    [IR_ERR_STATE] = "wrong state",
};

static const char *const outcome_texts[IR_OUTCOME_COUNT] = {
    [IR_OUTCOME_OK] = "ok",
    [IR_OUTCOME_RETRY] = "retry",
    [IR_OUTCOME_REFUSED] = "refused",
};

const char *ir_status_text(ir_status_t status) {
    return (unsigned)status < IR_STATUS_COUNT ? status_texts[status] : "unknown status";
}

const char *ir_outcome_text(ir_outcome_t outcome) {
    return (unsigned)outcome < IR_OUTCOME_COUNT ? outcome_texts[outcome] : "unknown outcome";
}

ir_status_t ir_error_set(ir_error_t *error, ir_status_t status, const char *format, ...) {
    if (error == NULL) {
        return status;
    }
    va_list arguments;
    va_start(arguments, format);
    const int written = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (written < 0) {
        error->text[0] = '\0';
    }
    for (char *c = error->text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    error->status = status;
    return status;
}
