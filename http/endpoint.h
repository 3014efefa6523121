/* The HTTP endpoint of a long-running program, on its libevent loop. GET /metrics; /healthz (the
 * loop runs); /readyz (the program can do its work; otherwise 503 and the reasons). Loop thread
 * only. */
#ifndef IR_HTTP_ENDPOINT_H
#define IR_HTTP_ENDPOINT_H

#include "common/buffer.h"
#include "common/metrics.h"
#include "common/status.h"
#include "http/listener.h"
#include "http/request.h"

#include <stdbool.h>

struct event_base;
typedef struct ir_endpoint ir_endpoint_t;

/* Returns true when the program is ready. Otherwise appends the reasons, one per line, and returns
 * false. The gauge ir_ready shows the same. */
typedef bool (*ir_endpoint_ready_fn)(void *context, ir_buffer_t *reasons);

/* Updates the metrics that are sampled, not counted, before each scrape. May be NULL. */
typedef void (*ir_endpoint_refresh_fn)(void *context);

/* Listens at `address`, in the form that ir_listener_bind takes. Limits: 32 connections, 8 KiB of
 * headers, no body, ten seconds for each step. */
ir_status_t ir_endpoint_open(struct event_base *base, const char *address, ir_metrics_t *metrics,
                             ir_endpoint_ready_fn ready, ir_endpoint_refresh_fn refresh,
                             void *context, ir_endpoint_t **endpoint, ir_error_t *error);

/* Serves the same three pages on a server that the caller binds, limits and frees.
 * IR_ERR_MEMORY. */
ir_status_t ir_endpoint_new(ir_metrics_t *metrics, ir_endpoint_ready_fn ready,
                            ir_endpoint_refresh_fn refresh, void *context, ir_endpoint_t **endpoint,
                            ir_error_t *error);

/* Answers a request for one of the pages (405 unless GET or HEAD). Returns false when the request
 * is for another path. */
bool ir_endpoint_serve(const ir_endpoint_t *endpoint, ir_request_t *request);

/* The bound address, in the form of ir_listener_where; "" when the caller runs the server. */
const char *ir_endpoint_address(const ir_endpoint_t *endpoint);

void ir_endpoint_free(ir_endpoint_t *endpoint);

#endif
