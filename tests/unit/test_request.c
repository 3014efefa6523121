/* Requests of the HTTP server as the programs see them: their content, answers that come later, and
 * connections that close before the answer. */
#include "http/connections.h"
#include "http/listener.h"
#include "tests/unit/http_client.h"

#include <event2/buffer.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define POST                                                                                       \
    "POST /v1/things%20?a=1&b HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-one: 2\r\n"                     \
    "Content-Length: 4\r\n\r\nbody"
#define GET "GET /other HTTP/1.0\r\n\r\n"

typedef struct fixture {
    struct event_base *base;
    ir_connections_t *connections;
    ir_request_t *request;
    int client;
} fixture_t;

static void on_request(ir_request_t *request, void *context) {
    ((fixture_t *)context)->request = request;
}

static bool has_request(const void *context) {
    return ((const fixture_t *)context)->request != NULL;
}

static bool has_none(const void *context) {
    return ir_connections_count(((const fixture_t *)context)->connections) == 0;
}

static bool is_quiet(const void *context) {
    return ir_connections_quiet(((const fixture_t *)context)->connections);
}

/* Makes an event base like the gateway's, with a change list. */
static struct event_base *new_base(void) {
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static int open_server(void **state, int64_t answer_ns) {
    fixture_t *fixture = calloc(1, sizeof *fixture);
    char where[IR_WHERE_SIZE];
    ir_error_t error;
    const ir_connections_options_t options = {.address = "127.0.0.1:0",
                                              .bounds = {.most = 4,
                                                         .header_lines = 32,
                                                         .header_bytes = 8192,
                                                         .body_bytes = 1024,
                                                         .memory_bytes = 65536,
                                                         .header_ns = HTTP_CLIENT_WAIT_NS,
                                                         .body_ns = HTTP_CLIENT_WAIT_NS,
                                                         .idle_ns = HTTP_CLIENT_WAIT_NS,
                                                         .answer_ns = answer_ns},
                                              .on_request = on_request,
                                              .context = fixture};
    *state = fixture;
    fixture->base = new_base();
    assert_int_equal(ir_connections_open(fixture->base, &options, &fixture->connections, &error),
                     IR_OK);
    ir_connections_where(fixture->connections, where, sizeof where);
    fixture->client = http_client_connect((uint16_t)atoi(strrchr(where, ':') + 1));
    return fixture->client >= 0 ? 0 : -1;
}

static int set_up(void **state) {
    return open_server(state, HTTP_CLIENT_WAIT_NS);
}

static int set_up_hasty(void **state) {
    return open_server(state, 0);
}

static int tear_down(void **state) {
    fixture_t *fixture = *state;
    ir_connections_free(fixture->connections);
    event_base_free(fixture->base);
    close(fixture->client);
    free(fixture);
    return 0;
}

static ir_request_t *receive(fixture_t *fixture, const char *text) {
    fixture->request = NULL;
    assert_true(http_client_send(fixture->client, text));
    assert_true(http_client_turn(fixture->base, has_request, fixture));
    return fixture->request;
}

static void a_request_tells_what_was_sent(void **state) {
    fixture_t *fixture = *state;
    ir_request_t *request = receive(fixture, POST);
    assert_int_equal(ir_request_method(request), IR_METHOD_POST);
    assert_string_equal(ir_request_path(request), "/v1/things%20");
    assert_string_equal(ir_request_query(request), "a=1&b");
    assert_false(ir_request_is_1_0(request));
    assert_string_equal(ir_request_header(request, "X-ONE"), "1");
    assert_int_equal(ir_request_count_headers(request, "X-One"), 2);
    assert_null(ir_request_header(request, "X-Two"));
    assert_int_equal(ir_request_count_headers(request, "X-Two"), 0);
    assert_string_equal(ir_request_peer(request), "127.0.0.1");
    assert_int_equal(evbuffer_get_length(ir_request_body(request)), 4);
    ir_request_release(request);
    assert_int_equal(evbuffer_get_length(ir_request_body(request)), 0);
    ir_request_answer(request, 204, NULL, ir_view(NULL, 0), false);
    assert_true(http_client_turn(fixture->base, is_quiet, fixture));
    request = receive(fixture, GET);
    assert_int_equal(ir_request_method(request), IR_METHOD_GET);
    assert_null(ir_request_query(request));
    assert_true(ir_request_is_1_0(request));
    ir_request_answer(request, 204, NULL, ir_view(NULL, 0), true);
}

static void an_answer_may_come_later(void **state) {
    fixture_t *fixture = *state;
    char answer[512];
    ir_request_t *request = receive(fixture, POST);
    assert_false(ir_connections_quiet(fixture->connections));
    http_client_read(fixture->client, answer, sizeof answer);
    assert_string_equal(answer, "");
    ir_request_set_header(request, "X-Answer", "yes");
    ir_request_answer(request, 202, "text/plain", ir_view_text("done\n"), true);
    assert_true(http_client_turn(fixture->base, has_none, fixture));
    http_client_read(fixture->client, answer, sizeof answer);
    assert_int_equal(strncmp(answer, "HTTP/1.1 202 Accepted\r\n", 23), 0);
    assert_non_null(strstr(answer, "X-Answer: yes\r\n"));
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\ndone\n"));
}

static void a_request_outlives_its_connection(void **state) {
    fixture_t *fixture = *state;
    ir_request_t *request = receive(fixture, POST);
    assert_true(http_client_turn(fixture->base, has_none, fixture));
    assert_null(ir_request_peer(request));
    assert_string_equal(ir_request_header(request, "X-One"), "1");
    assert_true(ir_connections_quiet(fixture->connections));
    ir_request_release(request);
    ir_request_answer(request, 202, "text/plain", ir_view_text("done\n"), false);
}

/* The address sanitizer detects leaks and double frees. */
static void requests_end_with_the_server(void **state) {
    receive(*state, POST);
}

static void requests_without_connection_end_with_the_server(void **state) {
    fixture_t *fixture = *state;
    receive(fixture, POST);
    assert_true(http_client_turn(fixture->base, has_none, fixture));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_tells_what_was_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_may_come_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_outlives_its_connection, set_up_hasty, tear_down),
        cmocka_unit_test_setup_teardown(requests_end_with_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_without_connection_end_with_the_server,
                                        set_up_hasty, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
