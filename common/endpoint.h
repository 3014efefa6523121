/* The HTTP endpoint of a long-running program, on its libevent loop: GET /metrics, /healthz (the
 * loop turns), /readyz (it can do its work; 503 and the reasons otherwise). Loop thread only. */
#ifndef IR_COMMON_ENDPOINT_H
#define IR_COMMON_ENDPOINT_H

#include "common/buffer.h"
#include "common/metrics.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct evhttp;
struct evhttp_bound_socket;
struct evhttp_request;
typedef struct ir_endpoint ir_endpoint_t;

#define IR_WHERE_SIZE 80 /* room for an address and a port */

/* Appends the reasons why the program is not ready, one a line, and returns false; or true. */
typedef bool (*ir_endpoint_ready_fn)(void *context, ir_buffer_t *reasons);

/* Brings metrics that are read rather than counted up to date before a scrape; may be NULL. */
typedef void (*ir_endpoint_refresh_fn)(void *context);

/* Binds `address` ("127.0.0.1:9090", "[::1]:0"; port 0 takes a free one). IR_ERR_IO with a line
 * that says what to do when the port is in use. Requests are bounded (headers 8 KiB, no body, 10
 * s). */
ir_status_t ir_endpoint_open(struct event_base *base, const char *address, ir_metrics_t *metrics,
                             ir_endpoint_ready_fn ready, ir_endpoint_refresh_fn refresh,
                             void *context, ir_endpoint_t **endpoint, ir_error_t *error);

/* IR_ERR_USAGE when `address` is not of that form; whether it can be bound is not tried. */
ir_status_t ir_endpoint_check(const char *address, ir_error_t *error);

/* The same three pages for a server of the caller's, who binds, bounds and frees it. IR_ERR_MEMORY.
 */
ir_status_t ir_endpoint_new(ir_metrics_t *metrics, ir_endpoint_ready_fn ready,
                            ir_endpoint_refresh_fn refresh, void *context, ir_endpoint_t **endpoint,
                            ir_error_t *error);

/* Answers a request for one of the pages (405 when it is neither GET nor HEAD); false when it is
 * for something else. */
bool ir_endpoint_serve(const ir_endpoint_t *endpoint, struct evhttp_request *request);

/* Binds such a server as ir_endpoint_open does. */
ir_status_t ir_endpoint_bind(struct evhttp *http, const char *address,
                             struct evhttp_bound_socket **bound, ir_error_t *error);

/* "127.0.0.1:40123", "[::1]:40123": where a bound server listens; cut to `size`. */
const char *ir_endpoint_where(struct evhttp_bound_socket *bound, char *text, size_t size);

/* The port it is bound to; 0 for that of a caller's server. */
int ir_endpoint_port(const ir_endpoint_t *endpoint);

/* Where it listens, as ir_endpoint_where says it; "" for a caller's server. */
const char *ir_endpoint_address(const ir_endpoint_t *endpoint);

void ir_endpoint_free(ir_endpoint_t *endpoint);

#endif
