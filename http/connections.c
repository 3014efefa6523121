#include "http/connections.h"

#include "common/clock.h"
#include "common/invariant.h"
#include "common/log.h"
#include "common/messages.h"
#include "http/bytes.h"
#include "http/connection.h"
#include "http/ending.h"
#include "http/listener.h"
#include "http/problem.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define BACKLOG 4096
#define DESCRIPTORS_KEPT 64 /* reserved for other files and sockets */
#define LEAST 16
#define STARVED_NS IR_SECOND_NS
#define LOG_EVERY_NS (10 * IR_SECOND_NS)
#define TICK_NS (100 * IR_MILLISECOND_NS)
#define LINGER_NS (2 * IR_SECOND_NS)

/* ---- opening and closing ---- */

static void set_accepting(ir_connections_t *all) {
    const bool pause = all->count >= all->bounds.most && all->counts[IR_PHASE_IDLE] == 0;
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

/* Called when accepting fails, usually because no file descriptor is left. An immediate retry would
 * only fail again, so accepting stops until wake_listener turns it on. `context` belongs to the
 * library. */
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

/* A closed connection no longer counts and uses no memory. */
static void leave(ir_connection_t *connection) {
    ir_connection_forget_bytes(connection);
    connection->all->count--;
}

static void forget(ir_connection_t *connection) {
    ir_connections_t *all = connection->all;
    leave(connection);
    ir_connection_free(connection);
    set_accepting(all);
}

/* The connection closes before its request was answered. If the library still owns the request, it
 * frees it together with the connection. Otherwise the request stays valid until it is answered. */
static void keep_request(ir_connection_t *connection) {
    struct evhttp_request *http = connection->request.http;
    if (evhttp_request_get_connection(http) != NULL) {
        connection->request.http = NULL;
    }
    leave(connection);
    ir_connection_enter(connection, IR_PHASE_GONE);
    set_accepting(connection->all);
}

/* The library is about to free the connection. */
static void on_gone(struct evhttp_connection *http, void *context) {
    (void)http;
    ir_connection_t *connection = context;
    struct bufferevent *bufferevent = connection->bufferevent;
    const evutil_socket_t fd = bufferevent_getfd(bufferevent);
    if (ir_connection_find(connection->all, fd) == connection) {
        connection->all->by_descriptor[fd] = NULL;
    }
    if (connection->phase == IR_PHASE_HEADERS || connection->phase == IR_PHASE_BODY) {
        ir_connection_count_closing(connection, IR_CLOSING_BROKEN);
    }
    evbuffer_remove_cb(bufferevent_get_input(bufferevent), ir_bytes_on_input, connection);
    if (connection->request.http != NULL) {
        keep_request(connection);
    } else {
        forget(connection);
    }
}

/* The library asks for a bufferevent before its connection exists. The connection can be found only
 * when control is back in the loop; see greet(). */
static struct bufferevent *on_accept(struct event_base *base, void *context) {
    ir_connections_t *all = context;
    struct bufferevent *bufferevent = bufferevent_socket_new(base, -1, 0);
    ir_connection_t *connection = calloc(1, sizeof *connection);
    if (bufferevent == NULL || connection == NULL) {
        free(connection);
        return bufferevent;
    }
    *connection = (ir_connection_t){.all = all, .bufferevent = bufferevent};
    bufferevent_incref(bufferevent);
    evbuffer_add_cb(bufferevent_get_input(bufferevent), ir_bytes_on_input, connection);
    TAILQ_INSERT_TAIL(&all->lists[IR_PHASE_NEW], connection, place);
    all->counts[IR_PHASE_NEW]++;
    all->count++;
    event_active(all->soon, EV_TIMEOUT, 1);
    return bufferevent;
}

/* Makes room for a descriptor in the table. When many connections are accepted in one turn of the
 * loop, their descriptors may exceed the limit on connections; only the limit on open files bounds
 * them. */
static bool reserve_descriptor(ir_connections_t *all, size_t fd) {
    if (fd < all->n_descriptors) {
        return true;
    }
    const size_t count = fd + DESCRIPTORS_KEPT;
    ir_connection_t **table = realloc(all->by_descriptor, count * sizeof *table);
    if (table == NULL) {
        return false;
    }
    memset(table + all->n_descriptors, 0, (count - all->n_descriptors) * sizeof *table);
    all->by_descriptor = table;
    all->n_descriptors = count;
    return true;
}

/* Finds the library's connection, which is the argument of the callbacks that the library has set
 * (tests/unit/test_libevent_http.c). If there is none, the library has given the connection up. If
 * memory is too short to find the connection again later, it is closed. */
static void greet(ir_connection_t *connection) {
    ir_connections_t *all = connection->all;
    struct bufferevent *bufferevent = connection->bufferevent;
    void *http = NULL;
    bufferevent_getcb(bufferevent, NULL, NULL, NULL, &http);
    const evutil_socket_t fd = bufferevent_getfd(bufferevent);
    if (http == NULL || fd < 0 || !reserve_descriptor(all, (size_t)fd)) {
        evbuffer_remove_cb(bufferevent_get_input(bufferevent), ir_bytes_on_input, connection);
        forget(connection);
        if (http != NULL) {
            evhttp_connection_free(http);
        }
    } else {
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        all->by_descriptor[fd] = connection;
        evhttp_connection_set_closecb(http, on_gone, connection);
        ir_connection_enter(connection, IR_PHASE_IDLE);
    }
    bufferevent_decref(bufferevent);
}

static void make_room(ir_connections_t *all) {
    while (all->count > all->bounds.most && all->counts[IR_PHASE_IDLE] > 0) {
        ir_ending_refuse(TAILQ_FIRST(&all->lists[IR_PHASE_IDLE]), IR_CLOSING_CROWDED);
    }
    set_accepting(all);
}

static void on_soon(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_connections_t *all = context;
    ir_connection_t *next = NULL;
    for (ir_connection_t *each = TAILQ_FIRST(&all->lists[IR_PHASE_NEW]); each != NULL;
         each = next) {
        next = TAILQ_NEXT(each, place);
        greet(each);
    }
    for (ir_connection_t *each = TAILQ_FIRST(&all->lists[IR_PHASE_DOOMED]); each != NULL;
         each = next) {
        next = TAILQ_NEXT(each, place);
        ir_ending_refuse(each, each->doom);
    }
    make_room(all);
}

/* ---- time ---- */

static ir_connection_t *overdue(const ir_connections_t *all, ir_connection_phase_t phase,
                                int64_t bound_ns, int64_t now_ns) {
    ir_connection_t *first = TAILQ_FIRST(&all->lists[phase]);
    return first != NULL && now_ns - first->since_ns > bound_ns ? first : NULL;
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_connections_t *all = context;
    const ir_bounds_t *limits = &all->bounds;
    const struct {
        int64_t bound_ns;
        ir_connection_phase_t phase;
        ir_closing_t why;
    } bounds[] = {
        {limits->idle_ns, IR_PHASE_IDLE, IR_CLOSING_IDLE},
        {limits->header_ns, IR_PHASE_HEADERS, IR_CLOSING_SLOW_HEADERS},
        {limits->body_ns, IR_PHASE_BODY, IR_CLOSING_SLOW_BODY},
        {limits->answer_ns, IR_PHASE_ANSWERING, IR_CLOSING_SLOW_READER},
    };
    const int64_t now_ns = ir_clock_monotonic();
    ir_connection_t *connection = NULL;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        while ((connection = overdue(all, bounds[i].phase, bounds[i].bound_ns, now_ns)) != NULL) {
            ir_ending_refuse(connection, bounds[i].why);
        }
    }
    while ((connection = overdue(all, IR_PHASE_LINGERING, LINGER_NS, now_ns)) != NULL) {
        ir_ending_stop_lingering(connection);
    }
    wake_listener(all, now_ns);
}

/* ---- requests ---- */

/* The answer was written. If bytes of the next request have already arrived, they are counted now;
 * the library then processes them by itself. */
static void on_answered(struct evhttp_request *http, void *context) {
    (void)http;
    ir_connection_t *connection = context;
    if (connection->phase != IR_PHASE_ANSWERING) {
        return;
    }
    struct evbuffer *input = bufferevent_get_input(connection->bufferevent);
    ir_connection_forget_bytes(connection);
    ir_connection_enter(connection, IR_PHASE_IDLE);
    ir_bytes_drop_empty_lines(input);
    if (evbuffer_get_length(input) > 0) {
        ir_bytes_take(connection, input, evbuffer_get_length(input));
    }
    if (connection->all->closing && connection->phase == IR_PHASE_IDLE) {
        event_active(connection->all->tick, EV_TIMEOUT, 1);
    }
}

/* Refuses a request that exceeded a limit. It has arrived completely, so it is answered like any
 * other. */
static void refuse_request(ir_connection_t *connection) {
    const ir_closing_t why = connection->doom;
    ir_buffer_t body;
    ir_buffer_init(&body);
    ir_connection_count_closing(connection, why);
    ir_problem_append(&body, ir_closing_code(why), ir_closing_text(why), ir_closing_detail(why));
    ir_request_answer(&connection->request, ir_closing_code(why), IR_PROBLEM_TYPE,
                      ir_buffer_view(&body), true);
    ir_buffer_free(&body);
}

static void on_request(struct evhttp_request *http, void *context) {
    ir_connections_t *all = context;
    struct evhttp_connection *from = evhttp_request_get_connection(http);
    ir_connection_t *connection =
        ir_connection_find(all, bufferevent_getfd(evhttp_connection_get_bufferevent(from)));
    IR_INVARIANT(connection != NULL);
    const bool doomed = connection->phase == IR_PHASE_DOOMED;
    evhttp_request_set_on_complete_cb(http, on_answered, connection);
    ir_connection_enter(connection, IR_PHASE_ANSWERING);
    connection->request = (ir_request_t){.connection = connection, .http = http};
    all->inside = true;
    if (doomed) {
        refuse_request(connection);
    } else {
        all->on_request(&connection->request, all->context);
    }
    all->inside = false;
}

/* ---- life ---- */

/* Lowers the limit on connections if the limit on open files is too small for it. (ir_program_begin
 * has already raised the latter.) */
static ir_status_t fit_descriptors(ir_connections_t *all, ir_error_t *error) {
    struct rlimit limit;
    const rlim_t wanted = all->bounds.most + DESCRIPTORS_KEPT;
    const rlim_t least = (all->bounds.most < LEAST ? all->bounds.most : LEAST) + DESCRIPTORS_KEPT;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return IR_OK;
    }
    if (limit.rlim_cur < least) {
        return ir_error_set(error, IR_ERR_USAGE, IR_TEXT_OPEN_FILES,
                            (unsigned long long)limit.rlim_cur, (unsigned long long)least);
    }
    if (limit.rlim_cur < wanted) {
        all->bounds.most = limit.rlim_cur - DESCRIPTORS_KEPT;
    }
    return IR_OK;
}

static ir_status_t open_http(ir_connections_t *all, struct event_base *base, const char *address,
                             ir_error_t *error) {
    all->http = evhttp_new(base);
    if (all->http == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "http server: out of memory");
    }
    evhttp_set_allowed_methods(all->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                              EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                              EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                              EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
    /* Higher than our own limit, so that ours applies first: it answers with problem details. */
    evhttp_set_max_headers_size(all->http, (ev_ssize_t)(all->bounds.header_bytes + IR_BYTES_SLACK));
    evhttp_set_bevcb(all->http, on_accept, all);
    evhttp_set_gencb(all->http, on_request, all);
    const ir_status_t status = ir_listener_bind(all->http, address, &all->bound, error);
    if (status == IR_OK) {
        /* Calls listen() again, because the library's queue of 128 connections is too short. */
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

static void fill(ir_connections_t *all, const ir_connections_options_t *options) {
    all->bounds = options->bounds;
    memcpy(all->closed, options->closed, sizeof all->closed);
    all->on_request = options->on_request;
    all->context = options->context;
    for (size_t i = 0; i < IR_PHASE_COUNT; i++) {
        TAILQ_INIT(&all->lists[i]);
    }
}

ir_status_t ir_connections_open(struct event_base *base, const ir_connections_options_t *options,
                                ir_connections_t **connections, ir_error_t *error) {
    ir_connections_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "http server: out of memory");
    }
    fill(made, options);
    ir_status_t status = fit_descriptors(made, error);
    if (status == IR_OK) {
        made->n_descriptors = made->bounds.most + 2 * DESCRIPTORS_KEPT;
        made->by_descriptor = calloc(made->n_descriptors, sizeof *made->by_descriptor);
        status = made->by_descriptor != NULL
                     ? open_events(made, base, error)
                     : ir_error_set(error, IR_ERR_MEMORY, "http server: out of memory");
    }
    if (status == IR_OK) {
        status = open_http(made, base, options->address, error);
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
    return connections->bounds.most;
}

size_t ir_connections_count(const ir_connections_t *connections) {
    return connections->count;
}

void ir_connections_close(ir_connections_t *connections) {
    connections->closing = true;
    connections->bounds.idle_ns = 0;
    if (connections->bound != NULL) {
        evhttp_del_accept_socket(connections->http, connections->bound);
        connections->bound = NULL;
    }
    event_active(connections->tick, EV_TIMEOUT, 1);
}

bool ir_connections_quiet(const ir_connections_t *connections) {
    return connections->count == connections->counts[IR_PHASE_IDLE];
}

/* Frees the requests of closed connections, which will not be answered any more, except the part
 * that the library has freed. */
static void free_gone(ir_connections_t *all) {
    ir_connection_t *next = NULL;
    for (ir_connection_t *each = TAILQ_FIRST(&all->lists[IR_PHASE_GONE]); each != NULL;
         each = next) {
        next = TAILQ_NEXT(each, place);
        if (each->request.http != NULL) {
            evhttp_request_free(each->request.http);
        }
        ir_connection_free(each);
    }
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
    free_gone(connections);
    if (connections->soon != NULL) {
        event_free(connections->soon);
    }
    if (connections->tick != NULL) {
        event_free(connections->tick);
    }
    free(connections->by_descriptor);
    free(connections);
}
