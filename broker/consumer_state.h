/* What the parts of the consumer share: consumer.c (what is taken and given back), lanes.c (its
 * connections), completeness.c (whether all is consumed). */
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

/* One of the connections, with a channel for each of its partitions. */
typedef struct ir_lane {
    ir_consumer_t *consumer;
    ir_link_t *link;
    unsigned first, count; /* its partitions */
    int64_t up_ns;         /* when it came up; 0: it is down */
    unsigned breaks;       /* in a row, each by a fault of the protocol soon after it came up */
} ir_lane_t;

struct ir_consumer {
    ir_consumer_options_t options;
    ir_consumer_events_t events;
    void *context;
    struct event_base *base;
    ir_lane_t lanes[IR_LANES_MAX];
    unsigned n_lanes;
    ir_lane_t *apart[IR_PARTITIONS_MAX]; /* by partition: those with a connection of their own */
    ir_presence_t *presence;
    ir_queue_trial_t *trial;
    struct event *tick;
    bool stopping, paused;
    bool declared;        /* the first connection was up, which declares the topology */
    bool keeps_timestamp; /* the broker leaves the senders' property timestamp as it is */
    unsigned passed;      /* deliveries of this turn */
    int64_t turn_ns;      /* when it began */
    int64_t complete_ns;  /* when all was consumed last; 0: not on this connection */
    bool was_ready;
    uint64_t losses, missing, set_aside;
    ir_error_t loss; /* the last one */
    int64_t warned_ns;
    int64_t twin_ns; /* when a worker of the same name was last told of */
    unsigned tried;  /* the partition whose queue was tried last */
    unsigned n_partitions;
    ir_partition_t partitions[];
};

/* ---- consumer.c ---- */

/* Brings what is held nearer to what is wanted. */
void ir_consumer_turn(ir_consumer_t *consumer);

void ir_consumer_warn(const ir_consumer_t *consumer, const char *text);

/* Counts a partition's loss, and warns of it unless that was done a moment ago. */
void ir_consumer_lost(ir_consumer_t *consumer, const ir_partition_t *partition,
                      const ir_error_t *error);

/* ---- lanes.c ---- */

ir_status_t ir_lanes_open(ir_consumer_t *consumer, ir_error_t *error);
void ir_lanes_close(ir_consumer_t *consumer);
void ir_lanes_pause(ir_consumer_t *consumer);
void ir_lanes_resume(ir_consumer_t *consumer);

/* The connection that carries the partition. */
ir_link_t *ir_lanes_link(const ir_consumer_t *consumer, const ir_partition_t *partition);

/* How many of its messages may be unacknowledged: few where its queue is under suspicion. */
uint16_t ir_lanes_prefetch(const ir_consumer_t *consumer, const ir_partition_t *partition);

/* ---- completeness.c ---- */

/* The partitions that this worker consumes. */
ir_partition_set_t ir_completeness_held(const ir_consumer_t *consumer);

/* Notes whether all is consumed; tells the owner the first time. */
void ir_completeness_watch(ir_consumer_t *consumer, int64_t now_ns);

#endif
