#include "common/ring.h"

#include "common/clock.h"
#include "common/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Only whole batches pass through a ring, at most a few hundred per second. For that a mutex is
 * fast enough, and simple. */
struct ir_ring {
    pthread_mutex_t lock;
    pthread_cond_t pushed;
    size_t capacity, first, count;
    bool closed;
    int fd;
    void *items[];
};

ir_ring_t *ir_ring_new(size_t capacity, bool with_eventfd) {
    ir_ring_t *ring = calloc(1, sizeof *ring + capacity * sizeof ring->items[0]);
    if (ring == NULL) {
        return NULL;
    }
    ring->fd = with_eventfd ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
    if (with_eventfd && ring->fd < 0) {
        free(ring);
        return NULL;
    }
    ir_thread_init_condition(&ring->lock, &ring->pushed);
    ring->capacity = capacity;
    return ring;
}

void ir_ring_free(ir_ring_t *ring) {
    if (ring == NULL) {
        return;
    }
    if (ring->fd >= 0) {
        close(ring->fd);
    }
    pthread_cond_destroy(&ring->pushed);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

int ir_ring_fd(const ir_ring_t *ring) {
    return ring->fd;
}

void ir_ring_acknowledge(ir_ring_t *ring) {
    uint64_t count = 0;
    (void)!read(ring->fd, &count, sizeof count);
}

bool ir_ring_push(ir_ring_t *ring, void *item) {
    pthread_mutex_lock(&ring->lock);
    const bool room = !ring->closed && ring->count < ring->capacity;
    const bool first = ring->count == 0;
    if (room) {
        ring->items[(ring->first + ring->count) % ring->capacity] = item;
        ring->count++;
        pthread_cond_signal(&ring->pushed);
    }
    pthread_mutex_unlock(&ring->lock);
    if (room && first && ring->fd >= 0) {
        const uint64_t one = 1;
        (void)!write(ring->fd, &one, sizeof one);
    }
    return room;
}

/* Call with the lock held. */
static void *take(ir_ring_t *ring) {
    if (ring->count == 0) {
        return NULL;
    }
    void *item = ring->items[ring->first];
    ring->first = (ring->first + 1) % ring->capacity;
    ring->count--;
    return item;
}

void *ir_ring_pop(ir_ring_t *ring) {
    pthread_mutex_lock(&ring->lock);
    void *item = take(ring);
    pthread_mutex_unlock(&ring->lock);
    return item;
}

void *ir_ring_peek(ir_ring_t *ring) {
    pthread_mutex_lock(&ring->lock);
    void *item = ring->count > 0 ? ring->items[ring->first] : NULL;
    pthread_mutex_unlock(&ring->lock);
    return item;
}

void *ir_ring_wait(ir_ring_t *ring, int64_t timeout_ns) {
    const int64_t until = ir_clock_monotonic() + timeout_ns;
    const struct timespec deadline = {.tv_sec = until / IR_SECOND_NS,
                                      .tv_nsec = until % IR_SECOND_NS};
    pthread_mutex_lock(&ring->lock);
    int waited = 0;
    while (ring->count == 0 && !ring->closed && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&ring->pushed, &ring->lock, &deadline);
    }
    void *item = take(ring);
    pthread_mutex_unlock(&ring->lock);
    return item;
}

void ir_ring_close(ir_ring_t *ring) {
    pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    pthread_cond_broadcast(&ring->pushed);
    pthread_mutex_unlock(&ring->lock);
}

/* The ring is const here although the lock changes: the lock is not part of the ring's value. */
bool ir_ring_closed(const ir_ring_t *ring) {
    ir_ring_t *locked = (ir_ring_t *)ring;
    pthread_mutex_lock(&locked->lock);
    const bool closed = locked->closed;
    pthread_mutex_unlock(&locked->lock);
    return closed;
}

size_t ir_ring_count(const ir_ring_t *ring) {
    ir_ring_t *locked = (ir_ring_t *)ring;
    pthread_mutex_lock(&locked->lock);
    const size_t count = locked->count;
    pthread_mutex_unlock(&locked->lock);
    return count;
}
