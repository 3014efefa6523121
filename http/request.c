#include "http/request.h"

#include "http/connection.h"
#include "http/problem.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include <strings.h>

/* ---- content ---- */

ir_method_t ir_request_method(const ir_request_t *request) {
    switch (evhttp_request_get_command(request->http)) {
    case EVHTTP_REQ_GET:
        return IR_METHOD_GET;
    case EVHTTP_REQ_HEAD:
        return IR_METHOD_HEAD;
    case EVHTTP_REQ_POST:
        return IR_METHOD_POST;
    case EVHTTP_REQ_OPTIONS:
        return IR_METHOD_OPTIONS;
    case EVHTTP_REQ_TRACE:
        return IR_METHOD_TRACE;
    default:
        return IR_METHOD_OTHER;
    }
}

const char *ir_request_path(const ir_request_t *request) {
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->http);
    return uri != NULL ? evhttp_uri_get_path(uri) : NULL;
}

const char *ir_request_query(const ir_request_t *request) {
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->http);
    return uri != NULL ? evhttp_uri_get_query(uri) : NULL;
}

bool ir_request_is_1_0(const ir_request_t *request) {
    return request->http->major == 1 && request->http->minor == 0;
}

const char *ir_request_header(const ir_request_t *request, const char *name) {
    return evhttp_find_header(evhttp_request_get_input_headers(request->http), name);
}

size_t ir_request_count_headers(const ir_request_t *request, const char *name) {
    size_t count = 0;
    const struct evkeyval *each = NULL;
    TAILQ_FOREACH(each, evhttp_request_get_input_headers(request->http), next) {
        count += strcasecmp(each->key, name) == 0;
    }
    return count;
}

struct evbuffer *ir_request_body(const ir_request_t *request) {
    return evhttp_request_get_input_buffer(request->http);
}

void ir_request_release(ir_request_t *request) {
    struct evbuffer *body = ir_request_body(request);
    evbuffer_drain(body, evbuffer_get_length(body));
    ir_connection_forget_bytes(request->connection);
}

const char *ir_request_peer(const ir_request_t *request) {
    struct evhttp_connection *http = evhttp_request_get_connection(request->http);
    char *peer = NULL;
    ev_uint16_t port = 0;
    if (http != NULL) {
        evhttp_connection_get_peer(http, &peer, &port);
    }
    return peer;
}

/* ---- its answer ---- */

void ir_request_set_header(ir_request_t *request, const char *name, const char *value) {
    evhttp_add_header(evhttp_request_get_output_headers(request->http), name, value);
}

/* Writes the answer now; the library would do so only in the next turn of the loop. What the socket
 * does not accept is left to the library. */
static void write_now(const ir_connection_t *connection) {
    struct bufferevent *bufferevent = connection->bufferevent;
    struct evbuffer *output = bufferevent_get_output(bufferevent);
    evbuffer_unfreeze(output, 1);
    evbuffer_write(output, bufferevent_getfd(bufferevent));
    evbuffer_freeze(output, 1);
    if (evbuffer_get_length(output) == 0) {
        bufferevent_trigger(bufferevent, EV_WRITE, 0);
    }
}

void ir_request_answer(ir_request_t *request, int code, const char *type, ir_view_t body,
                       bool last) {
    ir_connection_t *connection = request->connection;
    struct evhttp_request *http = request->http;
    if (type != NULL) {
        ir_request_set_header(request, "Content-Type", type);
        evbuffer_add(evhttp_request_get_output_buffer(http), body.data, body.size);
    }
    if (last) {
        ir_request_set_header(request, "Connection", "close");
    }
    request->http = NULL;
    evhttp_send_reply(http, code, ir_problem_phrase(code), NULL); /* frees the request if its
                                                                   * connection has closed */
    if (connection->phase == IR_PHASE_GONE) {
        ir_connection_free(connection);
    } else if (!connection->all->inside && connection->phase == IR_PHASE_ANSWERING) {
        write_now(connection);
    }
}
