/* The observation worker: an event loop that consumes, decodes and acknowledges, and three stages
 * (documents with quality control, graph, republish), each in its own thread. */
#ifndef IR_WORKER_WORKER_H
#define IR_WORKER_WORKER_H

#include "broker/transport.h"
#include "common/status.h"
#include "worker/options.h"

/* Runs until SIGTERM or SIGINT. Returns IR_OK after such an end; otherwise `error` says why it
 * could not start or had to stop. Blocks SIGPIPE for the process. Messages come from `transport`,
 * which is opened with `transport_options` once the stores are ready. */
ir_status_t ir_worker_run(const ir_worker_options_t *options, const ir_transport_t *transport,
                          const void *transport_options, ir_error_t *error);

#endif
