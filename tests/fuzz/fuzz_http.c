/* The bytes received on a connection of the gateway: HTTP with its limits, and the bodies of
 * requests. The client sends all its data, reads the answer, and closes; the server must then free
 * the connection soon. */
#include "http/connections.h"
#include "http/listener.h"
#include "ingest/proxies.h"
#include "ingest/submission.h"
#include "tests/fuzz/fuzz.h"

#include <event2/buffer.h>
#include <event2/event.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 100000
#define BODY_BYTES 65536
#define NOW_NS INT64_C(1400000000000000000)
#define FIXED ((size_t)2 * 1024 * 1024)
#define FACTOR 400
#define WAIT_NS INT64_C(60000000000)

static struct {
    struct event_base *base;
    ir_connections_t *connections;
    ir_submission_reader_t *reader;
    ir_proxies_t proxies;
    struct sockaddr_in address;
} server;

static void on_request(ir_request_t *request, void *context) {
    (void)context;
    struct evbuffer *body = ir_request_body(request);
    const size_t size = evbuffer_get_length(body);
    const ir_submission_input_t input = {
        .mote = "a",
        .content_type = ir_request_header(request, "Content-Type"),
        .content_encoding = ir_request_header(request, "Content-Encoding"),
        .idempotency_key = ir_request_header(request, "Idempotency-Key"),
        .body = ir_view(size > 0 ? (const char *)evbuffer_pullup(body, -1) : "", size),
        .arrival_ns = NOW_NS,
    };
    char client[64];
    ir_submission_t submission;
    ir_proxies_client(&server.proxies, "127.0.0.1", ir_request_header(request, "X-Forwarded-For"),
                      client, sizeof client);
    if (ir_submission_read(server.reader, &input, &submission) != IR_OK) {
        abort();
    }
    ir_request_release(request);
    ir_request_answer(request, submission.code, NULL, ir_view(NULL, 0), submission.code == 413);
}

static bool find_address(void) {
    char where[IR_WHERE_SIZE];
    unsigned port = 0;
    ir_connections_where(server.connections, where, sizeof where);
    server.address = (struct sockaddr_in){.sin_family = AF_INET};
    server.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (sscanf(where, "127.0.0.1:%u", &port) != 1) {
        return false;
    }
    server.address.sin_port = htons((uint16_t)port);
    return true;
}

static bool start(void) {
    static const ir_submission_limits_t limits = {
        .senml = {.bytes = BODY_BYTES, .depth = 16, .records = 1000, .future_ns = NOW_NS / 1000},
        .body_bytes = BODY_BYTES,
        .expanded_bytes = (size_t)4 * BODY_BYTES,
        .packs = 100};
    ir_error_t error;
    const ir_connections_options_t options = {.address = "127.0.0.1:0",
                                              .bounds = {.most = 16,
                                                         .header_lines = 32,
                                                         .header_bytes = 8192,
                                                         .body_bytes = BODY_BYTES,
                                                         .memory_bytes = (size_t)16 * BODY_BYTES,
                                                         .header_ns = WAIT_NS,
                                                         .body_ns = WAIT_NS,
                                                         .idle_ns = WAIT_NS,
                                                         .answer_ns = WAIT_NS},
                                              .on_request = on_request};
    server.base = event_base_new();
    server.reader = ir_submission_reader_new(&limits);
    return server.base != NULL && server.reader != NULL &&
           ir_proxies_parse("127.0.0.0/8", &server.proxies, &error) == IR_OK &&
           ir_connections_open(server.base, &options, &server.connections, &error) == IR_OK &&
           find_address();
}

/* Each client uses a different address, because the ports of closed connections stay reserved for a
 * while. */
static int connect_client(void) {
    static uint32_t number;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f010000 + number++ / 1000 % 0xf0000);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (const struct sockaddr *)&server.address, sizeof server.address) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        abort();
    }
    return fd;
}

/* Sends as much as the socket accepts. Returns false when all is sent or the peer has closed. */
static bool send_some(int fd, ir_view_t *rest) {
    const ssize_t sent = send(fd, rest->data, rest->size, MSG_NOSIGNAL);
    if (sent > 0) {
        *rest = ir_view(rest->data + sent, rest->size - (size_t)sent);
    }
    return sent > 0 && rest->size > 0;
}

static void talk(ir_view_t input) {
    char answer[4096];
    const int fd = connect_client();
    bool open = true;
    unsigned turns = 0;
    do {
        if (open && !send_some(fd, &input) && input.size == 0) {
            shutdown(fd, SHUT_WR);
            open = false;
        }
        while (recv(fd, answer, sizeof answer, 0) > 0) {
        }
        event_base_loop(server.base, EVLOOP_NONBLOCK);
        if (++turns == TURNS_MAX) {
            abort(); /* the server has not freed the connection */
        }
    } while (turns < 3 || ir_connections_count(server.connections) > 0);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (server.base == NULL && !start()) {
        abort();
    }
    fuzz_watch(FIXED, FACTOR, size);
    talk(fuzz_view(data, size));
    fuzz_unwatch();
    return 0;
}
