#include "http/connections.h"

#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/messages.h"
#include "http/listener.h"
#include "http/problem.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define BACKLOG 4096
#define DESCRIPTORS_KEPT 64 /* reserved for other files and sockets */
#define LEAST 16
#define STARVED_NS IR_SECOND_NS
#define LOG_EVERY_NS (10 * IR_SECOND_NS)
#define TICK_NS (100 * IR_MILLISECOND_NS)
#define LINGER_NS (2 * IR_SECOND_NS)
#define SLACK_BYTES 65536 /* one read by the library, and the overhead of chunked encoding */
#define PEEKED 8

/* The state of a connection. Each phase has its own list, ordered by time of entry, oldest
 * first. */
typedef enum phase {
    PHASE_NEW,       /* accepted, not yet examined */
    PHASE_IDLE,      /* between requests */
    PHASE_HEADERS,   /* from a request's first byte to its empty line */
    PHASE_BODY,      /* until the whole request is here */
    PHASE_DOOMED,    /* exceeded a limit; refused in the next turn of the loop */
    PHASE_ANSWERING, /* until the answer is written */
    PHASE_LINGERING, /* refused; further input is discarded */
    PHASE_COUNT
} phase_t;

typedef struct connection {
    TAILQ_ENTRY(connection) place;
    ir_connections_t *all;
    struct bufferevent *bufferevent;
    struct evhttp_connection *http;
    phase_t phase;
    ir_closing_t doom;
    int64_t since_ns;
    size_t received; /* bytes of the request in memory */
    size_t lines, header_size;
    size_t line_size; /* of the current, incomplete line */
    char line_last;
    /* the library's callbacks, while lingering */
    bufferevent_data_cb read_callback, write_callback;
    bufferevent_event_cb event_callback;
    void *callback_context;
} connection_t;

TAILQ_HEAD(connection_list, connection);

struct ir_connections {
    ir_connections_options_t options;
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    struct event *soon, *tick;
    struct connection_list lists[PHASE_COUNT];
    size_t counts[PHASE_COUNT];
    size_t count, received;
    connection_t **by_descriptor;
    size_t n_descriptors;
    bool closing, paused;
    int64_t woken_ns; /* when the listener was last turned on again */
    bool inside;      /* the library is handling a request */
};

static const struct {
    const char *text;
    int code; /* 0: no answer */
    const char *detail;
} closings[IR_CLOSING_COUNT] = {
    [IR_CLOSING_IDLE] = {"idle", 0, NULL},
    [IR_CLOSING_CROWDED] = {"crowded", 0, NULL},
    [IR_CLOSING_SLOW_HEADERS] = {"slow-headers", 408, "the headers took too long"},
    [IR_CLOSING_SLOW_BODY] = {"slow-body", 408, "the body took too long"},
    [IR_CLOSING_SLOW_READER] = {"slow-reader", 0, NULL},
    [IR_CLOSING_MANY_HEADERS] = {"many-headers", 431, "too many header lines"},
    [IR_CLOSING_LARGE_HEADERS] = {"large-headers", 431, "the headers are too large"},
    [IR_CLOSING_LARGE_BODY] = {"large-body", 413, "the body is too large; nothing was taken"},
    [IR_CLOSING_MEMORY] = {"memory", 503,
                           "too many unfinished requests at once; nothing was taken"},
    [IR_CLOSING_BROKEN] = {"broken", 0, NULL},
};

const char *ir_closing_text(ir_closing_t closing) {
    return closings[closing].text;
}

/* ---- phases ---- */

static void enter(connection_t *connection, phase_t phase) {
    ir_connections_t *all = connection->all;
    TAILQ_REMOVE(&all->lists[connection->phase], connection, place);
    all->counts[connection->phase]--;
    connection->phase = phase;
    connection->since_ns = ir_clock_monotonic();
    TAILQ_INSERT_TAIL(&all->lists[phase], connection, place);
    all->counts[phase]++;
}

static void forget_bytes(connection_t *connection) {
    connection->all->received -= connection->received;
    connection->received = 0;
}

static void count_closing(const ir_connections_t *all, ir_closing_t closing) {
    ir_metric_increase(all->options.closed[closing], 1);
}

/* Marks a connection that exceeded a limit. It cannot be closed here, inside a callback of the
 * library; the next turn of the loop refuses it. */
static void doom(connection_t *connection, ir_closing_t why) {
    connection->doom = why;
    enter(connection, PHASE_DOOMED);
    bufferevent_disable(connection->bufferevent, EV_READ);
    event_active(connection->all->soon, EV_TIMEOUT, 1);
}

/* ---- the bytes of a request ---- */

/* Counts header lines up to the empty line. */
static void scan_headers(connection_t *connection, const char *data, size_t size) {
    while (size > 0 && connection->phase == PHASE_HEADERS) {
        const char *end = memchr(data, '\n', size);
        const size_t length = end != NULL ? (size_t)(end - data) : size;
        connection->line_last = length > 0 ? data[length - 1] : connection->line_last;
        connection->line_size += length;
        connection->header_size += length + (end != NULL);
        data += length + (end != NULL);
        size -= length + (end != NULL);
        if (connection->header_size > connection->all->options.header_bytes) {
            doom(connection, IR_CLOSING_LARGE_HEADERS);
            return;
        }
        if (end == NULL) {
            return;
        }
        const bool empty = connection->line_size == 0 ||
                           (connection->line_size == 1 && connection->line_last == '\r');
        connection->line_size = 0;
        connection->lines++;
        if (empty) {
            enter(connection, PHASE_BODY);
        } else if (connection->lines > connection->all->options.header_lines + 1) {
            doom(connection, IR_CLOSING_MANY_HEADERS);
        }
    }
}

static void scan(connection_t *connection, struct evbuffer *buffer, size_t added) {
    struct evbuffer_ptr from;
    struct evbuffer_iovec parts[PEEKED];
    size_t at = evbuffer_get_length(buffer) - added;
    while (added > 0 && connection->phase == PHASE_HEADERS &&
           evbuffer_ptr_set(buffer, &from, at, EVBUFFER_PTR_SET) == 0) {
        const int n = evbuffer_peek(buffer, (ev_ssize_t)added, &from, parts, PEEKED);
        for (int i = 0; i < n && i < PEEKED && added > 0; i++) {
            const size_t size = parts[i].iov_len < added ? parts[i].iov_len : added;
            scan_headers(connection, parts[i].iov_base, size);
            at += size;
            added -= size;
        }
        if (n <= 0) {
            return;
        }
    }
}

static void begin_request(connection_t *connection) {
    connection->lines = connection->header_size = connection->line_size = 0;
    enter(connection, PHASE_HEADERS);
}

static void take_bytes(connection_t *connection, struct evbuffer *buffer, size_t added) {
    ir_connections_t *all = connection->all;
    const ir_connections_options_t *options = &all->options;
    connection->received += added;
    all->received += added;
    if (connection->phase == PHASE_IDLE || connection->phase == PHASE_NEW) {
        begin_request(connection);
    }
    scan(connection, buffer, added);
    if (connection->phase == PHASE_BODY &&
        connection->received > options->header_bytes + 2 * options->body_bytes + SLACK_BYTES) {
        doom(connection, IR_CLOSING_LARGE_BODY);
    } else if (connection->phase < PHASE_DOOMED && all->received > options->memory_bytes) {
        doom(connection, IR_CLOSING_MEMORY);
    }
}

/* Empty lines before a request: some clients end a body with one more than it has (RFC 9112,
 * section 2.2). */
static void drop_empty_lines(struct evbuffer *buffer) {
    char bytes[2];
    for (;;) {
        const ev_ssize_t size = evbuffer_copyout(buffer, bytes, sizeof bytes);
        const size_t feed = size > 0 && bytes[0] == '\r';
        if (size <= (ev_ssize_t)feed || bytes[feed] != '\n') {
            return;
        }
        evbuffer_drain(buffer, feed + 1);
    }
}

static void on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *context) {
    connection_t *connection = context;
    size_t added = info->n_added;
    if (added > 0 && connection->phase <= PHASE_IDLE) {
        drop_empty_lines(buffer);
        added = evbuffer_get_length(buffer);
    }
    if (added > 0 && connection->phase < PHASE_DOOMED) {
        take_bytes(connection, buffer, added);
    }
}

/* ---- refusing and ending ---- */

/* Simulates a time-out: the library then frees the connection and calls on_gone. */
static void end(connection_t *connection) {
    bufferevent_trigger_event(connection->bufferevent, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
}

static void on_leftover(struct bufferevent *bufferevent, void *context) {
    (void)context;
    struct evbuffer *input = bufferevent_get_input(bufferevent);
    evbuffer_drain(input, evbuffer_get_length(input));
}

static void stop_lingering(connection_t *connection) {
    bufferevent_setcb(connection->bufferevent, connection->read_callback,
                      connection->write_callback, connection->event_callback,
                      connection->callback_context);
    end(connection);
}

static void on_linger_event(struct bufferevent *bufferevent, short what, void *context) {
    (void)bufferevent;
    (void)what;
    stop_lingering(context);
}

/* Discards further input, out of the library's sight, until the peer closes or LINGER_NS has
 * passed. */
static void linger(connection_t *connection) {
    struct bufferevent *bufferevent = connection->bufferevent;
    shutdown(bufferevent_getfd(bufferevent), SHUT_WR);
    bufferevent_getcb(bufferevent, &connection->read_callback, &connection->write_callback,
                      &connection->event_callback, &connection->callback_context);
    bufferevent_setcb(bufferevent, on_leftover, NULL, on_linger_event, connection);
    on_leftover(bufferevent, NULL);
    forget_bytes(connection);
    enter(connection, PHASE_LINGERING);
    bufferevent_enable(bufferevent, EV_READ);
}

/* Sends the answer directly, because the library is still waiting for the request. Nothing else is
 * being written at that moment, and the answer fits into an empty socket buffer. */
static void send_refusal(connection_t *connection, ir_closing_t why) {
    ir_buffer_t body;
    ir_buffer_t answer;
    ir_buffer_init(&body);
    ir_buffer_init(&answer);
    const int code = closings[why].code;
    ir_problem_append(&body, code, closings[why].text, closings[why].detail);
    ir_buffer_append_format(&answer,
                            "HTTP/1.1 %d %s\r\nContent-Type: " IR_PROBLEM_TYPE
                            "\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
                            code, ir_problem_phrase(code), body.size,
                            code == 503 ? "Retry-After: 5\r\n" : "");
    ir_buffer_append_view(&answer, ir_buffer_view(&body));
    if (ir_buffer_ok(&answer)) {
        (void)!send(bufferevent_getfd(connection->bufferevent), answer.data, answer.size,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    ir_buffer_free(&body);
    ir_buffer_free(&answer);
}

static void refuse(connection_t *connection, ir_closing_t why) {
    count_closing(connection->all, why);
    const struct evbuffer *output = bufferevent_get_output(connection->bufferevent);
    if (closings[why].code != 0 && evbuffer_get_length(output) == 0) {
        send_refusal(connection, why);
        linger(connection);
        return;
    }
    forget_bytes(connection);
    enter(connection, PHASE_LINGERING);
    end(connection);
}

/* ---- coming and going ---- */

static void set_accepting(ir_connections_t *all) {
    const bool pause = all->count >= all->options.most && all->counts[PHASE_IDLE] == 0;
    if (all->bound == NULL || pause == all->paused) {
        return;
    }
    struct evconnlistener *listener = evhttp_bound_socket_get_listener(all->bound);
    all->paused = pause;
    if (pause) {
        evconnlistener_disable(listener);
    } else {
        evconnlistener_enable(listener);
    }
}

/* Usually no file descriptor is left, and an immediate retry would only spin. Accepting stops until
 * wake_listener turns it on again. `context` belongs to the library. */
static void on_accept_failed(struct evconnlistener *listener, void *context) {
    static _Thread_local int64_t logged_ns;
    (void)context;
    ir_log_limited(&logged_ns, LOG_EVERY_NS, IR_LOG_WARN, IR_TEXT_CANNOT_ACCEPT,
                   evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    evconnlistener_disable(listener);
}

static void wake_listener(ir_connections_t *all, int64_t now_ns) {
    if (all->bound != NULL && !all->paused && now_ns - all->woken_ns > STARVED_NS) {
        all->woken_ns = now_ns;
        evconnlistener_enable(evhttp_bound_socket_get_listener(all->bound));
    }
}

static void forget(connection_t *connection) {
    ir_connections_t *all = connection->all;
    forget_bytes(connection);
    TAILQ_REMOVE(&all->lists[connection->phase], connection, place);
    all->counts[connection->phase]--;
    all->count--;
    free(connection);
    set_accepting(all);
}

/* The library is about to free the connection. */
static void on_gone(struct evhttp_connection *http, void *context) {
    (void)http;
    connection_t *connection = context;
    const evutil_socket_t fd = bufferevent_getfd(connection->bufferevent);
    if (fd >= 0 && (size_t)fd < connection->all->n_descriptors) {
        connection->all->by_descriptor[fd] = NULL;
    }
    if (connection->phase == PHASE_HEADERS || connection->phase == PHASE_BODY) {
        count_closing(connection->all, IR_CLOSING_BROKEN);
    }
    struct bufferevent *bufferevent = connection->bufferevent;
    evbuffer_remove_cb(bufferevent_get_input(bufferevent), on_input, connection);
    forget(connection);
}

/* The library asks for a bufferevent before its connection exists. The connection can be found only
 * when control is back in the loop; see greet(). */
static struct bufferevent *on_accept(struct event_base *base, void *context) {
    ir_connections_t *all = context;
    struct bufferevent *bufferevent = bufferevent_socket_new(base, -1, 0);
    connection_t *connection = calloc(1, sizeof *connection);
    if (bufferevent == NULL || connection == NULL) {
        free(connection);
        return bufferevent;
    }
    *connection = (connection_t){.all = all, .bufferevent = bufferevent};
    bufferevent_incref(bufferevent);
    evbuffer_add_cb(bufferevent_get_input(bufferevent), on_input, connection);
    TAILQ_INSERT_TAIL(&all->lists[PHASE_NEW], connection, place);
    all->counts[PHASE_NEW]++;
    all->count++;
    event_active(all->soon, EV_TIMEOUT, 1);
    return bufferevent;
}

/* Finds the library's connection: it is the argument of the callbacks that the library has set. If
 * there is none, the library gave up the connection. */
static void greet(connection_t *connection) {
    ir_connections_t *all = connection->all;
    struct bufferevent *bufferevent = connection->bufferevent;
    void *http = NULL;
    bufferevent_getcb(bufferevent, NULL, NULL, NULL, &http);
    const evutil_socket_t fd = bufferevent_getfd(bufferevent);
    if (http == NULL || fd < 0 || (size_t)fd >= all->n_descriptors) {
        evbuffer_remove_cb(bufferevent_get_input(bufferevent), on_input, connection);
        forget(connection);
    } else {
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection->http = http;
        all->by_descriptor[fd] = connection;
        evhttp_connection_set_closecb(http, on_gone, connection);
        enter(connection, PHASE_IDLE);
    }
    bufferevent_decref(bufferevent);
}

static void make_room(ir_connections_t *all) {
    while (all->count > all->options.most && all->counts[PHASE_IDLE] > 0) {
        refuse(TAILQ_FIRST(&all->lists[PHASE_IDLE]), IR_CLOSING_CROWDED);
    }
    set_accepting(all);
}

static void on_soon(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_connections_t *all = context;
    connection_t *next = NULL;
    for (connection_t *each = TAILQ_FIRST(&all->lists[PHASE_NEW]); each != NULL; each = next) {
        next = TAILQ_NEXT(each, place);
        greet(each);
    }
    for (connection_t *each = TAILQ_FIRST(&all->lists[PHASE_DOOMED]); each != NULL; each = next) {
        next = TAILQ_NEXT(each, place);
        refuse(each, each->doom);
    }
    make_room(all);
}

/* ---- time ---- */

static connection_t *overdue(const ir_connections_t *all, phase_t phase, int64_t bound_ns,
                             int64_t now_ns) {
    connection_t *first = TAILQ_FIRST(&all->lists[phase]);
    return first != NULL && now_ns - first->since_ns > bound_ns ? first : NULL;
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_connections_t *all = context;
    const ir_connections_options_t *options = &all->options;
    const struct {
        int64_t bound_ns;
        phase_t phase;
        ir_closing_t why;
    } bounds[] = {
        {options->idle_ns, PHASE_IDLE, IR_CLOSING_IDLE},
        {options->header_ns, PHASE_HEADERS, IR_CLOSING_SLOW_HEADERS},
        {options->body_ns, PHASE_BODY, IR_CLOSING_SLOW_BODY},
        {options->answer_ns, PHASE_ANSWERING, IR_CLOSING_SLOW_READER},
    };
    const int64_t now_ns = ir_clock_monotonic();
    connection_t *connection = NULL;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        while ((connection = overdue(all, bounds[i].phase, bounds[i].bound_ns, now_ns)) != NULL) {
            refuse(connection, bounds[i].why);
        }
    }
    while ((connection = overdue(all, PHASE_LINGERING, LINGER_NS, now_ns)) != NULL) {
        stop_lingering(connection);
    }
    wake_listener(all, now_ns);
}

/* ---- requests ---- */

static connection_t *find(const ir_connections_t *all, struct evhttp_request *request) {
    struct evhttp_connection *http = evhttp_request_get_connection(request);
    const evutil_socket_t fd =
        http != NULL ? bufferevent_getfd(evhttp_connection_get_bufferevent(http)) : -1;
    return fd >= 0 && (size_t)fd < all->n_descriptors ? all->by_descriptor[fd] : NULL;
}

/* The answer was written. Bytes of the next request that have arrived count from now on; the
 * library returns to them on its own. */
static void on_answered(struct evhttp_request *request, void *context) {
    connection_t *connection = find(context, request);
    if (connection == NULL || connection->phase != PHASE_ANSWERING) {
        return;
    }
    struct evbuffer *input = bufferevent_get_input(connection->bufferevent);
    forget_bytes(connection);
    enter(connection, PHASE_IDLE);
    drop_empty_lines(input);
    if (evbuffer_get_length(input) > 0) {
        take_bytes(connection, input, evbuffer_get_length(input));
    }
    if (connection->all->closing && connection->phase == PHASE_IDLE) {
        event_active(connection->all->tick, EV_TIMEOUT, 1);
    }
}

/* Refuses a request that exceeded a limit but arrived completely. */
static void refuse_request(ir_connections_t *all, struct evhttp_request *request,
                           ir_closing_t why) {
    ir_buffer_t body;
    ir_buffer_init(&body);
    count_closing(all, why);
    ir_problem_append(&body, closings[why].code, closings[why].text, closings[why].detail);
    evbuffer_add(evhttp_request_get_output_buffer(request), body.data, body.size);
    ir_buffer_free(&body);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", IR_PROBLEM_TYPE);
    ir_connections_answer(all, request, closings[why].code, ir_problem_phrase(closings[why].code),
                          true);
}

static void on_request(struct evhttp_request *request, void *context) {
    ir_connections_t *all = context;
    connection_t *connection = find(all, request);
    const bool doomed = connection != NULL && connection->phase == PHASE_DOOMED;
    evhttp_request_set_on_complete_cb(request, on_answered, all);
    if (connection != NULL) {
        enter(connection, PHASE_ANSWERING);
    }
    all->inside = true;
    if (doomed) {
        refuse_request(all, request, connection->doom);
    } else {
        all->options.on_request(request, all->options.context);
    }
    all->inside = false;
}

void ir_connections_release(ir_connections_t *connections, struct evhttp_request *request) {
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    evbuffer_drain(body, evbuffer_get_length(body));
    connection_t *connection = find(connections, request);
    if (connection != NULL) {
        forget_bytes(connection);
    }
}

/* Writes at once what the library would write in the next turn of the loop, after polling. Whatever
 * the socket does not accept is left to the library. */
static void write_now(const connection_t *connection) {
    struct bufferevent *bufferevent = connection->bufferevent;
    struct evbuffer *output = bufferevent_get_output(bufferevent);
    evbuffer_unfreeze(output, 1);
    evbuffer_write(output, bufferevent_getfd(bufferevent));
    evbuffer_freeze(output, 1);
    if (evbuffer_get_length(output) == 0) {
        bufferevent_trigger(bufferevent, EV_WRITE, 0);
    }
}

void ir_connections_answer(ir_connections_t *connections, struct evhttp_request *request, int code,
                           const char *phrase, bool last) {
    const connection_t *connection = connections->inside ? NULL : find(connections, request);
    if (last) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
    }
    evhttp_send_reply(request, code, phrase, NULL);
    if (connection != NULL && connection->phase == PHASE_ANSWERING) {
        write_now(connection);
    }
}

/* ---- life ---- */

/* If the limit on open files, which ir_program_begin has raised, is not enough, lowers the limit on
 * connections. */
static ir_status_t fit_descriptors(ir_connections_t *all, ir_error_t *error) {
    struct rlimit limit;
    const rlim_t wanted = all->options.most + DESCRIPTORS_KEPT;
    const rlim_t least = (all->options.most < LEAST ? all->options.most : LEAST) + DESCRIPTORS_KEPT;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return IR_OK;
    }
    if (limit.rlim_cur < least) {
        return ir_error_set(error, IR_ERR_USAGE, IR_TEXT_OPEN_FILES,
                            (unsigned long long)limit.rlim_cur, (unsigned long long)least);
    }
    if (limit.rlim_cur < wanted) {
        all->options.most = limit.rlim_cur - DESCRIPTORS_KEPT;
    }
    return IR_OK;
}

static ir_status_t open_http(ir_connections_t *all, struct event_base *base, ir_error_t *error) {
    all->http = evhttp_new(base);
    if (all->http == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "http server: out of memory");
    }
    evhttp_set_allowed_methods(all->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                              EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                              EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                              EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
    /* The library's limit is higher than ours, which answers with problem details and must apply
     * first. */
    evhttp_set_max_headers_size(all->http, (ev_ssize_t)(all->options.header_bytes + SLACK_BYTES));
    evhttp_set_bevcb(all->http, on_accept, all);
    evhttp_set_gencb(all->http, on_request, all);
    const ir_status_t status =
        ir_listener_bind(all->http, all->options.address, &all->bound, error);
    if (status == IR_OK) {
        /* Calls listen() again for a longer queue than the library's 128. */
        listen(evhttp_bound_socket_get_fd(all->bound), BACKLOG);
        evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(all->bound), on_accept_failed);
    }
    return status;
}

static ir_status_t open_events(ir_connections_t *all, struct event_base *base, ir_error_t *error) {
    static const struct timeval tick = {.tv_usec = TICK_NS / 1000};
    all->soon = event_new(base, -1, 0, on_soon, all);
    all->tick = event_new(base, -1, EV_PERSIST, on_tick, all);
    if (all->soon == NULL || all->tick == NULL || event_add(all->tick, &tick) != 0) {
        return ir_error_set(error, IR_ERR_MEMORY, "http server: out of memory");
    }
    return IR_OK;
}

ir_status_t ir_connections_open(struct event_base *base, const ir_connections_options_t *options,
                                ir_connections_t **connections, ir_error_t *error) {
    ir_connections_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "http server: out of memory");
    }
    made->options = *options;
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        TAILQ_INIT(&made->lists[i]);
    }
    ir_status_t status = fit_descriptors(made, error);
    if (status == IR_OK) {
        made->n_descriptors = made->options.most + 2 * DESCRIPTORS_KEPT;
        made->by_descriptor = calloc(made->n_descriptors, sizeof *made->by_descriptor);
        status = made->by_descriptor != NULL
                     ? open_events(made, base, error)
                     : ir_error_set(error, IR_ERR_MEMORY, "http server: out of memory");
    }
    if (status == IR_OK) {
        status = open_http(made, base, error);
    }
    if (status != IR_OK) {
        ir_connections_free(made);
        return status;
    }
    *connections = made;
    return IR_OK;
}

const char *ir_connections_where(const ir_connections_t *connections, char *text, size_t size) {
    return ir_listener_where(connections->bound, text, size);
}

size_t ir_connections_most(const ir_connections_t *connections) {
    return connections->options.most;
}

size_t ir_connections_count(const ir_connections_t *connections) {
    return connections->count;
}

void ir_connections_close(ir_connections_t *connections) {
    connections->closing = true;
    connections->options.idle_ns = 0;
    if (connections->bound != NULL) {
        evhttp_del_accept_socket(connections->http, connections->bound);
        connections->bound = NULL;
    }
    event_active(connections->tick, EV_TIMEOUT, 1);
}

bool ir_connections_quiet(const ir_connections_t *connections) {
    return connections->count == connections->counts[PHASE_IDLE];
}

void ir_connections_free(ir_connections_t *connections) {
    if (connections == NULL) {
        return;
    }
    if (connections->http != NULL) {
        on_soon(-1, 0, connections);
        connections->bound = NULL;
        evhttp_free(connections->http);
    }
    if (connections->soon != NULL) {
        event_free(connections->soon);
    }
    if (connections->tick != NULL) {
        event_free(connections->tick);
    }
    free(connections->by_descriptor);
    free(connections);
}
