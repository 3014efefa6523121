/* Time: int64 nanoseconds since the Unix epoch, UTC, without leap seconds. */
#ifndef IR_COMMON_CLOCK_H
#define IR_COMMON_CLOCK_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_SECOND_NS INT64_C(1000000000)
#define IR_MILLISECOND_NS INT64_C(1000000)
#define IR_MICROSECOND_NS INT64_C(1000)

/* The wall clock. Any thread. */
int64_t ir_clock_now(void);

/* A clock that is never set back or forward, for intervals. Any thread. */
int64_t ir_clock_monotonic(void);

/* CPU time of this process, user and system, in nanoseconds. */
int64_t ir_clock_process_cpu(void);

/* Sleeps for `ns` nanoseconds, or until a signal comes; at 0 or less, not at all. Any thread. */
void ir_clock_sleep(int64_t ns);

/* Room for the longest text of ir_clock_format, with its NUL. */
#define IR_TIME_SIZE 40

/* Writes RFC 3339 / xsd:dateTime in UTC with as few fraction digits as needed:
 * "2011-05-01T04:00:00Z", "2011-05-01T04:00:00.25Z". Accepts any int64 (years 1677–2262). Returns
 * the length without the NUL. */
size_t ir_clock_format(int64_t time_ns, char text[static IR_TIME_SIZE]);

/* Writes a time with exactly `digits` (0 to 9) fraction digits, for columns of equal width. Finer
 * digits are cut off. */
size_t ir_clock_format_fixed(int64_t time_ns, int digits, char text[static IR_TIME_SIZE]);

/* Parses RFC 3339 ("Z" or an offset, up to nine fraction digits). Returns false for any other
 * text. */
bool ir_clock_parse(ir_view_t text, int64_t *time_ns);

/* The date of a time in UTC, in the proleptic Gregorian calendar. */
typedef struct ir_date {
    int year;
    int month;       /* 1–12 */
    int day;         /* 1–31 */
    int day_of_year; /* 1–366 */
    int week;        /* ISO 8601 week, 1–53 */
    int weekday;     /* ISO 8601: Monday 1 … Sunday 7 */
} ir_date_t;

ir_date_t ir_clock_date(int64_t time_ns);

#endif
