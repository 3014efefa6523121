/* A transport of the worker (broker/transport.h) without a broker: its queues are in memory. Sent
 * and unacknowledged messages stay there when a worker ends, so the next worker gets them. One
 * thread. */
#ifndef IR_TESTS_MEMORY_TRANSPORT_H
#define IR_TESTS_MEMORY_TRANSPORT_H

#include "broker/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_MEMORY_PARTITIONS 2
#define IR_MEMORY_MESSAGES 64 /* of a partition */

typedef struct ir_memory_message {
    const char *key, *body;
    int64_t arrival_ns;
    bool passed; /* in this session */
    bool redelivered;
    bool done; /* acknowledged, or too large */
} ir_memory_message_t;

/* The tag of a message is its position + 1. */
typedef struct ir_memory_queue {
    ir_memory_message_t messages[IR_MEMORY_MESSAGES];
    size_t count, next;
    uint32_t session;
} ir_memory_queue_t;

typedef struct ir_memory {
    ir_memory_queue_t queues[IR_MEMORY_PARTITIONS];
    size_t message_bytes;              /* larger bodies are refused */
    unsigned turn;                     /* maximum number of deliveries per turn of the loop */
    void (*after_turn)(void *context); /* called by each turn of the loop, for the test */
    void *after_turn_context;

    ir_transport_events_t events; /* set by the stream while it exists */
    void *context;
    struct event *tick;
    bool connected, paused, stopping;

    unsigned deliveries, redeliveries, oversize, pauses, resumes;
    unsigned stale; /* number of acknowledgements of sessions that had ended */
    bool wrong;     /* an acknowledgement covered messages that were never delivered */
} ir_memory_t;

/* Its options are a pointer to the ir_memory_t. */
extern const ir_transport_t ir_transport_memory;

/* Texts are not copied. */
void ir_memory_send(ir_memory_t *memory, unsigned partition, const char *key, const char *body,
                    int64_t arrival_ns);

/* Ends the partition's session and begins a new one, in which the unacknowledged messages are
 * delivered again. */
void ir_memory_renew(ir_memory_t *memory, unsigned partition);

/* The number of messages that are neither acknowledged nor refused. */
size_t ir_memory_left(const ir_memory_t *memory);

#endif
