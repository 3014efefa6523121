/* Looks every second whether the exchanges, queues and bindings are there, and makes those again
 * that are not: without ir.observations motes that speak MQTT would be told that what they sent is
 * taken, without ir.processed no worker would end a batch. On a channel of its own, whose frames
 * the owner passes on; sends without waiting. Loop thread only.
 *
 * Looking costs one small method an object, and no answer. Only when the broker closes the channel
 * because something is missing, each is asked for alone, so that the answer names it.
 * Nobody can see over AMQP whether a binding is there; bindings are made again each time, in turns
 * when they are many, which changes nothing when they are. */
#ifndef IR_BROKER_WATCH_H
#define IR_BROKER_WATCH_H

#include "broker/partition_set.h"
#include "broker/topology.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_watch_state {
    IR_WATCH_CLOSED,
    IR_WATCH_OPENING, /* channel.open is sent */
    IR_WATCH_LOOKING, /* what is missing closes the channel */
    IR_WATCH_ASKING   /* `answered` of the objects asked for are there */
} ir_watch_state_t;

#define IR_WATCH_OBJECTS_MAX (IR_PARTITIONS_MAX + 8)

typedef struct ir_watch {
    const ir_topology_t *topology;
    ir_watch_state_t state;
    int64_t turned_ns;     /* when it looked last */
    int64_t not_before_ns; /* after a refusal */
    ir_partition_set_t
        mine; /* whose queues are looked after; with partition 0, all that is shared */
    unsigned asked, answered; /* ASKING: places in the list of what is looked after */
    int64_t asked_ns;         /* when all that was asked for was there last */
    unsigned next_binding;
    bool doubtful; /* something is missing: ask, instead of looking */
    bool unbound;  /* ir.observations was made again: all its bindings are gone, not only ours */
    bool missing[IR_WATCH_OBJECTS_MAX]; /* is made with the next asking */
} ir_watch_t;

/* What a frame came to. */
typedef enum ir_watch_event {
    IR_WATCH_NOTHING,
    IR_WATCH_MISSING, /* `text` says what; it is made again */
    IR_WATCH_REFUSED, /* `error` says why; tried again later */
    IR_WATCH_BROKEN   /* sending failed; `library_status` */
} ir_watch_event_t;

typedef struct ir_watch_news {
    char text[64];
    ir_error_t error;
    int library_status;
} ir_watch_news_t;

void ir_watch_init(ir_watch_t *watch, const ir_topology_t *topology);

/* The connection is gone, and the channel with it. */
void ir_watch_reset(ir_watch_t *watch);

/* To be called several times a second; `mine` are the partitions that are this worker's. Returns
 * the library's status. */
int ir_watch_turn(ir_watch_t *watch, amqp_connection_state_t connection, amqp_channel_t channel,
                  const ir_partition_set_t *mine, int64_t now_ns);

/* A method of its channel. */
ir_watch_event_t ir_watch_method(ir_watch_t *watch, amqp_connection_state_t connection,
                                 amqp_channel_t channel, const amqp_method_t *method,
                                 int64_t now_ns, ir_watch_news_t *news);

#endif
