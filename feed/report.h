/* Reports unusable input as "FILE:LINE: reason", in the log or, for --check, on standard output. It
 * reports the first lines of each file and counts the others. One thread. */
#ifndef IR_FEED_REPORT_H
#define IR_FEED_REPORT_H

#include <stdbool.h>
#include <stdint.h>

/* Lines reported for one file in one run. */
#define IR_REPORT_LINES_MAX 1000

typedef struct ir_report {
    const char *path;   /* path of the current file */
    uint64_t line;      /* … and the row */
    uint64_t told;      /* rows up to this line were read before and are not reported again */
    bool printed;       /* print to standard output, not to the log */
    bool out_of_memory; /* memory ran out, so the current row is not reported and does not count as
                         * read */
    uint64_t named;     /* number of lines already reported for the current file */
    uint64_t unusable;  /* unusable rows and values of all files */
} ir_report_t;

/* Reports that a part of the current row is unusable. */
void ir_report_unusable(ir_report_t *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reports a remark that is not a fault of the row. */
void ir_report_remark(const ir_report_t *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
