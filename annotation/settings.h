/* The settings of every program that analyses observations or writes them as RDF. */
#ifndef IR_ANNOTATION_SETTINGS_H
#define IR_ANNOTATION_SETTINGS_H

#include "annotation/format.h"
#include "common/settings.h"
#include "common/status.h"
#include "observation/batch.h"

#include <stddef.h>
#include <stdint.h>

/* Filled by common/settings.h; texts are owned by the program's struct. */
typedef struct ir_format_settings {
    char *base_iri;
    int detail, naming;
} ir_format_settings_t;

typedef struct ir_analysis_settings {
    int unregistered;
    int64_t pack_bytes, pack_depth, pack_records;
    int64_t future_limit_ns;
} ir_analysis_settings_t;

/* The rows for a program's table: `type` is its struct, `member` the settings in it. */
#define IR_FORMAT_SETTINGS(type, member)                                                           \
    {"graph-detail",                                                                               \
     0,                                                                                            \
     IR_SETTING_CHOICE,                                                                            \
     "WORD",                                                                                       \
     "lean|full",                                                                                  \
     0,                                                                                            \
     0,                                                                                            \
     "lean",                                                                                       \
     offsetof(type, member.detail),                                                                \
     "How much RDF an observation becomes."},                                                      \
        {"graph-name",                                                                             \
         0,                                                                                        \
         IR_SETTING_CHOICE,                                                                        \
         "WORD",                                                                                   \
         "default|day|mote",                                                                       \
         0,                                                                                        \
         0,                                                                                        \
         "default",                                                                                \
         offsetof(type, member.naming),                                                            \
         "Which graph the statements go to."},                                                     \
    {                                                                                              \
        "base-iri", 0, IR_SETTING_TEXT, "IRI", NULL, 0, 0,                                         \
            "https://intelligent-river.example/id/", offsetof(type, member.base_iri),              \
            "Start of the IRIs that are made; ends in '/' or '#'."                                 \
    }

#define IR_ANALYSIS_SETTINGS(type, member)                                                         \
    {"unregistered",                                                                               \
     0,                                                                                            \
     IR_SETTING_CHOICE,                                                                            \
     "WORD",                                                                                       \
     "reject|accept",                                                                              \
     0,                                                                                            \
     0,                                                                                            \
     "reject",                                                                                     \
     offsetof(type, member.unregistered),                                                          \
     "What a sensor gets that the registry does not know."},                                       \
        {"pack-bytes",                                                                             \
         0,                                                                                        \
         IR_SETTING_SIZE,                                                                          \
         "BYTES",                                                                                  \
         NULL,                                                                                     \
         64,                                                                                       \
         64.0 * 1024 * 1024,                                                                       \
         "1Mi",                                                                                    \
         offsetof(type, member.pack_bytes),                                                        \
         "Largest SenML pack that is analysed."},                                                  \
        {"pack-depth",                                                                             \
         0,                                                                                        \
         IR_SETTING_INTEGER,                                                                       \
         "N",                                                                                      \
         NULL,                                                                                     \
         2,                                                                                        \
         1000,                                                                                     \
         "16",                                                                                     \
         offsetof(type, member.pack_depth),                                                        \
         "Deepest nesting in a pack."},                                                            \
        {"pack-records",                                                                           \
         0,                                                                                        \
         IR_SETTING_INTEGER,                                                                       \
         "N",                                                                                      \
         NULL,                                                                                     \
         1,                                                                                        \
         1000000,                                                                                  \
         "10000",                                                                                  \
         offsetof(type, member.pack_records),                                                      \
         "Most records in a pack."},                                                               \
    {                                                                                              \
        "future-limit", 0, IR_SETTING_DURATION, "TIME", NULL, 0, 36500 * 86400e9, "1d",            \
            offsetof(type, member.future_limit_ns),                                                \
            "An observation may be this far ahead of the clock."                                   \
    }

/* What follows from them. Texts belong to the settings. */
void ir_format_settings_options(const ir_format_settings_t *settings, ir_format_options_t *options);
void ir_analysis_settings_analysis(const ir_analysis_settings_t *settings, const char *base_iri,
                                   ir_analysis_t *analysis);

/* Checks that go beyond one setting. */
ir_status_t ir_format_settings_check(const ir_format_settings_t *settings, ir_error_t *error);

#endif
