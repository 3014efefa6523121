/* Checks every second that the exchanges, queues and bindings exist, and re-creates missing ones.
 * Without ir.observations, MQTT motes would get confirmations for messages that are lost; without
 * ir.processed, no worker could finish a batch. It uses its own channel, whose frames the owner
 * passes on, and sends without waiting. Loop thread only.
 *
 * A check costs one small method per object, and no answer. Only when the broker closes the
 * channel, because something is missing, each object is asked for alone, so that the answer names
 * it. AMQP cannot show whether a binding exists, so bindings are declared each time (in turns if
 * there are many), which changes nothing for those that exist. */
#ifndef IR_BROKER_WATCH_H
#define IR_BROKER_WATCH_H

#include "broker/partition_set.h"
#include "broker/rabbitmq_c.h"
#include "broker/topology.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_watch_state {
    IR_WATCH_CLOSED,
    IR_WATCH_OPENING, /* channel.open was sent */
    IR_WATCH_LOOKING, /* LOOKING: a missing object makes the broker close the channel */
    IR_WATCH_ASKING   /* ASKING: `answered` of the requested objects are known to exist */
} ir_watch_state_t;

#define IR_WATCH_OBJECTS_MAX (IR_PARTITIONS_MAX + 8)

typedef struct ir_watch {
    const ir_topology_t *topology;
    ir_watch_state_t state;
    int64_t turned_ns;     /* time of the last check */
    int64_t not_before_ns; /* earliest next request after a refusal */
    ir_partition_set_t
        mine; /* partitions whose queues are maintained; with partition 0, also shared objects */
    unsigned asked, answered; /* ASKING: positions in the list of maintained objects */
    int64_t asked_ns;         /* the last time at which all requested objects existed */
    unsigned next_binding;
    bool doubtful; /* something is missing: ask for each object */
    bool unbound;  /* ir.observations was re-created: all of its bindings are gone */
    bool missing[IR_WATCH_OBJECTS_MAX]; /* bindings to be made with the next request */
} ir_watch_t;

/* The result of a frame. */
typedef enum ir_watch_event {
    IR_WATCH_NOTHING,
    IR_WATCH_MISSING, /* `text` names the object; it is re-created */
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

/* Call several times a second. `mine` are this worker's partitions. Returns the library's
 * status. */
int ir_watch_turn(ir_watch_t *watch, amqp_connection_state_t connection, amqp_channel_t channel,
                  const ir_partition_set_t *mine, int64_t now_ns);

/* Processes a method of its channel. */
ir_watch_event_t ir_watch_method(ir_watch_t *watch, amqp_connection_state_t connection,
                                 amqp_channel_t channel, const amqp_method_t *method,
                                 int64_t now_ns, ir_watch_news_t *news);

#endif
