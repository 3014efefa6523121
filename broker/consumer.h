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
 * A message that RabbitMQ cannot deliver (a routing key over 255 bytes, accepted over MQTT) breaks
 * the connection again and again. After two such breaks each partition gets its own connection, so
 * that the others continue. The partition whose connection still breaks is left to the brokers,
 * which take the message aside (ingest/take-aside.erl).
 *
 * A queue that does not answer affects only its own partition. After the broker's time-out its
 * channel is given up. The partition is consumed again after a trial on another connection was
 * answered. */
#ifndef IR_BROKER_CONSUMER_H
#define IR_BROKER_CONSUMER_H

#include "broker/connection.h"
#include "broker/topology.h"
#include "broker/transport.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ir_consumer_options {
    ir_broker_options_t broker;
    ir_topology_t topology;
    const char *worker;        /* unique name of this worker */
    const char *trusted_users; /* separated by commas; their header ir-arrival counts */
    uint16_t prefetch;         /* limit of unacknowledged messages per partition */
    size_t message_bytes; /* larger bodies are not read into memory but rejected to the dead-letter
                             exchange by the broker, and on_oversize is called */
    int64_t announce_ns;  /* interval of membership announcements; expiry is 4 × */
    unsigned turn;        /* maximum number of deliveries in one turn of the loop, which lasts at
                           * most 20 ms */
} ir_consumer_options_t;

/* The consumer as a transport; its options are an ir_consumer_options_t, whose texts it does not
 * copy. Closing takes at most the broker's time-out. */
extern const ir_transport_t ir_transport_amqp;

#endif
