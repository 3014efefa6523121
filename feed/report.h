/* What is said of input that cannot be used: "FILE:LINE: what", in the log or, for --check, on
 * standard output. Each file's first lines are named, the others counted. One thread. */
#ifndef IR_FEED_REPORT_H
#define IR_FEED_REPORT_H

#include <stdbool.h>
#include <stdint.h>

/* Lines that are named of one file in one run. */
#define IR_REPORT_LINES_MAX 1000

typedef struct ir_report {
    const char *path;   /* of the file at hand */
    uint64_t line;      /* … and the row */
    uint64_t told;      /* rows up to this line were read before: nothing is said of them again */
    bool printed;       /* on standard output */
    bool out_of_memory; /* the row at hand could not be read for that: nothing is said of it, and it
                           does not count as read */
    uint64_t named;     /* of the file at hand */
    uint64_t unusable;  /* rows and values, of all files */
} ir_report_t;

/* Something of the row at hand cannot be used. */
void ir_report_unusable(ir_report_t *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Worth knowing, and no fault of the row. */
void ir_report_remark(const ir_report_t *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
