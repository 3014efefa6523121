/* The source of the worker's messages: a table of functions, and the events that it calls. The
 * worker knows nothing else about it. RabbitMQ is behind ir_transport_amqp (broker/consumer.h).
 *
 * The messages are in partitions, each in order. The worker holds a partition for a session.
 * Messages that it has not acknowledged when the session ends are delivered again, before anything
 * newer, with `redelivered`, to this worker in a later session or to another worker.
 *
 * All functions and all events: loop thread only. Events come from the loop, never from within a
 * function. An event may call any function but `close`. */
#ifndef IR_BROKER_TRANSPORT_H
#define IR_BROKER_TRANSPORT_H

#include "broker/partition_set.h"
#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

/* The views are valid during the call. */
typedef struct ir_delivery {
    uint32_t partition; /* below IR_PARTITIONS_MAX */
    uint32_t session;   /* increases each time the partition is acquired; never 0 */
    uint64_t tag;       /* increases within a session */
    bool redelivered;   /* it may have been delivered before */
    ir_view_t routing_key;
    ir_view_t content_type;
    ir_view_t body;
    ir_view_t name;     /* the sender's name for it (message-id); empty: none */
    int64_t arrival_ns; /* the arrival, stamped by the broker or a trusted user; 0: no stamp */
    int64_t sent_ns;    /* the sender's property `timestamp`: the base of relative times; 0: none */
} ir_delivery_t;

/* Functions other than on_delivery may be NULL. */
typedef struct ir_transport_events {
    void (*on_delivery)(void *context, const ir_delivery_t *delivery);
    /* Called after the last delivery of one turn of the loop: a moment to pass a batch on. */
    void (*on_turn)(void *context);
    /* Called in place of on_delivery for a message that is too large. The transport dead-letters
     * it; it must not be acknowledged. `body` is empty. */
    void (*on_oversize)(void *context, const ir_delivery_t *delivery, uint64_t size);
    /* The connection was made (`why` is NULL), or is down, and why. For logs and /readyz. */
    void (*on_state)(void *context, const ir_error_t *why);
    /* Called once, when every partition is consumed for the first time, by this worker or
     * another. */
    void (*on_ready)(void *context);
    /* Something is lost while the connection is up: a partition, or contact with the other workers.
     * A lasting condition is reported again every ten seconds. */
    void (*on_warning)(void *context, const char *text);
    /* An undeliverable message of this worker's partition was taken aside; `key` is its routing key
     * as legible text. */
    void (*on_set_aside)(void *context, unsigned partition, ir_view_t key);
} ir_transport_events_t;

/* Figures for metrics and logs. */
typedef struct ir_transport_figures {
    bool connected;      /* all connections are up */
    unsigned partitions; /* held at present */
    unsigned share;      /* this worker's own */
    unsigned unserved;   /* partitions without a known consumer */
    size_t workers;      /* number of workers that share the partitions, including this one */
    uint64_t losses;     /* lost partitions, and partitions that did not answer */
    uint64_t missing;    /* queues and exchanges that were missing and were re-created */
    uint64_t reconnects;
} ir_transport_figures_t;

/* All are required. `stream` is the object that `open` made. */
typedef struct ir_transport {
    /* Starts connecting at once. `options` are those of the transport. */
    ir_status_t (*open)(struct event_base *base, const void *options,
                        const ir_transport_events_t *events, void *context, void **stream,
                        ir_error_t *error);

    /* Does not wait for acknowledgements. NULL is allowed. */
    void (*close)(void *stream);

    /* Back-pressure: no deliveries until resumed, not even the rest of this turn. */
    void (*pause)(void *stream);
    void (*resume)(void *stream);

    /* Acknowledges all deliveries of the partition up to and including `tag`; `count` is their
     * number. With count 0 it acknowledges only the delivery `tag`. Does nothing when `session` has
     * ended: those messages are delivered again. */
    void (*acknowledge)(void *stream, uint32_t partition, uint32_t session, uint64_t tag,
                        uint32_t count);

    /* Whether arriving messages are consumed: by this worker, which holds its share of the
     * partitions, or by another that can be heard. Appends the reasons, one per line. */
    bool (*ready)(const void *stream, ir_buffer_t *reasons);

    void (*figures)(const void *stream, ir_transport_figures_t *figures);

    /* Ends deliveries permanently, and announces to the other workers that this one leaves.
     * Acknowledgements are still accepted. */
    void (*stop)(void *stream);
} ir_transport_t;

#endif
