/* The bounds that libevent's HTTP server lacks, put around it: how many connections, how long a
 * request's headers and body may take, how many header lines and bytes a request may have, how long
 * a connection may be idle, how much memory all unfinished requests may take together. It watches
 * the bytes that pass (bufferevent level) without understanding them; HTTP is the library's.
 *
 * A request over a bound is answered with problem details (408, 413, 431, 503) and the connection
 * is closed, gently: what the peer still sends is thrown away for a moment, so that it can read the
 * answer. When there are too many connections the one that was idle longest goes; when none is
 * idle, accepting pauses. Loop thread only. */
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

/* Why a connection was closed by this side, or ended in the middle of a request. */
typedef enum ir_closing {
    IR_CLOSING_IDLE,          /* "idle": keep-alive was over */
    IR_CLOSING_CROWDED,       /* "crowded": idle, and its place was needed */
    IR_CLOSING_SLOW_HEADERS,  /* "slow-headers": 408 */
    IR_CLOSING_SLOW_BODY,     /* "slow-body": 408 */
    IR_CLOSING_SLOW_READER,   /* "slow-reader": the answer was not read in time */
    IR_CLOSING_MANY_HEADERS,  /* "many-headers": 431 */
    IR_CLOSING_LARGE_HEADERS, /* "large-headers": 431 */
    IR_CLOSING_LARGE_BODY,    /* "large-body": 413 */
    IR_CLOSING_MEMORY,        /* "memory": 503, too much is unfinished */
    IR_CLOSING_BROKEN,        /* "broken": the request was not HTTP (400), or not finished */
    IR_CLOSING_COUNT
} ir_closing_t;

const char *ir_closing_text(ir_closing_t closing);

typedef struct ir_connections_options {
    const char *address; /* "127.0.0.1:8080"; port 0 takes a free one */
    size_t most;         /* connections at once */
    size_t header_lines, header_bytes;
    size_t body_bytes;   /* larger ones are cut off, at the latest, at twice this */
    size_t memory_bytes; /* of all unfinished requests */
    int64_t header_ns, body_ns, idle_ns;
    int64_t answer_ns; /* from the end of a request until its answer is read */
    ir_metric_t *closed[IR_CLOSING_COUNT];
    /* A whole request; it must be answered, now or later, with ir_connections_answer. */
    void (*on_request)(struct evhttp_request *request, void *context);
    void *context;
} ir_connections_options_t;

/* Binds and listens. IR_ERR_USAGE, IR_ERR_IO, IR_ERR_MEMORY. */
ir_status_t ir_connections_open(struct event_base *base, const ir_connections_options_t *options,
                                ir_connections_t **connections, ir_error_t *error);

/* "127.0.0.1:40123". Cut to `size`; returns `text`. */
const char *ir_connections_where(const ir_connections_t *connections, char *text, size_t size);

/* The request's bytes are no longer needed: they do not count as memory any more. */
void ir_connections_release(ir_connections_t *connections, struct evhttp_request *request);

/* Sends the answer; headers and body are set up already. With `last` the connection ends after it.
 * The request must not be touched afterwards. */
void ir_connections_answer(ir_connections_t *connections, struct evhttp_request *request, int code,
                           const char *phrase, bool last);

/* The bound on connections, which the limit of open files may have lowered. */
size_t ir_connections_most(const ir_connections_t *connections);

size_t ir_connections_count(const ir_connections_t *connections);

/* No new connections; those that are idle go. */
void ir_connections_close(ir_connections_t *connections);

/* Whether no connection has a request that is not answered yet. */
bool ir_connections_quiet(const ir_connections_t *connections);

/* Ends all connections. Takes NULL. */
void ir_connections_free(ir_connections_t *connections);

#endif
