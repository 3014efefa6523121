/* One run of ir-loadgen. */
#ifndef IR_LOADGEN_RUN_H
#define IR_LOADGEN_RUN_H

#include "common/status.h"
#include "loadgen/options.h"

#include <stdbool.h>

/* Runs the load and writes the ledger, histograms and summary. Handles SIGINT, SIGTERM and SIGHUP;
 * call it while the process has only one thread. `*good`: the run is complete and valid
 * (conclusion.h); set only with IR_OK. */
ir_status_t ir_loadgen_run(const ir_loadgen_options_t *options, bool *good, ir_error_t *error);

/* Writes the packs to standard output, one per line. */
ir_status_t ir_loadgen_dump(const ir_loadgen_options_t *options, ir_error_t *error);

/* Writes the files of --write-registry and --write-motes. */
ir_status_t ir_loadgen_write(const ir_loadgen_options_t *options, ir_error_t *error);

#endif
