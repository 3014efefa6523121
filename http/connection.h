/* A connection of the HTTP server, the set of all connections, and their phases. Shared by the
 * files of this folder that watch connections; no other file includes it. Loop thread only. */
#ifndef IR_HTTP_CONNECTION_H
#define IR_HTTP_CONNECTION_H

#include "common/metrics.h"
#include "http/bounds.h"
#include "http/closing.h"

#include <event2/bufferevent.h>
#include <event2/util.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct evhttp;
struct evhttp_bound_socket;
struct evhttp_connection;
struct evhttp_request;
struct ir_connection;
struct ir_connections;

/* The state of a connection. Each phase has its own list, ordered by time of entry, oldest
 * first. */
typedef enum ir_connection_phase {
    IR_PHASE_NEW,       /* accepted, not yet examined */
    IR_PHASE_IDLE,      /* between requests */
    IR_PHASE_HEADERS,   /* between the first byte of a request and its empty line */
    IR_PHASE_BODY,      /* until the whole request has arrived */
    IR_PHASE_DOOMED,    /* exceeded a limit; refused in the next turn of the loop */
    IR_PHASE_ANSWERING, /* until the answer is written */
    IR_PHASE_LINGERING, /* refused; further input is discarded */
    IR_PHASE_GONE,      /* closed, while its request is not answered yet */
    IR_PHASE_COUNT
} ir_connection_phase_t;

/* The request that is being answered: a connection has one at a time. */
struct ir_request {
    struct ir_connection *connection;
    struct evhttp_request *http; /* NULL: there is none, or it was freed with its connection */
};

typedef struct ir_connection {
    TAILQ_ENTRY(ir_connection) place;
    struct ir_connections *all;
    struct bufferevent *bufferevent;
    ir_connection_phase_t phase;
    ir_closing_t doom;
    int64_t since_ns;
    size_t received; /* bytes of the request in memory */
    size_t lines, header_size;
    size_t line_size; /* bytes of the current, incomplete line */
    char line_last;
    struct ir_request request;
    /* the library's callbacks, while lingering */
    bufferevent_data_cb read_callback, write_callback;
    bufferevent_event_cb event_callback;
    void *callback_context;
} ir_connection_t;

TAILQ_HEAD(ir_connection_list, ir_connection);

struct ir_connections {
    ir_bounds_t bounds;
    ir_metric_t *closed[IR_CLOSING_COUNT];
    void (*on_request)(struct ir_request *request, void *context);
    void *context;
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    struct event *soon, *tick;
    struct ir_connection_list lists[IR_PHASE_COUNT];
    size_t counts[IR_PHASE_COUNT];
    size_t count, received; /* without connections that are already closed */
    ir_connection_t **by_descriptor;
    size_t n_descriptors;
    bool closing, paused;
    int64_t woken_ns; /* when the listener was last turned on again */
    bool inside;      /* the library is handling a request */
};

void ir_connection_enter(ir_connection_t *connection, ir_connection_phase_t phase);

/* The bytes of its request no longer count as memory. */
void ir_connection_forget_bytes(ir_connection_t *connection);

/* Marks a connection that exceeded a limit. It cannot be closed inside a callback of the library;
 * the next turn of the loop refuses it. Its bytes no longer count, so nobody else is refused for
 * them. */
void ir_connection_doom(ir_connection_t *connection, ir_closing_t why);

void ir_connection_count_closing(const ir_connection_t *connection, ir_closing_t why);

/* The connection with this descriptor, or NULL. */
ir_connection_t *ir_connection_find(const struct ir_connections *all, evutil_socket_t fd);

/* Removes it from its list and frees it. */
void ir_connection_free(ir_connection_t *connection);

#endif
