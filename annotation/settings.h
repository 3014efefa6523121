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

/* `in` is the path to these settings in a program's struct, for example `format.`. */
/* clang-format off */
#define IR_FORMAT_SETTINGS(SETTING, in) \
    SETTING(CHOICE, in detail, "graph-detail", 0, "WORD", "lean|full", 0, 0, "lean", \
        "How much RDF is written for an observation.") \
    SETTING(CHOICE, in naming, "graph-name", 0, "WORD", "default|day|mote", 0, 0, "default", \
        "Graph that the statements are written to.") \
    SETTING(TEXT, in base_iri, "base-iri", 0, "IRI", NULL, 0, 0, \
        "https://intelligent-river.example/id/", \
        "Beginning of the IRIs that the programs make; ends in '/' or '#'.")

#define IR_ANALYSIS_SETTINGS(SETTING, in) \
    SETTING(CHOICE, in unregistered, "unregistered", 0, "WORD", "reject|accept", 0, 0, "reject", \
        "What happens to a sensor that is not in the registry.") \
    IR_LIMIT_SETTINGS(SETTING, in limits.)
/* clang-format on */

/* Filled by common/settings.h; texts are owned by the program's struct. */
typedef struct ir_format_settings {
    IR_FORMAT_SETTINGS(IR_SETTING_MEMBER, )
} ir_format_settings_t;

typedef struct ir_analysis_settings {
    int unregistered;
    ir_limit_settings_t limits;
} ir_analysis_settings_t;

/* Derives format options from the settings. Texts are not copied, so the settings must outlive
 * them. */
void ir_format_settings_options(const ir_format_settings_t *settings, ir_format_options_t *options);
void ir_analysis_settings_analysis(const ir_analysis_settings_t *settings, const char *base_iri,
                                   ir_analysis_t *analysis);

/* Checks rules that involve more than one setting. */
ir_status_t ir_format_settings_check(const ir_format_settings_t *settings, ir_error_t *error);

#endif
