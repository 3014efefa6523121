#include "http/endpoint.h"

#include "common/clock.h"
#include "http/connections.h"

#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 32
#define HEADER_LINES 64
#define HEADER_BYTES 8192
#define MEMORY_BYTES (1024 * 1024)
#define REQUEST_NS (10 * IR_SECOND_NS)

struct ir_endpoint {
    ir_connections_t *connections; /* NULL: the caller runs the server */
    ir_metrics_t *metrics;
    ir_metric_t *is_ready;
    ir_endpoint_ready_fn ready;
    ir_endpoint_refresh_fn refresh;
    void *context;
    char where[IR_WHERE_SIZE];
};

static void answer(ir_request_t *request, int code, const char *type, const ir_buffer_t *body) {
    ir_request_answer(request, code, type, ir_buffer_view(body), false);
}

static bool look_ready(const ir_endpoint_t *endpoint, ir_buffer_t *reasons) {
    return endpoint->ready == NULL || endpoint->ready(endpoint->context, reasons);
}

static void show_metrics(const ir_endpoint_t *endpoint, ir_request_t *request) {
    ir_buffer_t body;
    ir_buffer_init(&body);
    if (endpoint->refresh != NULL) {
        endpoint->refresh(endpoint->context);
    }
    ir_metric_set(endpoint->is_ready, look_ready(endpoint, &body));
    ir_buffer_clear(&body);
    ir_metrics_render(endpoint->metrics, &body);
    answer(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    ir_buffer_free(&body);
}

static void show_health(const ir_endpoint_t *endpoint, ir_request_t *request) {
    (void)endpoint;
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_buffer_append_text(&body, "ok\n");
    answer(request, 200, "text/plain; charset=utf-8", &body);
    ir_buffer_free(&body);
}

static void show_ready(const ir_endpoint_t *endpoint, ir_request_t *request) {
    ir_buffer_t body;
    ir_buffer_init(&body);
    const bool ready = look_ready(endpoint, &body);
    if (ready) {
        ir_buffer_clear(&body);
        ir_buffer_append_text(&body, "ready\n");
    }
    answer(request, ready ? 200 : 503, "text/plain; charset=utf-8", &body);
    ir_buffer_free(&body);
}

static const struct page {
    const char *path;
    void (*show)(const ir_endpoint_t *endpoint, ir_request_t *request);
} pages[] = {{"/metrics", show_metrics}, {"/healthz", show_health}, {"/readyz", show_ready}};

static void show_page(const ir_endpoint_t *endpoint, ir_request_t *request,
                      const struct page *page) {
    const ir_method_t method = ir_request_method(request);
    if (method == IR_METHOD_GET || method == IR_METHOD_HEAD) {
        page->show(endpoint, request);
        return;
    }
    ir_request_set_header(request, "Allow", "GET, HEAD");
    ir_request_answer(request, 405, NULL, ir_view(NULL, 0), false);
}

bool ir_endpoint_serve(const ir_endpoint_t *endpoint, ir_request_t *request) {
    const char *path = ir_request_path(request);
    for (size_t i = 0; path != NULL && i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(path, pages[i].path) == 0) {
            show_page(endpoint, request, &pages[i]);
            return true;
        }
    }
    return false;
}

static void on_request(ir_request_t *request, void *context) {
    if (!ir_endpoint_serve(context, request)) {
        ir_request_answer(request, 404, NULL, ir_view(NULL, 0), true);
    }
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
    made->is_ready = ir_metrics_add(metrics, IR_METRIC_GAUGE, "ir_ready", NULL,
                                    "1 while /readyz answers 200: the program can do its work.");
    *endpoint = made;
    return IR_OK;
}

static ir_status_t open_server(ir_endpoint_t *endpoint, struct event_base *base,
                               const char *address, ir_error_t *error) {
    const ir_connections_options_t options = {
        .address = address,
        .bounds = {.most = CONNECTIONS,
                   .header_lines = HEADER_LINES,
                   .header_bytes = HEADER_BYTES,
                   .memory_bytes = MEMORY_BYTES,
                   .header_ns = REQUEST_NS,
                   .body_ns = REQUEST_NS,
                   .idle_ns = REQUEST_NS,
                   .answer_ns = REQUEST_NS},
        .on_request = on_request,
        .context = endpoint,
    };
    const ir_status_t status = ir_connections_open(base, &options, &endpoint->connections, error);
    if (status == IR_OK) {
        ir_connections_where(endpoint->connections, endpoint->where, sizeof endpoint->where);
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

const char *ir_endpoint_address(const ir_endpoint_t *endpoint) {
    return endpoint->where;
}

void ir_endpoint_free(ir_endpoint_t *endpoint) {
    if (endpoint != NULL) {
        ir_connections_free(endpoint->connections);
        free(endpoint);
    }
}
