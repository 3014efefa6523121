/* Consumes on the event loop. Each held partition has a channel, with up to 16 channels on a
 * connection, because RabbitMQ allows few per connection. Membership has its own connection. The
 * consumer reconnects with back-off, declares the topology, restores qos and consumers, and drives
 * heartbeats even while paused. Loop thread only.
 *
 * Handing a partition over keeps order. Messages of it that are delivered after the decision are
 * not passed on; those already passed on are waited for. Only then is the partition's channel
 * closed. The broker returns the rest to the head of the queue and lets the next single active
 * consumer begin. A worker that keeps running starts this only when another worker has subscribed.
 * So a partition is never without a consumer, nor given to a worker that cannot take it.
 *
 * A message that RabbitMQ cannot deliver (a routing key over 255 bytes, accepted by MQTT) breaks
 * the connection again and again. After two such breaks each partition gets its own connection, so
 * that the others go on. The partition whose connection still breaks is left to the brokers, which
 * take the message aside (ingest/take-aside.erl).
 *
 * A queue that does not answer affects only its own partition. After the broker's time-out its
 * channel is given up. The partition is taken again when a trial on another connection was
 * answered. */
#ifndef IR_BROKER_CONSUMER_H
#define IR_BROKER_CONSUMER_H

#include "broker/connection.h"
#include "broker/topology.h"
#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
typedef struct ir_consumer ir_consumer_t;

typedef struct ir_consumer_options {
    ir_broker_options_t broker;
    ir_topology_t topology;
    const char *worker;        /* unique name of this worker */
    const char *trusted_users; /* separated by commas; their header ir-arrival counts */
    uint16_t prefetch;         /* limit of unacknowledged messages per partition */
    size_t message_bytes; /* larger bodies are not read into memory but rejected to the dead-letter
                             exchange by the broker, and on_oversize is called */
    int64_t announce_ns;  /* interval of membership announcements; expiry is 4 × */
    unsigned turn;        /* most deliveries in one turn of the loop, which lasts 20 ms at most */
} ir_consumer_options_t;

/* The views are valid during the call. */
typedef struct ir_delivery {
    uint32_t partition;
    uint32_t session; /* increases each time the partition is taken; never 0 */
    uint64_t tag;
    bool redelivered;
    ir_view_t routing_key;
    ir_view_t content_type;
    ir_view_t body;
    ir_view_t name;     /* the sender's name for it (message-id); empty: none */
    int64_t arrival_ns; /* the arrival, stamped by the broker or a trusted user; 0: no stamp */
    int64_t sent_ns;    /* the sender's property `timestamp`: the base of relative times; 0: none */
} ir_delivery_t;

typedef struct ir_consumer_events {
    void (*on_delivery)(void *context, const ir_delivery_t *delivery);
    /* Called after the last delivery of one turn of the loop: a moment to pass a batch on. */
    void (*on_turn)(void *context);
    void (*on_oversize)(void *context, const ir_delivery_t *delivery, uint64_t size);
    /* Connected (`why` is NULL); or not, and why. For logs and /readyz. */
    void (*on_state)(void *context, const ir_error_t *why);
    /* Called once, when every partition is consumed for the first time, by this worker or
     * another. */
    void (*on_ready)(void *context);
    /* Something is lost while the connection is up: a partition, or contact with the other workers.
     * A lasting condition is reported again every ten seconds. */
    void (*on_warning)(void *context, const char *text);
    /* The brokers have taken a message out of a partition of this worker that RabbitMQ cannot
     * deliver; `key` is the legible text of its routing key. */
    void (*on_set_aside)(void *context, unsigned partition, ir_view_t key);
} ir_consumer_events_t;

/* Starts connecting at once; events are delivered from the loop. */
ir_status_t ir_consumer_open(struct event_base *base, const ir_consumer_options_t *options,
                             const ir_consumer_events_t *events, void *context,
                             ir_consumer_t **consumer, ir_error_t *error);

/* Back-pressure: passes on no more deliveries until resumed. The socket is not read, prefetch
 * limits what waits, and heartbeats go on. */
void ir_consumer_pause(ir_consumer_t *consumer);
void ir_consumer_resume(ir_consumer_t *consumer);

/* Acknowledges all deliveries of the partition up to and including `tag` (one frame); `count` is
 * their number. With count 0 it acknowledges only the delivery `tag`. Does nothing when `session`
 * has ended: those messages are delivered again. */
void ir_consumer_acknowledge(ir_consumer_t *consumer, uint32_t partition, uint32_t session,
                             uint64_t tag, uint32_t count);

/* Whether all its connections are up. */
bool ir_consumer_connected(const ir_consumer_t *consumer);

/* Whether arriving messages are consumed: the other workers can be heard, this worker holds its
 * share of the partitions, and for each other partition a worker says that it holds it. Once all
 * were held, partitions that change hands for a moment (two announcements, at least two seconds) do
 * not count. Appends the reasons, one per line. */
bool ir_consumer_ready(const ir_consumer_t *consumer, ir_buffer_t *reasons);

unsigned ir_consumer_partitions(const ir_consumer_t *consumer); /* held at present */
unsigned ir_consumer_share(const ir_consumer_t *consumer);      /* this worker's own */
unsigned ir_consumer_unserved(const ir_consumer_t *consumer);   /* not known to be consumed */
uint64_t ir_consumer_losses(const ir_consumer_t *consumer);     /* lost partitions, or no answer */
uint64_t ir_consumer_missing(const ir_consumer_t *consumer);    /* objects made again */
size_t ir_consumer_workers(const ir_consumer_t *consumer);
uint64_t ir_consumer_reconnects(const ir_consumer_t *consumer);

/* Permanently stops passing on deliveries, and tells the other workers that this one leaves.
 * Acknowledgements are still sent. */
void ir_consumer_stop(ir_consumer_t *consumer);

/* Closes within the broker's time-out. NULL is allowed. */
void ir_consumer_close(ir_consumer_t *consumer);

#endif
