/* Adds limits that libevent's HTTP server lacks: the number of connections; the time for headers
 * and for the body; the number of header lines and bytes; the idle time of a connection; the memory
 * of all unfinished requests together. It observes the bytes that pass (at the bufferevent level);
 * parsing HTTP is left to the library.
 *
 * A request that exceeds a limit gets problem details (408, 413, 431, 503), and the connection is
 * closed. Before closing, the peer's further input is read and discarded for a moment, so that the
 * peer can read the answer. When there are too many connections, the one idle longest is closed;
 * when none is idle, accepting pauses. Loop thread only. */
#ifndef IR_HTTP_CONNECTIONS_H
#define IR_HTTP_CONNECTIONS_H

#include "common/metrics.h"
#include "common/status.h"
#include "http/bounds.h"
#include "http/closing.h"
#include "http/request.h"

#include <stdbool.h>
#include <stddef.h>

struct event_base;

typedef struct ir_connections ir_connections_t;

typedef struct ir_connections_options {
    const char *address; /* "127.0.0.1:8080"; port 0 chooses a free one */
    ir_bounds_t bounds;
    ir_metric_t *closed[IR_CLOSING_COUNT];
    /* Called with a complete request. Answer it, now or later, with ir_request_answer. */
    void (*on_request)(ir_request_t *request, void *context);
    void *context;
} ir_connections_options_t;

/* Binds the address and listens. IR_ERR_USAGE, IR_ERR_IO, IR_ERR_MEMORY. */
ir_status_t ir_connections_open(struct event_base *base, const ir_connections_options_t *options,
                                ir_connections_t **connections, ir_error_t *error);

/* Writes the bound address, such as "127.0.0.1:40123", cut to `size`. Returns `text`. */
const char *ir_connections_where(const ir_connections_t *connections, char *text, size_t size);

/* The limit on connections; a low limit on open files may have reduced it. */
size_t ir_connections_most(const ir_connections_t *connections);

size_t ir_connections_count(const ir_connections_t *connections);

/* Stops accepting and closes idle connections. */
void ir_connections_close(ir_connections_t *connections);

/* True when no request is waiting for its answer. */
bool ir_connections_quiet(const ir_connections_t *connections);

/* Closes all connections and frees their requests. NULL is allowed. */
void ir_connections_free(ir_connections_t *connections);

#endif
