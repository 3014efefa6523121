/* Being one of the workers: announces this one on the exchange ir.workers, hears the others, and
 * says which partitions are this worker's. Loop thread only.
 *
 * An announcement is a message "join NAME" or "leave NAME". Its routing key, which a fanout
 * exchange passes over, says which process it is and what it consumes: 16 hexadecimal digits that
 * differ for each process, a space, and the set of partitions (broker/partition_set.h). Versions
 * that knew only the text leave the key empty and pass over it.
 *
 * It also looks after the exchanges, queues and bindings (broker/watch.h): each worker after those
 * of its partitions, and the one that has partition 0 after what they share.
 *
 * It has a connection of its own: RabbitMQ stops reading a connection that publishes while a memory
 * or disk alarm lasts, and on the consumer's that would hold back the acknowledgements which could
 * end it. It is also read while the consumer pauses. */
#ifndef IR_BROKER_PRESENCE_H
#define IR_BROKER_PRESENCE_H

#include "broker/connection.h"
#include "broker/partition_set.h"
#include "broker/topology.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
typedef struct ir_presence ir_presence_t;

typedef struct ir_presence_events {
    /* The partitions may be others now: the set of workers changed and a moment has passed. */
    void (*change)(void *context);
    /* Others cannot be heard at present; the partitions stay as they are. */
    void (*fault)(void *context, const ir_error_t *error);
    /* An exchange or queue was missing, `what` says which; it is made again. */
    void (*missing)(void *context, const char *what);
    /* Missing ones cannot be made, or looked for. */
    void (*refused)(void *context, const ir_error_t *error);
    /* Another process announces itself by this worker's name. */
    void (*twin)(void *context);
    /* A broker took a message of `partition` aside; `what` is the beginning of its routing key. */
    void (*set_aside)(void *context, unsigned partition, ir_view_t what);
} ir_presence_events_t;

typedef struct ir_presence_options {
    ir_broker_options_t broker;
    const ir_topology_t *topology; /* not copied */
    const char *name;              /* as in ir_membership_new; not copied */
    int64_t announce_ns; /* between announcements; who was not heard for four of them is gone */
} ir_presence_options_t;

ir_status_t ir_presence_open(struct event_base *base, const ir_presence_options_t *options,
                             const ir_presence_events_t *events, void *context,
                             ir_presence_t **presence, ir_error_t *error);

/* False until this worker has listened for a moment after its start: nobody's then. */
bool ir_presence_owns(const ir_presence_t *presence, unsigned partition);

/* What this worker consumes; the others are told soon when it is something else than before. */
void ir_presence_hold(ir_presence_t *presence, const ir_partition_set_t *held);

/* Whether another worker says that it consumes `partition`. */
bool ir_presence_serves(const ir_presence_t *presence, unsigned partition);

/* NULL when others are heard; else why not. */
const char *ir_presence_fault(const ir_presence_t *presence);

/* How many workers there are, this one included. */
size_t ir_presence_workers(const ir_presence_t *presence);

/* Asks the brokers to take aside what they cannot deliver from the head of the partition's queue
 * (ingest/take-aside.erl): the message "aside N" to the exchange of the workers. They answer "took
 * N KEY" for each message. */
void ir_presence_ask_aside(ir_presence_t *presence, unsigned partition);

/* Tells the others that this worker takes part no more, and is silent from then on. */
void ir_presence_leave(ir_presence_t *presence);

/* Closes within the time-out. Takes NULL. */
void ir_presence_close(ir_presence_t *presence);

#endif
