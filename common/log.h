/* Log messages for people, one line each, on standard error. Only programs log, libraries never do.
 * Any thread. */
#ifndef IR_COMMON_LOG_H
#define IR_COMMON_LOG_H

#include "common/fault_list.h"

typedef enum ir_log_level { IR_LOG_ERROR, IR_LOG_WARN, IR_LOG_INFO, IR_LOG_DEBUG } ir_log_level_t;

/* The setting of the level (common/settings.h): `member` becomes an ir_log_level_t. */
/* clang-format off */
#define IR_LOG_SETTINGS(SETTING, member) \
    SETTING(CHOICE, member, "log-level", 0, "WORD", "error|warn|info|debug", 0, 0, "info", \
        "The least important level that is logged.")
/* clang-format on */

/* Starts every line with `program` (kept, not copied) and drops messages that are less important
 * than `level`. Call once at start. */
void ir_log_open(const char *program, ir_log_level_t level);

/* Writes "2026-01-02T03:04:05.678Z ir-worker warn: text\n" with one write(2). Control characters
 * and malformed bytes in the text become \xHH (common/legible.h). */
void ir_log(ir_log_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Logs at most once per `interval_ns` for each `*last_ns`, which starts at 0. Use it for conditions
 * that repeat while a server is away. One thread per `last_ns`. */
#include <stdint.h>
void ir_log_limited(int64_t *last_ns, int64_t interval_ns, ir_log_level_t level, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/* Logs each line as an error. Any thread. */
extern const ir_teller_t ir_log_teller;

#endif
