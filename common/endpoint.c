#include "common/endpoint.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/util.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HOST_SIZE 256
#define HEADERS_MAX 8192
#define REQUEST_SECONDS 10

struct ir_endpoint {
    struct evhttp *http; /* NULL: the server is the caller's */
    ir_metrics_t *metrics;
    ir_endpoint_ready_fn ready;
    ir_endpoint_refresh_fn refresh;
    void *context;
    int port;
    char where[IR_WHERE_SIZE];
};

static void answer(struct evhttp_request *request, int code, const char *reason,
                   const char *content_type, const ir_buffer_t *body) {
    struct evbuffer *out = evhttp_request_get_output_buffer(request);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", content_type);
    evbuffer_add(out, body->data, body->size);
    evhttp_send_reply(request, code, reason, NULL);
}

static void show_metrics(const ir_endpoint_t *endpoint, struct evhttp_request *request) {
    ir_buffer_t body;
    ir_buffer_init(&body);
    if (endpoint->refresh != NULL) {
        endpoint->refresh(endpoint->context);
    }
    ir_metrics_render(endpoint->metrics, &body);
    answer(request, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8", &body);
    ir_buffer_free(&body);
}

static void show_health(const ir_endpoint_t *endpoint, struct evhttp_request *request) {
    (void)endpoint;
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_buffer_append_text(&body, "ok\n");
    answer(request, HTTP_OK, "OK", "text/plain; charset=utf-8", &body);
    ir_buffer_free(&body);
}

static void show_ready(const ir_endpoint_t *endpoint, struct evhttp_request *request) {
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

static const struct page {
    const char *path;
    void (*show)(const ir_endpoint_t *endpoint, struct evhttp_request *request);
} pages[] = {{"/metrics", show_metrics}, {"/healthz", show_health}, {"/readyz", show_ready}};

static void show_page(const ir_endpoint_t *endpoint, struct evhttp_request *request,
                      const struct page *page) {
    const enum evhttp_cmd_type method = evhttp_request_get_command(request);
    if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD) {
        page->show(endpoint, request);
        return;
    }
    evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
    evhttp_send_reply(request, HTTP_BADMETHOD, "Method Not Allowed", NULL);
}

bool ir_endpoint_serve(const ir_endpoint_t *endpoint, struct evhttp_request *request) {
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
    for (size_t i = 0; path != NULL && i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(path, pages[i].path) == 0) {
            show_page(endpoint, request, &pages[i]);
            return true;
        }
    }
    return false;
}

static void on_request(struct evhttp_request *request, void *argument) {
    if (!ir_endpoint_serve(argument, request)) {
        evhttp_send_error(request, HTTP_NOTFOUND, NULL);
    }
}

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address_t;

static bool get_address(struct evhttp_bound_socket *bound, address_t *address) {
    memset(address, 0, sizeof *address);
    socklen_t size = sizeof *address;
    return getsockname(evhttp_bound_socket_get_fd(bound), &address->any, &size) == 0;
}

static int port_of(const address_t *address) {
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

const char *ir_endpoint_where(struct evhttp_bound_socket *bound, char *text, size_t size) {
    address_t address;
    char host[INET6_ADDRSTRLEN] = "?";
    if (!get_address(bound, &address)) {
        snprintf(text, size, "?");
    } else if (address.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%d", host, port_of(&address));
    } else {
        inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%d", host, port_of(&address));
    }
    return text;
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
                              "cannot serve http at '%s': it is not HOST:PORT, for example "
                              "127.0.0.1:9090",
                              address);
}

ir_status_t ir_endpoint_check(const char *address, ir_error_t *error) {
    char host[HOST_SIZE];
    int port = 0;
    return read_address(address, host, &port, error);
}

ir_status_t ir_endpoint_bind(struct evhttp *http, const char *address,
                             struct evhttp_bound_socket **bound, ir_error_t *error) {
    char host[HOST_SIZE];
    int port = 0;
    const ir_status_t status = read_address(address, host, &port, error);
    if (status != IR_OK) {
        return status;
    }
    errno = 0;
    struct evhttp_bound_socket *made = evhttp_bind_socket_with_handle(http, host, (uint16_t)port);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_IO,
                            "cannot serve http at %s: %s; choose another address, or port 0 for a "
                            "free one",
                            address, errno != 0 ? strerror(errno) : "no such address here");
    }
    *bound = made;
    return IR_OK;
}

ir_status_t ir_endpoint_new(ir_metrics_t *metrics, ir_endpoint_ready_fn ready,
                            ir_endpoint_refresh_fn refresh, void *context, ir_endpoint_t **endpoint,
                            ir_error_t *error) {
    ir_endpoint_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "http endpoint: out of memory");
    }
    *made =
        (ir_endpoint_t){.metrics = metrics, .ready = ready, .refresh = refresh, .context = context};
    *endpoint = made;
    return IR_OK;
}

static ir_status_t open_server(ir_endpoint_t *endpoint, struct event_base *base,
                               const char *address, ir_error_t *error) {
    struct evhttp *http = endpoint->http = evhttp_new(base);
    if (http == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "http endpoint: out of memory");
    }
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(http, HEADERS_MAX);
    evhttp_set_max_body_size(http, 0);
    evhttp_set_timeout(http, REQUEST_SECONDS);
    evhttp_set_gencb(http, on_request, endpoint);
    struct evhttp_bound_socket *bound = NULL;
    const ir_status_t status = ir_endpoint_bind(http, address, &bound, error);
    address_t where;
    if (status == IR_OK && get_address(bound, &where)) {
        endpoint->port = port_of(&where);
        ir_endpoint_where(bound, endpoint->where, sizeof endpoint->where);
    }
    return status;
}

ir_status_t ir_endpoint_open(struct event_base *base, const char *address, ir_metrics_t *metrics,
                             ir_endpoint_ready_fn ready, ir_endpoint_refresh_fn refresh,
                             void *context, ir_endpoint_t **endpoint, ir_error_t *error) {
    ir_endpoint_t *made = NULL;
    ir_status_t status = ir_endpoint_new(metrics, ready, refresh, context, &made, error);
    if (status == IR_OK && made != NULL) {
        status = open_server(made, base, address, error);
    }
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

const char *ir_endpoint_address(const ir_endpoint_t *endpoint) {
    return endpoint->where;
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
