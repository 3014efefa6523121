/* The HTTP endpoint of a long-running program, on its libevent loop: GET /metrics, /healthz (the
 * loop turns), /readyz (it can do its work; 503 and the reasons otherwise). Loop thread only. */
#ifndef IR_HTTP_ENDPOINT_H
#define IR_HTTP_ENDPOINT_H

#include "common/buffer.h"
#include "common/metrics.h"
#include "common/status.h"
#include "http/listener.h"

#include <stdbool.h>

struct event_base;
struct evhttp_request;
typedef struct ir_endpoint ir_endpoint_t;

/* Appends the reasons why the program is not ready, one a line, and returns false; or true. */
typedef bool (*ir_endpoint_ready_fn)(void *context, ir_buffer_t *reasons);

/* Brings metrics that are read rather than counted up to date before a scrape; may be NULL. */
typedef void (*ir_endpoint_refresh_fn)(void *context);

/* Listens at `address`, as ir_listener_bind does. Bounds: 32 connections, 8 KiB of headers, no
 * body, ten seconds for each step. */
ir_status_t ir_endpoint_open(struct event_base *base, const char *address, ir_metrics_t *metrics,
                             ir_endpoint_ready_fn ready, ir_endpoint_refresh_fn refresh,
                             void *context, ir_endpoint_t **endpoint, ir_error_t *error);

/* The same three pages for a server of the caller's, who binds, bounds and frees it. IR_ERR_MEMORY.
 */
ir_status_t ir_endpoint_new(ir_metrics_t *metrics, ir_endpoint_ready_fn ready,
                            ir_endpoint_refresh_fn refresh, void *context, ir_endpoint_t **endpoint,
                            ir_error_t *error);

/* Answers a request for one of the pages (405 when it is neither GET nor HEAD); false when it is
 * for something else. */
bool ir_endpoint_serve(const ir_endpoint_t *endpoint, struct evhttp_request *request);

/* Where it listens, as ir_listener_where says it; "" for a caller's server. */
const char *ir_endpoint_address(const ir_endpoint_t *endpoint);

void ir_endpoint_free(ir_endpoint_t *endpoint);

#endif
