/* ir-annotate: analyses observations as the worker does, from files to standard output. */
#ifndef IR_ANNOTATION_ANNOTATE_H
#define IR_ANNOTATION_ANNOTATE_H

#include "annotation/settings.h"
#include "common/settings.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Filled by common/settings.h. The struct owns its texts. */
typedef struct ir_annotate_options {
    char *registry;
    char *format;
    int input;
    bool list;
    char *explain; /* a mote */
    bool stream;
    ir_format_settings_t rdf;
    ir_analysis_settings_t analysis;
    char *now;
    bool core_dumps;
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
