/* ir-worker --check and --declare: everything that can be checked without consuming. */
#ifndef IR_WORKER_CHECK_H
#define IR_WORKER_CHECK_H

#include "common/status.h"
#include "worker/options.h"

#include <stdbool.h>
#include <stdio.h>

/* Checks settings and registry, and tries to reach the broker and each store once. Offline, it only
 * parses their addresses. Writes to `out` what the
 * worker would do, and one line for each fault. Returns IR_OK when there is none, otherwise the
 * status of the first fault; IR_ERR_USAGE takes precedence. */
ir_status_t ir_worker_check(const ir_worker_options_t *options, FILE *out);

/* Declares the topology on the broker. */
ir_status_t ir_worker_declare(const ir_worker_options_t *options, ir_error_t *error);

#endif
