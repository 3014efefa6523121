#include "common/log.h"

#include "common/clock.h"
#include "common/legible.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 1024
#define TIME_DIGITS 3 /* decimal places of a second */

static const char *const level_texts[] = {"error", "warn", "info", "debug"};

/* Written once by ir_log_open, before threads start. */
static struct {
    const char *program;
    ir_log_level_t level;
} log_state = {"ir", IR_LOG_INFO};

void ir_log_open(const char *program, ir_log_level_t level) {
    log_state.program = program;
    log_state.level = level;
}

static void write_line(ir_log_level_t level, const char *format, va_list arguments) {
    if (level > log_state.level) {
        return;
    }
    char now[IR_TIME_SIZE];
    ir_clock_format_fixed(ir_clock_now(), TIME_DIGITS, now);
    char body[LINE_SIZE] = "";
    char line[LINE_SIZE];
    vsnprintf(body, sizeof body, format, arguments);
    size_t size = (size_t)snprintf(line, sizeof line, "%s %s %s: ", now, log_state.program,
                                   level_texts[level]);
    size += ir_legible_line(line + size, sizeof line - size, ir_view_text(body));
    line[size++] = '\n'; /* where the NUL was */
    /* The result is ignored: if standard error is closed, the error cannot be reported. */
    (void)!write(STDERR_FILENO, line, size);
}

void ir_log(ir_log_level_t level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(level, format, arguments);
    va_end(arguments);
}

void ir_log_limited(int64_t *last_ns, int64_t interval_ns, ir_log_level_t level, const char *format,
                    ...) {
    const int64_t now = ir_clock_monotonic();
    if (*last_ns != 0 && now - *last_ns < interval_ns) {
        return;
    }
    *last_ns = now;
    va_list arguments;
    va_start(arguments, format);
    write_line(level, format, arguments);
    va_end(arguments);
}

static void log_fault(void *context, const char *line) {
    (void)context;
    ir_log(IR_LOG_ERROR, "%s", line);
}

const ir_teller_t ir_log_teller = {log_fault, NULL};
