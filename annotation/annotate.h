/* ir-annotate: analyses observations as the worker does, from files to standard output. */
#ifndef IR_ANNOTATION_ANNOTATE_H
#define IR_ANNOTATION_ANNOTATE_H

#include "annotation/settings.h"
#include "common/program.h"
#include "common/settings.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* clang-format off */
#define IR_ANNOTATE_SETTINGS(SETTING, GROUP) \
    IR_REGISTRY_SETTING(SETTING, registry, "") \
    SETTING(FLAG, list, "list", 0, NULL, NULL, 0, 0, NULL, \
        "Write the registry's sensors as CSV (mote, name, property, unit) and exit.") \
    SETTING(TEXT, explain, "explain", 'e', "MOTE", NULL, 0, 0, NULL, \
        "Write the registry's data about this mote (sensors, names, units, limits), each with " \
        "its line, and exit.") \
    SETTING(TEXT, format, "format", 'f', "NAME", NULL, 0, 0, "ntriples", \
        "What to write: " IR_FORMAT_NAMES ". json writes the processed documents with every " \
        "quality flag, one a line.") \
    SETTING(CHOICE, input /* ir_annotate_input_t */, "input", 'i', "WORD", "json|cbor", 0, 0, "json", \
        "json: SenML packs, one a line or printed over several; cbor: each FILE is one pack.") \
    SETTING(FLAG, stream, "stream", 's', NULL, NULL, 0, 0, NULL, \
        "Write each observation at once, as the worker does, and revisions when flags are " \
        "decided later. Without it everything is held in memory until all flags are known.") \
    GROUP(ir_format_settings_t, rdf, IR_FORMAT_SETTINGS) \
    GROUP(ir_analysis_settings_t, analysis, IR_ANALYSIS_SETTINGS) \
    SETTING(TEXT, now, "now", 0, "TIME", NULL, 0, 0, NULL, \
        "Arrival of all packs, for example 2026-01-31T12:00:00Z; relative times count from it. " \
        "Without it, a pack arrives when it is read.") \
    IR_PROGRAM_SETTINGS(SETTING, core_dumps)
/* clang-format on */

/* Filled by common/settings.h. The struct owns its texts. */
typedef struct ir_annotate_options {
    IR_ANNOTATE_SETTINGS(IR_SETTING_MEMBER, IR_SETTING_MEMBERS)
} ir_annotate_options_t;

typedef enum ir_annotate_input { IR_INPUT_JSON, IR_INPUT_CBOR } ir_annotate_input_t;

typedef struct ir_annotate ir_annotate_t;

/* IR_ERR_USAGE, or an error of ir_registry_load. Observations go to `out`, refusals to
 * `rejects`. */
ir_status_t ir_annotate_open(const ir_annotate_options_t *options, FILE *out, FILE *rejects,
                             ir_annotate_t **annotate, ir_error_t *error);
void ir_annotate_close(ir_annotate_t *annotate);

/* Reads one file to its end; "-" is standard input. A file that cannot be read is reported and
 * counted as refused; the caller can continue with the next one. */
ir_status_t ir_annotate_file(ir_annotate_t *annotate, const char *path, ir_error_t *error);

/* Writes everything that is still buffered. */
ir_status_t ir_annotate_finish(ir_annotate_t *annotate, ir_error_t *error);

/* The number of refused messages and records plus unreadable files. */
uint64_t ir_annotate_rejected(const ir_annotate_t *annotate);

#endif
