/* A bounded ring of pointers between threads: one producer, one consumer, with blocking and
 * non-blocking ends. Full and empty are ordinary answers. */
#ifndef IR_COMMON_RING_H
#define IR_COMMON_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_ring ir_ring_t;

/* Room for `capacity` pointers. With `with_eventfd` the ring has a descriptor that becomes readable
 * when something is pushed while it is empty, for an event loop at the consumer's end. NULL when
 * memory or descriptors are out. */
ir_ring_t *ir_ring_new(size_t capacity, bool with_eventfd);
void ir_ring_free(ir_ring_t *ring);

/* The eventfd, or -1. The consumer calls ir_ring_acknowledge before it pops until the ring is empty
 * (or comes back by itself to what it left). */
int ir_ring_fd(const ir_ring_t *ring);
void ir_ring_acknowledge(ir_ring_t *ring);

/* Producer. False when the ring is full or closed. `item` is not NULL. */
bool ir_ring_push(ir_ring_t *ring, void *item);

/* Consumer. NULL when it is empty. */
void *ir_ring_pop(ir_ring_t *ring);

/* Consumer. Waits at most `timeout_ns` for an item; NULL at the end of the wait, or at once when
 * the ring is closed and empty. */
void *ir_ring_wait(ir_ring_t *ring, int64_t timeout_ns);

/* No more pushes; a waiting consumer wakes. Any thread. */
void ir_ring_close(ir_ring_t *ring);
bool ir_ring_closed(const ir_ring_t *ring);

size_t ir_ring_count(const ir_ring_t *ring);

#endif
