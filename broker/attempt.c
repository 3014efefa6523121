#include "broker/attempt.h"

#include <sys/socket.h>

void ir_attempt_init(ir_attempt_t *attempt) {
    *attempt = (ir_attempt_t){.fd = -1};
    pthread_mutex_init(&attempt->lock, NULL);
}

void ir_attempt_destroy(ir_attempt_t *attempt) {
    pthread_mutex_destroy(&attempt->lock);
}

void ir_attempt_cancel(ir_attempt_t *attempt) {
    pthread_mutex_lock(&attempt->lock);
    attempt->cancelled = true;
    if (attempt->fd >= 0) {
        (void)shutdown(attempt->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&attempt->lock);
}

bool ir_attempt_use(ir_attempt_t *attempt, int fd) {
    if (attempt == NULL) {
        return true;
    }
    pthread_mutex_lock(&attempt->lock);
    attempt->fd = fd;
    const bool goes_on = !attempt->cancelled;
    pthread_mutex_unlock(&attempt->lock);
    return goes_on;
}
