/* State that the parts of the consumer share: consumer.c (taking partitions and giving them back),
 * lanes.c (its connections), completeness.c (whether everything is consumed). */
#ifndef IR_BROKER_CONSUMER_STATE_H
#define IR_BROKER_CONSUMER_STATE_H

#include "broker/consumer.h"
#include "broker/link.h"
#include "broker/partition.h"
#include "broker/partition_set.h"
#include "broker/presence.h"
#include "broker/queue_trial.h"

#define IR_LANE_PARTITIONS                                                                         \
    16 /* channels of one connection, half of what ingest/rabbitmq.py allows */
#define IR_LANES_MAX ((IR_PARTITIONS_MAX + IR_LANE_PARTITIONS - 1) / IR_LANE_PARTITIONS)

typedef struct ir_consumer ir_consumer_t;

/* One connection, with a channel for each of its partitions. */
typedef struct ir_consumer_lane {
    ir_consumer_t *consumer;
    ir_link_t *link;
    unsigned first, count; /* its partitions */
    int64_t up_ns;         /* when the connection was established; 0: it is down */
    unsigned breaks;       /* number of consecutive breaks by a protocol error soon after
                            * connecting */
} ir_consumer_lane_t;

struct ir_consumer {
    ir_consumer_options_t options;
    ir_transport_events_t events;
    void *context;
    struct event_base *base;
    ir_consumer_lane_t lanes[IR_LANES_MAX];
    unsigned n_lanes;
    ir_consumer_lane_t
        *apart[IR_PARTITIONS_MAX]; /* for each partition: its own connection, or NULL */
    ir_presence_t *presence;
    ir_queue_trial_t *trial;
    struct event *tick;
    bool stopping, paused;
    bool declared;        /* whether the first connection, which declares the topology, was ever
                           * established */
    bool keeps_timestamp; /* whether the broker keeps the property timestamp of senders */
    unsigned passed;      /* deliveries passed on in this turn */
    int64_t turn_ns;      /* when the turn of the loop began */
    int64_t complete_ns;  /* when all were last consumed; 0: not on this connection */
    bool was_ready;
    uint64_t losses, missing;
    ir_error_t loss; /* the latest loss */
    int64_t warned_ns;
    int64_t twin_ns; /* when a worker of the same name was last reported */
    unsigned tried;  /* the partition whose queue was tried last */
    unsigned n_partitions;
    ir_partition_t partitions[];
};

/* ---- consumer.c ---- */

/* Acquires and gives back partitions until this worker holds those assigned to it. */
void ir_consumer_turn(ir_consumer_t *consumer);

void ir_consumer_warn(const ir_consumer_t *consumer, const char *text);

/* Counts the loss of a partition, and logs a warning unless it has just logged one. */
void ir_consumer_lost(ir_consumer_t *consumer, const ir_partition_t *partition,
                      const ir_error_t *error);

/* ---- lanes.c ---- */

ir_status_t ir_lanes_open(ir_consumer_t *consumer, ir_error_t *error);
void ir_lanes_close(ir_consumer_t *consumer);
void ir_lanes_pause(ir_consumer_t *consumer);
void ir_lanes_resume(ir_consumer_t *consumer);

/* The connection that carries the partition. */
ir_link_t *ir_lanes_link(const ir_consumer_t *consumer, const ir_partition_t *partition);

/* Returns the maximum number of unacknowledged messages of the partition: a small number while its
 * queue is suspected. */
uint16_t ir_lanes_prefetch(const ir_consumer_t *consumer, const ir_partition_t *partition);

/* Whether all connections are up. */
bool ir_consumer_connected(const ir_consumer_t *consumer);

uint64_t ir_consumer_reconnects(const ir_consumer_t *consumer);

/* ---- completeness.c ---- */

/* The partitions that this worker consumes. */
ir_partition_set_t ir_completeness_held(const ir_consumer_t *consumer);

/* Records whether every partition is consumed, and reports the first such moment to the owner. */
void ir_completeness_watch(ir_consumer_t *consumer, int64_t now_ns);

/* See broker/transport.h. Once all partitions have been held, a partition that changes hands for a
 * moment (two announcements, at least two seconds) does not count as missing. */
bool ir_consumer_ready(const ir_consumer_t *consumer, ir_buffer_t *reasons);

unsigned ir_consumer_partitions(const ir_consumer_t *consumer); /* held at present */
unsigned ir_consumer_share(const ir_consumer_t *consumer);      /* this worker's own */
unsigned ir_consumer_unserved(const ir_consumer_t *consumer);   /* perhaps not consumed */

#endif
