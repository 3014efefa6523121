#include "store/documents/probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static bool connects(const struct addrinfo *address, int timeout_ms) {
    const int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    int failure = 0;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        struct pollfd waiting = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof failure;
        failure = errno;
        if (failure == EINPROGRESS && poll(&waiting, 1, timeout_ms) == 1) {
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
        }
    }
    close(fd);
    return failure == 0;
}

bool ir_probe_tcp(const char *host, int port, int timeout_ms) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &addresses) != 0) {
        return false;
    }
    bool found = false;
    for (const struct addrinfo *a = addresses; a != NULL && !found; a = a->ai_next) {
        found = connects(a, timeout_ms);
    }
    freeaddrinfo(addresses);
    return found;
}
