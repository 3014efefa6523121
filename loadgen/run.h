/* One run of ir-loadgen. */
#ifndef IR_LOADGEN_RUN_H
#define IR_LOADGEN_RUN_H

#include "common/status.h"
#include "loadgen/options.h"

#include <stdbool.h>

/* Sends, waits, writes ledger, histograms and summary. Takes SIGINT, SIGTERM and SIGHUP for itself;
 * call from the only thread. `*good`: the run is complete and valid (conclusion.h); only with
 * IR_OK. */
ir_status_t ir_loadgen_run(const ir_loadgen_options_t *options, bool *good, ir_error_t *error);

/* Writes the packs to standard output, one a line. */
ir_status_t ir_loadgen_dump(const ir_loadgen_options_t *options, ir_error_t *error);

/* Writes the files of --write-registry and --write-motes. */
ir_status_t ir_loadgen_write(const ir_loadgen_options_t *options, ir_error_t *error);

#endif
