/* The settings of every program that decodes SenML. */
#ifndef IR_OBSERVATION_SETTINGS_H
#define IR_OBSERVATION_SETTINGS_H

#include "common/settings.h"
#include "observation/senml/senml.h"

#include <stddef.h>
#include <stdint.h>

/* Filled by common/settings.h. */
typedef struct ir_limit_settings {
    int64_t pack_bytes, pack_depth, pack_records;
    int64_t future_limit_ns;
} ir_limit_settings_t;

/* The rows for a program's table: `type` is its struct, `member` the ir_limit_settings_t in it. */
/* clang-format off */
#define IR_LIMIT_SETTINGS(type, member) \
    {"pack-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, 64, 64.0 * 1024 * 1024, "1Mi", \
     offsetof(type, member.pack_bytes), \
     "Maximum size of a SenML pack."}, \
    {"pack-depth", 0, IR_SETTING_INTEGER, "N", NULL, 2, 1000, "16", offsetof(type, member.pack_depth), \
     "Maximum depth of nesting in a pack."}, \
    {"pack-records", 0, IR_SETTING_INTEGER, "N", NULL, 1, 1000000, "10000", offsetof(type, member.pack_records), \
     "Maximum number of records in a pack."}, \
    {"future-limit", 0, IR_SETTING_DURATION, "TIME", NULL, 0, 36500 * 86400e9, "1d", \
     offsetof(type, member.future_limit_ns), \
     "An observation may be this far ahead of its message's arrival."}
/* clang-format on */

/* The row of the registry: `member` is a char * in `type`, `more` further sentences. */
/* clang-format off */
#define IR_REGISTRY_SETTING(type, member, more) \
    {"registry", 'r', IR_SETTING_TEXT, "PATHS", NULL, 0, 0, "registry.ttl", offsetof(type, member), \
     "The registry of motes and sensors: Turtle files with commas between; a folder " \
     "stands for its files *.ttl." more}
/* clang-format on */

/* Values derived from the settings. */
static inline ir_senml_limits_t ir_limit_settings_limits(const ir_limit_settings_t *settings) {
    return (ir_senml_limits_t){.bytes = (size_t)settings->pack_bytes,
                               .depth = (unsigned)settings->pack_depth,
                               .records = (unsigned)settings->pack_records,
                               .future_ns = settings->future_limit_ns};
}

#endif
