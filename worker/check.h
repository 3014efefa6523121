/* ir-worker --check and --declare: what can be told without consuming anything. */
#ifndef IR_WORKER_CHECK_H
#define IR_WORKER_CHECK_H

#include "common/status.h"
#include "worker/options.h"

#include <stdbool.h>
#include <stdio.h>

/* Validates settings and registry, tries broker and stores once each, and writes to `out` what the
 * worker would do and, for everything that is wrong, one line that says what. IR_OK when nothing
 * is; else the first fault's status, IR_ERR_USAGE before all others. */
ir_status_t ir_worker_check(const ir_worker_options_t *options, FILE *out);

/* Declares the topology at the broker. */
ir_status_t ir_worker_declare(const ir_worker_options_t *options, ir_error_t *error);

#endif
