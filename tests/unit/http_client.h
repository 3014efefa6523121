/* An HTTP client in the same thread as the server: a socket, and functions that run the event loop
 * until a condition is true. */
#ifndef IR_TESTS_HTTP_CLIENT_H
#define IR_TESTS_HTTP_CLIENT_H

#include "common/clock.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_CLIENT_WAIT_NS (60 * IR_SECOND_NS)

static inline int http_client_connect(uint16_t port) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline bool http_client_send(int fd, const char *text) {
    return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* Returns everything that has arrived, as text. */
static inline void http_client_read(int fd, char *text, size_t size) {
    const ssize_t got = recv(fd, text, size - 1, MSG_DONTWAIT);
    text[got > 0 ? got : 0] = '\0';
}

/* Runs the event loop until the condition is true; returns false after a minute. */
static inline bool http_client_turn(struct event_base *base, bool (*is_so)(const void *context),
                                    const void *context) {
    const int64_t until_ns = ir_clock_monotonic() + HTTP_CLIENT_WAIT_NS;
    while (!is_so(context)) {
        if (ir_clock_monotonic() > until_ns) {
            return false;
        }
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    return true;
}

#endif
