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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct evhttp_request;

typedef struct ir_connections ir_connections_t;

/* Why this side closed a connection, or why it ended in the middle of a request. */
typedef enum ir_closing {
    IR_CLOSING_IDLE,          /* "idle": the keep-alive time ended */
    IR_CLOSING_CROWDED,       /* "crowded": idle, and its slot was needed */
    IR_CLOSING_SLOW_HEADERS,  /* "slow-headers": 408 */
    IR_CLOSING_SLOW_BODY,     /* "slow-body": 408 */
    IR_CLOSING_SLOW_READER,   /* "slow-reader": the answer was not read in time */
    IR_CLOSING_MANY_HEADERS,  /* "many-headers": 431 */
    IR_CLOSING_LARGE_HEADERS, /* "large-headers": 431 */
    IR_CLOSING_LARGE_BODY,    /* "large-body": 413 */
    IR_CLOSING_MEMORY,        /* "memory": 503, unfinished requests take too much memory */
    IR_CLOSING_BROKEN,        /* "broken": the request was not HTTP (400) or incomplete */
    IR_CLOSING_COUNT
} ir_closing_t;

const char *ir_closing_text(ir_closing_t closing);

typedef struct ir_connections_options {
    const char *address; /* "127.0.0.1:8080"; port 0 chooses a free one */
    size_t most;         /* limit on connections */
    size_t header_lines, header_bytes;
    size_t body_bytes;   /* limit; the connection is cut at twice this at the latest */
    size_t memory_bytes; /* limit for all unfinished requests together */
    int64_t header_ns, body_ns, idle_ns;
    int64_t answer_ns; /* limit from the end of a request until its answer was written */
    ir_metric_t *closed[IR_CLOSING_COUNT];
    /* Called with a complete request. Answer it, now or later, with ir_connections_answer. */
    void (*on_request)(struct evhttp_request *request, void *context);
    void *context;
} ir_connections_options_t;

/* Binds the address and listens. IR_ERR_USAGE, IR_ERR_IO, IR_ERR_MEMORY. */
ir_status_t ir_connections_open(struct event_base *base, const ir_connections_options_t *options,
                                ir_connections_t **connections, ir_error_t *error);

/* Writes the bound address, such as "127.0.0.1:40123", cut to `size`. Returns `text`. */
const char *ir_connections_where(const ir_connections_t *connections, char *text, size_t size);

/* Frees the request's body, which is no longer needed, so that it no longer counts as memory. */
void ir_connections_release(ir_connections_t *connections, struct evhttp_request *request);

/* Sends the answer; the caller has already set headers and body. With `last` the connection closes
 * afterwards. The caller must not touch the request again. */
void ir_connections_answer(ir_connections_t *connections, struct evhttp_request *request, int code,
                           const char *phrase, bool last);

/* The limit on connections; a low limit on open files may have reduced it. */
size_t ir_connections_most(const ir_connections_t *connections);

size_t ir_connections_count(const ir_connections_t *connections);

/* Stops accepting and closes idle connections. */
void ir_connections_close(ir_connections_t *connections);

/* True when no request is waiting for its answer. */
bool ir_connections_quiet(const ir_connections_t *connections);

/* Closes all connections. NULL is allowed. */
void ir_connections_free(ir_connections_t *connections);

#endif
