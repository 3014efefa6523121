/* One partition as this worker holds it: a channel, its consumer, what is unacknowledged. A state
 * machine that sends without waiting and takes the answers as frames; functions that send return
 * the library's status. Loop thread only.
 *
 * It is never cancelled, always given back by closing the channel: after basic.cancel the next
 * single active consumer would get new messages before those that are still to be returned (seen
 * with quorum and classic queues of RabbitMQ 3.10), after channel.close it gets the returned ones
 * first and in order. */
#ifndef IR_BROKER_PARTITION_H
#define IR_BROKER_PARTITION_H

#include "broker/assembly.h"
#include "broker/rabbitmq_c.h"
#include "broker/topology.h"
#include "common/backoff.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_partition_state {
    IR_PARTITION_FREE,     /* not held; not taken before `due_ns` */
    IR_PARTITION_OPENING,  /* asked for; the broker has not said consume-ok yet */
    IR_PARTITION_HELD,     /* consumed; whether it is the active one only deliveries tell */
    IR_PARTITION_DRAINING, /* given up: passes nothing on, waits for acknowledgements */
    IR_PARTITION_CLOSING   /* channel.close is sent; close-ok makes it free */
} ir_partition_state_t;

typedef struct ir_partition {
    ir_partition_state_t state;
    unsigned number;
    amqp_channel_t channel;
    uint32_t session;
    bool open;            /* the channel is: open-ok has come, and no channel.close since */
    bool wanted;          /* this worker is the one for it */
    bool missing;         /* the queue was not there: declared again with the next taking */
    bool suspect;         /* its queue did not answer: not to be taken before it is cleared */
    uint64_t outstanding; /* passed on, not acknowledged */
    int64_t asked_ns;     /* when OPENING or CLOSING began */
    int64_t due_ns;
    unsigned failures; /* losses since it was last held */
    ir_backoff_t backoff;
    ir_assembly_t assembly;
} ir_partition_t;

/* What a frame came to. */
typedef enum ir_partition_event {
    IR_PARTITION_NOTHING,
    IR_PARTITION_OPENED,
    IR_PARTITION_DELIVERY, /* `message` is to be passed on, and counted by ir_partition_passed */
    IR_PARTITION_OVERSIZE, /* `message` was too large; it is to be rejected */
    IR_PARTITION_LOST,     /* the server closed the channel or cancelled; `error` says why */
    IR_PARTITION_BROKEN    /* the whole connection is of no use any more; `error` says why */
} ir_partition_event_t;

/* `channel`: of whatever connection it is given to. */
void ir_partition_init(ir_partition_t *partition, unsigned number, amqp_channel_t channel);
void ir_partition_free(ir_partition_t *partition);

/* The connection is gone, and the channel with it. When it was OPENING, the queue is suspected: one
 * that does not answer may be why. */
void ir_partition_reset(ir_partition_t *partition);

/* FREE → OPENING with a new session. */
int ir_partition_take(ir_partition_t *partition, amqp_connection_state_t connection,
                      const ir_topology_t *topology, uint16_t prefetch, int64_t now_ns);

/* OPENING, HELD → DRAINING, → CLOSING once nothing is outstanding. */
int ir_partition_give(ir_partition_t *partition, amqp_connection_state_t connection,
                      int64_t now_ns);

/* OPENING → CLOSING, CLOSING → CLOSING: the broker did not answer in time. A queue that was asked
 * is suspected from now on. */
int ir_partition_give_up(ir_partition_t *partition, amqp_connection_state_t connection,
                         int64_t now_ns);

/* A trial of the suspected queue is over: it answered, and may be taken at once; or it did not, and
 * waits for the next trial until `due_ns`. */
void ir_partition_judge(ir_partition_t *partition, bool answered, int64_t now_ns);

/* `limit`: the largest body kept. */
ir_partition_event_t ir_partition_frame(ir_partition_t *partition,
                                        amqp_connection_state_t connection,
                                        const amqp_frame_t *frame, uint64_t limit, int64_t now_ns,
                                        ir_assembled_t *message, ir_error_t *error);

static inline void ir_partition_passed(ir_partition_t *partition) {
    partition->outstanding++;
}

/* Acknowledges up to `tag`, which are `count` messages, or with 0 this one alone; goes on with a
 * hand-over that waited for it. */
int ir_partition_acknowledge(ir_partition_t *partition, amqp_connection_state_t connection,
                             uint64_t tag, uint32_t count, int64_t now_ns);

/* Rejects one message, which the broker dead-letters. */
int ir_partition_reject(ir_partition_t *partition, amqp_connection_state_t connection,
                        uint64_t tag);

#endif
