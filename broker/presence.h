/* Membership of this worker: announces it on the exchange ir.workers, listens to the others, and
 * says which partitions belong to this worker. Loop thread only.
 *
 * An announcement is a message "join NAME" or "leave NAME". A fanout exchange ignores the routing
 * key, so the key contains the process and what it consumes: 16 hexadecimal digits that differ for
 * each process, a space, and the set of partitions (broker/partition_set.h). Older versions, which
 * know only the text, leave the key empty and ignore it.
 *
 * It also maintains the exchanges, queues and bindings (broker/watch.h). Each worker maintains
 * those of its own partitions; the worker with partition 0 also maintains the shared ones.
 *
 * It uses a separate connection. During a memory or disk alarm RabbitMQ stops reading from
 * connections that publish. On the consumer's connection that would hold back the acknowledgements,
 * which could end the alarm. The separate connection is also read while the consumer pauses. */
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
    /* The set of workers has changed, so this worker's partitions may have changed, too. */
    void (*change)(void *context);
    /* The others cannot be heard at present. The partitions stay as they are. */
    void (*fault)(void *context, const ir_error_t *error);
    /* An exchange or queue (`what`) was missing and is being re-created. */
    void (*missing)(void *context, const char *what);
    /* Missing objects cannot be made, or cannot be checked. */
    void (*refused)(void *context, const ir_error_t *error);
    /* Another process announces itself with this worker's name. */
    void (*twin)(void *context);
    /* A broker took a message of `partition` aside; `what` is the start of its routing key. */
    void (*set_aside)(void *context, unsigned partition, ir_view_t what);
} ir_presence_events_t;

typedef struct ir_presence_options {
    ir_broker_options_t broker;
    const ir_topology_t *topology; /* not copied */
    const char *name;              /* as in ir_membership_new; not copied */
    int64_t announce_ns; /* interval; a worker that is silent for four intervals is gone */
} ir_presence_options_t;

ir_status_t ir_presence_open(struct event_base *base, const ir_presence_options_t *options,
                             const ir_presence_events_t *events, void *context,
                             ir_presence_t **presence, ir_error_t *error);

/* Whether `partition` belongs to this worker. Always false until it has listened for a moment after
 * its start. */
bool ir_presence_owns(const ir_presence_t *presence, unsigned partition);

/* Sets which partitions this worker consumes. A change is announced to the others soon. */
void ir_presence_hold(ir_presence_t *presence, const ir_partition_set_t *held);

/* Whether another worker says that it consumes `partition`. */
bool ir_presence_serves(const ir_presence_t *presence, unsigned partition);

/* NULL when the others can be heard; otherwise the reason why not. */
const char *ir_presence_fault(const ir_presence_t *presence);

/* The number of workers, including this one. */
size_t ir_presence_workers(const ir_presence_t *presence);

/* Asks the brokers to take aside undeliverable messages at the head of the partition's queue
 * (ingest/take-aside.erl): sends "aside N" to the exchange of the workers. The brokers answer "took
 * N KEY" for each message. */
void ir_presence_ask_aside(ir_presence_t *presence, unsigned partition);

/* Announces to the others that this worker leaves; sends nothing afterwards. */
void ir_presence_leave(ir_presence_t *presence);

/* Closes as ir_link_close does. NULL is allowed. */
void ir_presence_close(ir_presence_t *presence);

#endif
