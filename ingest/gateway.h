/* Runs ir-ingest, from start to end: one event loop for HTTP, one thread for the broker. */
#ifndef IR_INGEST_GATEWAY_H
#define IR_INGEST_GATEWAY_H

#include "common/status.h"
#include "ingest/options.h"

/* Runs until SIGTERM or SIGINT, and until the requests accepted by then are answered. Returns
 * IR_OK; otherwise the error that prevented the start. */
ir_status_t ir_gateway_run(const ir_ingest_options_t *options, ir_error_t *error);

#endif
