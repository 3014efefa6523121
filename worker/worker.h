/* The observation worker: an event loop that consumes, decodes and acknowledges, and three stages
 * (documents with quality control, graph, republish), each on a thread of its own. */
#ifndef IR_WORKER_WORKER_H
#define IR_WORKER_WORKER_H

#include "common/status.h"
#include "worker/options.h"

/* Runs until SIGTERM or SIGINT. IR_OK when it ended as asked; otherwise `error` says why it could
 * not start or had to end. Blocks SIGPIPE for the process. */
ir_status_t ir_worker_run(const ir_worker_options_t *options, ir_error_t *error);

#endif
