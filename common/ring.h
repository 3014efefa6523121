/* A bounded ring of pointers between two threads, one producer and one consumer. Both ends have
 * non-blocking calls; the consumer can also wait. Full and empty are normal results. */
#ifndef IR_COMMON_RING_H
#define IR_COMMON_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_ring ir_ring_t;

/* Makes a ring for `capacity` pointers. With `with_eventfd` it has a descriptor for the consumer's
 * event loop, which becomes readable when an item is pushed onto the empty ring. Returns NULL when
 * memory or descriptors are exhausted. */
ir_ring_t *ir_ring_new(size_t capacity, bool with_eventfd);
void ir_ring_free(ir_ring_t *ring);

/* The eventfd, or -1. The consumer calls ir_ring_acknowledge, then pops until the ring is empty. If
 * it stops earlier, it must return without being woken, because the items left cause no second
 * event. */
int ir_ring_fd(const ir_ring_t *ring);
void ir_ring_acknowledge(ir_ring_t *ring);

/* Producer. Returns false when the ring is full or closed. `item` must not be NULL. */
bool ir_ring_push(ir_ring_t *ring, void *item);

/* Consumer. Returns NULL when the ring is empty. */
void *ir_ring_pop(ir_ring_t *ring);

/* Consumer. Returns the item that ir_ring_pop would return, and leaves it in the ring. */
void *ir_ring_peek(ir_ring_t *ring);

/* Consumer. Waits at most `timeout_ns` for an item. Returns NULL after that time, or at once when
 * the ring is closed and empty. */
void *ir_ring_wait(ir_ring_t *ring, int64_t timeout_ns);

/* Accepts no more pushes and wakes a waiting consumer. Any thread. */
void ir_ring_close(ir_ring_t *ring);
bool ir_ring_closed(const ir_ring_t *ring);

size_t ir_ring_count(const ir_ring_t *ring);

#endif
