/* The HTTP endpoint over a real socket, and the lines that it logs. */
#include "common/log.h"
#include "http/endpoint.h"

#include <event2/event.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/socket.h>

#define ANSWER_SIZE 65536
#define CLIENT_SECONDS 15 /* longer than the endpoint waits for a complete request */

typedef struct fixture {
    struct event_base *base;
    ir_metrics_t *metrics;
    ir_metric_t *refreshed;
    ir_endpoint_t *endpoint;
    bool ready;
    const char *request;
    char answer[ANSWER_SIZE];
    int ended[2]; /* a pipe, to which the client thread writes when it has finished */
} fixture_t;

static uint16_t port_of(const ir_endpoint_t *endpoint) {
    return (uint16_t)atoi(strrchr(ir_endpoint_address(endpoint), ':') + 1);
}

static bool is_ready(void *context, ir_buffer_t *reasons) {
    const fixture_t *fixture = context;
    if (!fixture->ready) {
        ir_buffer_append_text(reasons, "graph: away\n");
    }
    return fixture->ready;
}

static void refresh(void *context) {
    ir_metric_increase(((fixture_t *)context)->refreshed, 1);
}

static int set_up(void **state) {
    fixture_t *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    fixture->base = event_base_new();
    fixture->metrics = ir_metrics_new();
    fixture->refreshed =
        ir_metrics_add(fixture->metrics, IR_METRIC_COUNTER, "refreshed_total", NULL, "Times.");
    ir_error_t error;
    return ir_endpoint_open(fixture->base, "127.0.0.1:0", fixture->metrics, is_ready, refresh,
                            fixture, &fixture->endpoint, &error) == IR_OK
               ? 0
               : -1;
}

static int tear_down(void **state) {
    fixture_t *fixture = *state;
    ir_endpoint_free(fixture->endpoint);
    event_base_free(fixture->base);
    ir_metrics_free(fixture->metrics);
    free(fixture);
    return 0;
}

/* The client runs in another thread. When it has finished, it ends the loop through the pipe. */
static void *ask(void *context) {
    fixture_t *fixture = context;
    const struct timeval bound = {.tv_sec = CLIENT_SECONDS};
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(port_of(fixture->endpoint)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t size = 0;
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound) == 0 &&
        connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
        const size_t length = strlen(fixture->request);
        ssize_t got = send(fd, fixture->request, length, MSG_NOSIGNAL);
        while (got > 0 && size < ANSWER_SIZE - 1) {
            got = recv(fd, fixture->answer + size, ANSWER_SIZE - 1 - size, 0);
            size += got > 0 ? (size_t)got : 0;
        }
    }
    close(fd);
    return write(fixture->ended[1], "", 1) == 1 ? NULL : context;
}

static void on_ended(evutil_socket_t fd, short what, void *base) {
    (void)fd;
    (void)what;
    event_base_loopbreak(base);
}

static const char *get(fixture_t *fixture, const char *request) {
    pthread_t thread;
    fixture->request = request;
    memset(fixture->answer, 0, sizeof fixture->answer);
    assert_int_equal(pipe(fixture->ended), 0);
    event_base_once(fixture->base, fixture->ended[0], EV_READ, on_ended, fixture->base, NULL);
    assert_int_equal(pthread_create(&thread, NULL, ask, fixture), 0);
    event_base_dispatch(fixture->base);
    pthread_join(thread, NULL);
    close(fixture->ended[0]);
    close(fixture->ended[1]);
    return fixture->answer;
}

#define REQUEST(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void health(void **state) {
    const char *answer = get(*state, REQUEST("/healthz"));
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
}

static void readiness(void **state) {
    fixture_t *fixture = *state;
    const char *answer = get(fixture, REQUEST("/readyz"));
    assert_non_null(strstr(answer, "HTTP/1.1 503"));
    assert_non_null(strstr(answer, "\r\n\r\ngraph: away\n"));
    fixture->ready = true;
    answer = get(fixture, REQUEST("/readyz"));
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_null(strstr(answer, "away"));
}

static void metrics(void **state) {
    const char *answer = get(*state, REQUEST("/metrics"));
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_non_null(strstr(answer, "text/plain; version=0.0.4"));
    assert_non_null(strstr(answer, "\nrefreshed_total 1\n"));
}

static double value_of(const char *text, const char *name) {
    char head[64];
    snprintf(head, sizeof head, "\n%s ", name);
    const char *found = strstr(text, head);
    assert_non_null(found);
    return atof(found + strlen(head));
}

static void metrics_tell_readiness_descriptors_and_clock(void **state) {
    fixture_t *fixture = *state;
    const char *answer = get(fixture, REQUEST("/metrics"));
    assert_true(value_of(answer, "ir_ready") == 0);
    assert_null(strstr(answer, "away"));
    const double open = value_of(answer, "process_open_fds");
    assert_true(open >= 3 && open < value_of(answer, "process_max_fds"));
    assert_true(value_of(answer, "ir_clock_seconds") >=
                value_of(answer, "process_start_time_seconds"));
    fixture->ready = true;
    int more[2];
    assert_int_equal(pipe(more), 0);
    answer = get(fixture, REQUEST("/metrics"));
    assert_true(value_of(answer, "ir_ready") == 1);
    assert_true(value_of(answer, "process_open_fds") == open + 2);
    close(more[0]);
    close(more[1]);
}

static void other_requests_are_refused(void **state) {
    assert_non_null(strstr(get(*state, REQUEST("/other")), "HTTP/1.1 404"));
    const char *answer = get(*state, "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                     "Content-Length: 0\r\n\r\n");
    assert_int_equal(strncmp(answer, "HTTP/1.1 ", 9), 0);
    assert_null(strstr(answer, "HTTP/1.1 200"));
    static char large[20000];
    snprintf(large, sizeof large, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: %015000d\r\n\r\n", 1);
    assert_null(strstr(get(*state, large), "HTTP/1.1 200"));
}

static void a_port_in_use_is_told(void **state) {
    fixture_t *fixture = *state;
    char address[32];
    snprintf(address, sizeof address, "%s", ir_endpoint_address(fixture->endpoint));
    ir_endpoint_t *second = NULL;
    ir_error_t error;
    assert_int_equal(ir_endpoint_open(fixture->base, address, fixture->metrics, NULL, NULL, NULL,
                                      &second, &error),
                     IR_ERR_IO);
    assert_non_null(strstr(error.text, address));
    assert_int_not_equal(ir_endpoint_open(fixture->base, "nonsense", fixture->metrics, NULL, NULL,
                                          NULL, &second, &error),
                         IR_OK);
    assert_non_null(strstr(error.text, "nonsense"));
}

/* ---- log ---- */

static void a_log_line_is_one_line(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const int before = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    ir_log_open("ir-test", IR_LOG_WARN);
    ir_log(IR_LOG_INFO, "left out");
    ir_log(IR_LOG_WARN, "one\ntwo %d", 3);
    int64_t last = 0;
    ir_log_limited(&last, INT64_C(3600000000000), IR_LOG_ERROR, "once");
    ir_log_limited(&last, INT64_C(3600000000000), IR_LOG_ERROR, "twice");
    dup2(before, STDERR_FILENO);
    close(before);
    close(ends[1]);
    char text[512] = "";
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_non_null(strstr(text, "Z ir-test warn: one\\x0atwo 3\n"));
    assert_non_null(strstr(text, "Z ir-test error: once\n"));
    assert_null(strstr(text, "left out"));
    assert_null(strstr(text, "twice"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(health, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readiness, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_tell_readiness_descriptors_and_clock, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_requests_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_port_in_use_is_told, set_up, tear_down),
        cmocka_unit_test(a_log_line_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
