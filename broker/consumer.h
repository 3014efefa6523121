/* Consuming on the event loop: one channel for each partition held, up to 16 on a connection, since
 * RabbitMQ allows a connection few; membership on a connection of its own. Reconnects by itself
 * with back-off, declares the topology, restores qos and consumers, drives heartbeats also while
 * paused. Loop thread only.
 *
 * Handing a partition over keeps order: messages of it that were delivered after the decision are
 * not passed on, those passed on are waited for, and only then the partition's channel is closed,
 * which returns what is left to the queue's head and lets the next single active consumer begin. A
 * worker that goes on running begins this only when another one has subscribed, so that a partition
 * is never without a consumer meanwhile, nor given to a worker that cannot take it.
 *
 * A message that RabbitMQ cannot deliver (a routing key over 255 bytes, taken by MQTT) breaks the
 * connection again and again. After two such breaks each partition gets a connection of its own, so
 * that the others go on; the one that still breaks is left to the brokers, which take the message
 * aside (ingest/take-aside.erl).
 *
 * A queue that does not answer costs its own partition only: after the broker's time-out its
 * channel is given up, and it is taken again when a trial on another connection was answered. */
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
    const char *trusted_users; /* separated by commas: their header ir-arrival counts */
    uint16_t prefetch;         /* unacknowledged messages of one partition */
    size_t message_bytes; /* larger bodies are not read into memory: rejected to the dead-letter
                             exchange by the broker, and on_oversize is called */
    int64_t announce_ns;  /* interval of membership announcements; expiry is 4 × */
    unsigned turn; /* deliveries handled in one turn of the loop, which lasts 20 ms at most */
} ir_consumer_options_t;

/* Views live during the call. */
typedef struct ir_delivery {
    uint32_t partition;
    uint32_t session; /* counts up each time a partition is taken anew, never 0 */
    uint64_t tag;
    bool redelivered;
    ir_view_t routing_key;
    ir_view_t content_type;
    ir_view_t body;
    ir_view_t name; /* the sender's own name for it (message-id); empty: none */
    int64_t
        arrival_ns;  /* when it arrived, as the broker or a trusted user stamped it; 0: no stamp */
    int64_t sent_ns; /* the sender's property `timestamp`: the base of relative times; 0: none */
} ir_delivery_t;

typedef struct ir_consumer_events {
    void (*on_delivery)(void *context, const ir_delivery_t *delivery);
    /* After the last delivery of one turn of the loop (a moment to send a batch on). */
    void (*on_turn)(void *context);
    void (*on_oversize)(void *context, const ir_delivery_t *delivery, uint64_t size);
    /* connected or not, with the reason in `text`; for logs and /readyz */
    void (*on_state)(void *context, bool connected, const char *text);
    /* Every partition is consumed, by this worker or another one: the first time. */
    void (*on_ready)(void *context);
    /* Something is lost while the connection stands: a partition, the other workers. What goes on
     * is told again every ten seconds. */
    void (*on_warning)(void *context, const char *text);
} ir_consumer_events_t;

/* Starts connecting at once; events come from the loop. */
ir_status_t ir_consumer_open(struct event_base *base, const ir_consumer_options_t *options,
                             const ir_consumer_events_t *events, void *context,
                             ir_consumer_t **consumer, ir_error_t *error);

/* Back-pressure: no more deliveries are passed on until resumed (the socket is left unread,
 * prefetch bounds what waits; heartbeats go on). */
void ir_consumer_pause(ir_consumer_t *consumer);
void ir_consumer_resume(ir_consumer_t *consumer);

/* Acknowledges all deliveries of the partition up to and including `tag` (one frame): `count` is
 * how many these are; with 0 only the delivery `tag` itself. Nothing happens when `session` is
 * over: those messages come again. */
void ir_consumer_acknowledge(ir_consumer_t *consumer, uint32_t partition, uint32_t session,
                             uint64_t tag, uint32_t count);

/* All its connections stand. */
bool ir_consumer_connected(const ir_consumer_t *consumer);

/* Whether what arrives now is consumed: the other workers can be heard, this one holds its share of
 * the partitions, and for each of the rest another worker says that it holds it. Partitions that
 * change hands for a moment (two announcements, at least two seconds) do not count once all were
 * held. Appends why not, a line each. */
bool ir_consumer_ready(const ir_consumer_t *consumer, ir_buffer_t *reasons);

unsigned ir_consumer_partitions(const ir_consumer_t *consumer); /* held at present */
unsigned ir_consumer_share(const ir_consumer_t *consumer);      /* this worker's own */
unsigned ir_consumer_unserved(const ir_consumer_t *consumer);   /* nobody is known to consume */
uint64_t ir_consumer_losses(const ir_consumer_t *consumer);     /* of partitions, or no answer */
uint64_t ir_consumer_set_aside(const ir_consumer_t *consumer);  /* messages of its partitions */
uint64_t ir_consumer_missing(const ir_consumer_t *consumer);    /* objects that were made again */
size_t ir_consumer_workers(const ir_consumer_t *consumer);
uint64_t ir_consumer_reconnects(const ir_consumer_t *consumer);

/* Stops passing on deliveries for good and says goodbye to the other workers; acknowledgements
 * still go out. */
void ir_consumer_stop(ir_consumer_t *consumer);

/* Closes within the broker's time-out. Takes NULL. */
void ir_consumer_close(ir_consumer_t *consumer);

#endif
