/* ir-annotate: the worker's analysis from files to standard output. */
#ifndef IR_ANNOTATION_ANNOTATE_H
#define IR_ANNOTATION_ANNOTATE_H

#include "annotation/settings.h"
#include "common/settings.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Filled by common/settings.h; texts are owned. */
typedef struct ir_annotate_options {
    char *registry;
    char *format;
    int input;
    bool stream;
    ir_format_settings_t rdf;
    ir_analysis_settings_t analysis;
    char *now;
    bool core_dumps;
} ir_annotate_options_t;

typedef enum ir_annotate_input { IR_INPUT_JSON, IR_INPUT_CBOR } ir_annotate_input_t;

typedef struct ir_annotate ir_annotate_t;

/* IR_ERR_USAGE, or what ir_registry_load says. Observations go to `out`, refusals to `rejects`. */
ir_status_t ir_annotate_open(const ir_annotate_options_t *options, FILE *out, FILE *rejects,
                             ir_annotate_t **annotate, ir_error_t *error);
void ir_annotate_close(ir_annotate_t *annotate);

/* Reads one file ("-": standard input) to its end. One that cannot be read is reported and counted
 * as what is refused; the next ones can follow. */
ir_status_t ir_annotate_file(ir_annotate_t *annotate, const char *path, ir_error_t *error);

/* Writes what is left. */
ir_status_t ir_annotate_finish(ir_annotate_t *annotate, ir_error_t *error);

/* How many messages or records were refused, or files not read. */
uint64_t ir_annotate_rejected(const ir_annotate_t *annotate);

#endif
