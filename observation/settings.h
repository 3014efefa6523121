/* The settings of every program that decodes SenML. */
#ifndef IR_OBSERVATION_SETTINGS_H
#define IR_OBSERVATION_SETTINGS_H

#include "common/settings.h"
#include "observation/senml/senml.h"

#include <stddef.h>
#include <stdint.h>

/* `in` is the path to these settings in a program's struct, for example `analysis.limits.`. */
/* clang-format off */
#define IR_LIMIT_SETTINGS(SETTING, in) \
    SETTING(SIZE, in pack_bytes, "pack-bytes", 0, "BYTES", NULL, 64, 64.0 * 1024 * 1024, "1Mi", \
        "Maximum size of a SenML pack.") \
    SETTING(INTEGER, in pack_depth, "pack-depth", 0, "N", NULL, 2, 1000, "16", \
        "Maximum depth of nesting in a pack.") \
    SETTING(INTEGER, in pack_records, "pack-records", 0, "N", NULL, 1, 1000000, "10000", \
        "Maximum number of records in a pack.") \
    SETTING(DURATION, in future_limit_ns, "future-limit", 0, "TIME", NULL, 0, 36500 * 86400e9, \
        "1d", \
        "An observation may be this far ahead of its message's arrival.")
/* clang-format on */

/* Filled by common/settings.h. */
typedef struct ir_limit_settings {
    IR_LIMIT_SETTINGS(IR_SETTING_MEMBER, )
} ir_limit_settings_t;

/* The registry: `member` is a char * in the program's struct, `more` further sentences. */
/* clang-format off */
#define IR_REGISTRY_SETTING(SETTING, member, more) \
    SETTING(TEXT, member, "registry", 'r', "PATHS", NULL, 0, 0, "registry.ttl", \
        "The registry of motes and sensors: Turtle files with commas between; a folder " \
        "stands for its files *.ttl." more)
/* clang-format on */

/* Values derived from the settings. */
static inline ir_senml_limits_t ir_limit_settings_limits(const ir_limit_settings_t *settings) {
    return (ir_senml_limits_t){.bytes = (size_t)settings->pack_bytes,
                               .depth = (unsigned)settings->pack_depth,
                               .records = (unsigned)settings->pack_records,
                               .future_ns = settings->future_limit_ns};
}

#endif
