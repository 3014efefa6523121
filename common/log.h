/* Messages for people, one line each, on standard error. Only programs call this. Any thread. */
#ifndef IR_COMMON_LOG_H
#define IR_COMMON_LOG_H

typedef enum ir_log_level { IR_LOG_ERROR, IR_LOG_WARN, IR_LOG_INFO, IR_LOG_DEBUG } ir_log_level_t;

/* The row for a program's table (common/settings.h): `type` is its struct, `member` an int in it
 * that becomes an ir_log_level_t. */
#define IR_LOG_SETTINGS(type, member)                                                              \
    {                                                                                              \
        "log-level", 0, IR_SETTING_CHOICE, "WORD", "error|warn|info|debug", 0, 0, "info",          \
            offsetof(type, member), "Least important messages to log."                             \
    }

/* `program` (kept, not copied) stands at the start of every line; lines above `level` are left
 * out. Call once at start. */
void ir_log_open(const char *program, ir_log_level_t level);

/* "2026-01-02T03:04:05.678Z ir-worker warn: text\n" in one write(2). Control characters in the text
 * are replaced by '?'. */
void ir_log(ir_log_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, at most once in `interval_ns` for one `*last_ns` (start it at 0): for conditions that
 * repeat while a server is away. One thread per `last_ns`. */
#include <stdint.h>
void ir_log_limited(int64_t *last_ns, int64_t interval_ns, ir_log_level_t level, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

#endif
