/* The settings of every program that analyses observations or writes them as RDF. */
#ifndef IR_ANNOTATION_SETTINGS_H
#define IR_ANNOTATION_SETTINGS_H

#include "annotation/formats/format.h"
#include "common/settings.h"
#include "common/status.h"
#include "observation/analysis.h"
#include "observation/settings.h"

#include <stddef.h>
#include <stdint.h>

/* Filled by common/settings.h; texts are owned by the program's struct. */
typedef struct ir_format_settings {
    char *base_iri;
    int detail, naming;
} ir_format_settings_t;

typedef struct ir_analysis_settings {
    int unregistered;
    ir_limit_settings_t limits;
} ir_analysis_settings_t;

/* Rows for a program's settings table. `type` is its struct, `member` these settings in it. */
/* clang-format off */
#define IR_FORMAT_SETTINGS(type, member) \
    {"graph-detail", 0, IR_SETTING_CHOICE, "WORD", "lean|full", 0, 0, "lean", offsetof(type, member.detail), \
     "How much RDF is written for an observation."}, \
    {"graph-name", 0, IR_SETTING_CHOICE, "WORD", "default|day|mote", 0, 0, "default", offsetof(type, member.naming), \
     "Graph that the statements are written to."}, \
    {"base-iri", 0, IR_SETTING_TEXT, "IRI", NULL, 0, 0, "https://intelligent-river.example/id/", \
     offsetof(type, member.base_iri), \
     "Beginning of the IRIs that the programs make; ends in '/' or '#'."}

#define IR_ANALYSIS_SETTINGS(type, member) \
    {"unregistered", 0, IR_SETTING_CHOICE, "WORD", "reject|accept", 0, 0, "reject", \
     offsetof(type, member.unregistered), \
     "What happens to a sensor that is not in the registry."}, \
    IR_LIMIT_SETTINGS(type, member.limits)
/* clang-format on */

/* Derives format options from the settings. Texts are not copied, so the settings must outlive
 * them. */
void ir_format_settings_options(const ir_format_settings_t *settings, ir_format_options_t *options);
void ir_analysis_settings_analysis(const ir_analysis_settings_t *settings, const char *base_iri,
                                   ir_analysis_t *analysis);

/* Checks rules that involve more than one setting. */
ir_status_t ir_format_settings_check(const ir_format_settings_t *settings, ir_error_t *error);

#endif
