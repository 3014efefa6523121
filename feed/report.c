#include "feed/report.h"

#include "common/log.h"
#include "common/status.h"

#include <stdarg.h>
#include <stdio.h>

static void say(const ir_report_t *report, ir_log_level_t level, const char *text) {
    if (report->printed) {
        printf("%s:%llu: %s\n", report->path, (unsigned long long)report->line, text);
    } else {
        ir_log(level, "%s:%llu: %s", report->path, (unsigned long long)report->line, text);
    }
}

void ir_report_unusable(ir_report_t *report, const char *format, ...) {
    char text[sizeof((ir_error_t *)NULL)->text];
    va_list arguments;
    if (report->line <= report->told || report->out_of_memory) {
        return;
    }
    report->unusable++;
    if (report->named >= IR_REPORT_LINES_MAX) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say(report, IR_LOG_WARN, text);
    if (++report->named == IR_REPORT_LINES_MAX) {
        say(report, IR_LOG_WARN, "further unusable rows and values of this file are only counted");
    }
}

void ir_report_remark(const ir_report_t *report, const char *format, ...) {
    char text[sizeof((ir_error_t *)NULL)->text];
    va_list arguments;
    if (report->line <= report->told) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say(report, IR_LOG_INFO, text);
}
