#include "http/listener.h"

#include "common/messages.h"

#include <event2/http.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HOST_SIZE 256

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

const char *ir_listener_where(struct evhttp_bound_socket *bound, char *text, size_t size) {
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

/* Splits "HOST:PORT" or "[HOST]:PORT" into its parts. */
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
    if (!bracketed && strchr(address, ':') != colon) {
        return false;
    }
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
               : ir_error_set(error, IR_ERR_USAGE, IR_TEXT_LISTEN_ADDRESS, address);
}

ir_status_t ir_listener_check(const char *address, ir_error_t *error) {
    char host[HOST_SIZE];
    int port = 0;
    return read_address(address, host, &port, error);
}

ir_status_t ir_listener_bind(struct evhttp *http, const char *address,
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
