/* Undocumented behaviour of libevent's HTTP server on which http/ relies: the argument of its
 * private callbacks, and who frees a request when its connection ends early. If a test fails with
 * another version of libevent, the file that its message names must change. */
#include "tests/unit/http_client.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define REQUEST "GET /one HTTP/1.1\r\nHost: x\r\n\r\n"

/* Fails with a text that says what changed in libevent, and where it matters. */
#define EXPECT(condition, text)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_msg("libevent %s changed: %s", event_get_version(), text);                        \
        }                                                                                          \
    } while (0)

typedef struct fixture {
    struct event_base *base;
    struct evhttp *http;
    struct event *soon;
    int client;
    struct bufferevent *bufferevent; /* the one that the server was given */
    void *argument;                  /* the argument of its callbacks, one turn later */
    struct evhttp_request *request;
    size_t requests, completed;
    bool closed, attached; /* attached: the request still had its connection when this closed */
} fixture_t;

static void on_closed(struct evhttp_connection *connection, void *context) {
    (void)connection;
    fixture_t *fixture = context;
    fixture->closed = true;
    fixture->attached =
        fixture->request != NULL && evhttp_request_get_connection(fixture->request) != NULL;
}

static void on_soon(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    fixture_t *fixture = context;
    bufferevent_getcb(fixture->bufferevent, NULL, NULL, NULL, &fixture->argument);
}

static struct bufferevent *on_accept(struct event_base *base, void *context) {
    fixture_t *fixture = context;
    fixture->bufferevent = bufferevent_socket_new(base, -1, 0);
    event_active(fixture->soon, EV_TIMEOUT, 1);
    return fixture->bufferevent;
}

static void on_complete(struct evhttp_request *request, void *context) {
    (void)request;
    ((fixture_t *)context)->completed++;
}

static void on_request(struct evhttp_request *request, void *context) {
    fixture_t *fixture = context;
    fixture->request = request;
    fixture->requests++;
    evhttp_request_set_on_complete_cb(request, on_complete, fixture);
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_closed, fixture);
}

static bool has_request(const void *context) {
    return ((const fixture_t *)context)->request != NULL;
}

static bool has_argument(const void *context) {
    return ((const fixture_t *)context)->argument != NULL;
}

static bool has_closed(const void *context) {
    return ((const fixture_t *)context)->closed;
}

static bool has_completed(const void *context) {
    return ((const fixture_t *)context)->completed > 0;
}

static int set_up(void **state) {
    fixture_t *fixture = calloc(1, sizeof *fixture);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    *state = fixture;
    fixture->base = event_base_new();
    fixture->http = evhttp_new(fixture->base);
    fixture->soon = event_new(fixture->base, -1, 0, on_soon, fixture);
    evhttp_set_bevcb(fixture->http, on_accept, fixture);
    evhttp_set_gencb(fixture->http, on_request, fixture);
    struct evhttp_bound_socket *bound =
        evhttp_bind_socket_with_handle(fixture->http, "127.0.0.1", 0);
    assert_non_null(bound);
    assert_int_equal(
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &size), 0);
    fixture->client = http_client_connect(ntohs(address.sin_port));
    return fixture->client >= 0 ? 0 : -1;
}

static int tear_down(void **state) {
    fixture_t *fixture = *state;
    if (fixture->http != NULL) {
        evhttp_free(fixture->http);
    }
    event_free(fixture->soon);
    event_base_free(fixture->base);
    close(fixture->client);
    free(fixture);
    return 0;
}

static void receive(fixture_t *fixture) {
    fixture->request = NULL;
    assert_true(http_client_send(fixture->client, REQUEST));
    assert_true(http_client_turn(fixture->base, has_request, fixture));
}

static void time_out(const fixture_t *fixture) {
    bufferevent_trigger_event(fixture->bufferevent, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
}

static void the_argument_of_its_callbacks_is_the_connection(void **state) {
    fixture_t *fixture = *state;
    EXPECT(http_client_turn(fixture->base, has_argument, fixture),
           "it sets no callbacks on the bufferevent of a connection; greet() in "
           "http/connections.c finds the connection by them");
    EXPECT(fixture->requests == 0, "a request can come before greet() in http/connections.c");
    receive(fixture);
    struct evhttp_connection *connection = evhttp_request_get_connection(fixture->request);
    EXPECT(fixture->argument == connection, "the argument of its callbacks is not the connection, "
                                            "but greet() in http/connections.c relies on that");
    EXPECT(evhttp_connection_get_bufferevent(connection) == fixture->bufferevent,
           "a connection has a bufferevent other than the one from evhttp_set_bevcb's callback; "
           "on_request() in http/connections.c finds it by its descriptor");
    evhttp_send_reply(fixture->request, 204, "No Content", NULL);
}

static void a_triggered_time_out_frees_a_connection(void **state) {
    fixture_t *fixture = *state;
    receive(fixture);
    evhttp_send_reply(fixture->request, 204, "No Content", NULL);
    assert_true(http_client_turn(fixture->base, has_completed, fixture));
    fixture->request = NULL;
    time_out(fixture);
    EXPECT(http_client_turn(fixture->base, has_closed, fixture),
           "a time-out that is triggered does not close the connection; end() in http/ending.c "
           "closes it so");
}

static void a_request_outlives_its_connection(void **state) {
    fixture_t *fixture = *state;
    receive(fixture);
    time_out(fixture);
    EXPECT(http_client_turn(fixture->base, has_closed, fixture),
           "an unanswered connection cannot be closed; end() in http/ending.c does so");
    EXPECT(!fixture->attached,
           "it frees an unanswered request with its connection; keep_request() in "
           "http/connections.c leaves it to its owner");
    evhttp_send_reply(fixture->request, 204, "No Content", NULL); /* frees the request: otherwise
                                                                   * ASan would report a leak */
}

static void a_request_ends_with_the_server(void **state) {
    fixture_t *fixture = *state;
    receive(fixture);
    evhttp_free(fixture->http);
    fixture->http = NULL;
    EXPECT(fixture->closed && fixture->attached,
           "evhttp_free() no longer frees unanswered requests, but keep_request() in "
           "http/connections.c relies on that");
}

static void an_answer_may_be_written_by_hand(void **state) {
    fixture_t *fixture = *state;
    char answer[512];
    receive(fixture);
    evhttp_send_reply(fixture->request, 204, "No Content", NULL);
    struct evbuffer *output = bufferevent_get_output(fixture->bufferevent);
    evbuffer_unfreeze(output, 1);
    evbuffer_write(output, bufferevent_getfd(fixture->bufferevent));
    evbuffer_freeze(output, 1);
    EXPECT(evbuffer_get_length(output) == 0,
           "an answer is not whole in the output buffer; write_now() in http/request.c writes it");
    bufferevent_trigger(fixture->bufferevent, EV_WRITE, 0);
    EXPECT(http_client_turn(fixture->base, has_completed, fixture),
           "it does not notice that the answer was written, but write_now() in http/request.c "
           "relies on that");
    http_client_read(fixture->client, answer, sizeof answer);
    assert_int_equal(strncmp(answer, "HTTP/1.1 204 ", 13), 0);
    receive(fixture);
    evhttp_send_reply(fixture->request, 204, "No Content", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_argument_of_its_callbacks_is_the_connection, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_triggered_time_out_frees_a_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_outlives_its_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_ends_with_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_may_be_written_by_hand, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
