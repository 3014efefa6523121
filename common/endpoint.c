#include "common/endpoint.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/util.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HOST_SIZE 256
#define HEADERS_MAX 8192
#define REQUEST_SECONDS 10

struct ir_endpoint {
    struct evhttp *http;
    ir_metrics_t *metrics;
    ir_endpoint_ready_fn ready;
    ir_endpoint_refresh_fn refresh;
    void *context;
    int port;
};

static void answer(struct evhttp_request *request, int code, const char *reason,
                   const char *content_type, const ir_buffer_t *body) {
    struct evbuffer *out = evhttp_request_get_output_buffer(request);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", content_type);
    evbuffer_add(out, body->data, body->size);
    evhttp_send_reply(request, code, reason, NULL);
}

static void on_metrics(struct evhttp_request *request, void *argument) {
    const ir_endpoint_t *endpoint = argument;
    ir_buffer_t body;
    ir_buffer_init(&body);
    if (endpoint->refresh != NULL) {
        endpoint->refresh(endpoint->context);
    }
    ir_metrics_render(endpoint->metrics, &body);
    answer(request, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8", &body);
    ir_buffer_free(&body);
}

static void on_health(struct evhttp_request *request, void *argument) {
    (void)argument;
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_buffer_append_text(&body, "ok\n");
    answer(request, HTTP_OK, "OK", "text/plain; charset=utf-8", &body);
    ir_buffer_free(&body);
}

static void on_ready(struct evhttp_request *request, void *argument) {
    const ir_endpoint_t *endpoint = argument;
    ir_buffer_t body;
    ir_buffer_init(&body);
    const bool ready = endpoint->ready == NULL || endpoint->ready(endpoint->context, &body);
    if (ready) {
        ir_buffer_clear(&body);
        ir_buffer_append_text(&body, "ready\n");
    }
    answer(request, ready ? HTTP_OK : HTTP_SERVUNAVAIL, ready ? "OK" : "Service Unavailable",
           "text/plain; charset=utf-8", &body);
    ir_buffer_free(&body);
}

static int bound_port(evutil_socket_t fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    memset(&address, 0, sizeof address);
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* "HOST:PORT" or "[HOST]:PORT" into its parts. */
static bool split_address(const char *address, char *host, size_t size, int *port) {
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address) {
        return false;
    }
    char *end = NULL;
    const long number = strtol(colon + 1, &end, 10);
    const bool bracketed = address[0] == '[' && colon[-1] == ']';
    const char *first = address + bracketed;
    const size_t length = (size_t)(colon - address) - (bracketed ? 2U : 0U);
    if (end == colon + 1 || *end != '\0' || number < 0 || number > 65535 || length == 0 ||
        length >= size) {
        return false;
    }
    memcpy(host, first, length);
    host[length] = '\0';
    *port = (int)number;
    return true;
}

static ir_status_t read_address(const char *address, char host[static HOST_SIZE], int *port,
                                ir_error_t *error) {
    return split_address(address, host, HOST_SIZE, port)
               ? IR_OK
               : ir_error_set(error, IR_ERR_USAGE,
                              "http: '%s' is not HOST:PORT, for example 127.0.0.1:9090", address);
}

ir_status_t ir_endpoint_check(const char *address, ir_error_t *error) {
    char host[HOST_SIZE];
    int port = 0;
    return read_address(address, host, &port, error);
}

static ir_status_t bind_address(ir_endpoint_t *endpoint, const char *address, ir_error_t *error) {
    char host[HOST_SIZE];
    int port = 0;
    const ir_status_t status = read_address(address, host, &port, error);
    if (status != IR_OK) {
        return status;
    }
    errno = 0;
    struct evhttp_bound_socket *bound =
        evhttp_bind_socket_with_handle(endpoint->http, host, (uint16_t)port);
    if (bound == NULL) {
        return ir_error_set(error, IR_ERR_IO,
                            "cannot serve http at %s: %s; choose another address, or port 0 for a "
                            "free one",
                            address, errno != 0 ? strerror(errno) : "no such address here");
    }
    endpoint->port = bound_port(evhttp_bound_socket_get_fd(bound));
    return IR_OK;
}

ir_status_t ir_endpoint_open(struct event_base *base, const char *address, ir_metrics_t *metrics,
                             ir_endpoint_ready_fn ready, ir_endpoint_refresh_fn refresh,
                             void *context, ir_endpoint_t **endpoint, ir_error_t *error) {
    ir_endpoint_t *made = calloc(1, sizeof *made);
    if (made != NULL) {
        *made = (ir_endpoint_t){evhttp_new(base), metrics, ready, refresh, context, 0};
    }
    if (made == NULL || made->http == NULL) {
        ir_endpoint_free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "http endpoint: out of memory");
    }
    evhttp_set_allowed_methods(made->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(made->http, HEADERS_MAX);
    evhttp_set_max_body_size(made->http, 0);
    evhttp_set_timeout(made->http, REQUEST_SECONDS);
    evhttp_set_cb(made->http, "/metrics", on_metrics, made);
    evhttp_set_cb(made->http, "/healthz", on_health, made);
    evhttp_set_cb(made->http, "/readyz", on_ready, made);
    const ir_status_t status = bind_address(made, address, error);
    if (status != IR_OK) {
        ir_endpoint_free(made);
        return status;
    }
    *endpoint = made;
    return IR_OK;
}

int ir_endpoint_port(const ir_endpoint_t *endpoint) {
    return endpoint->port;
}

void ir_endpoint_free(ir_endpoint_t *endpoint) {
    if (endpoint == NULL) {
        return;
    }
    if (endpoint->http != NULL) {
        evhttp_free(endpoint->http);
    }
    free(endpoint);
}
