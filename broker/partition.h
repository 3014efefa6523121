/* One partition held by this worker: a channel, its consumer, and the unacknowledged messages. A
 * state machine that sends without waiting and receives the answers as frames. Functions that send
 * return the library's status. Loop thread only.
 *
 * A partition is always given back by closing the channel, never by basic.cancel. After
 * basic.cancel the next single active consumer would get new messages before those that are still
 * to be returned (observed with quorum and classic queues of RabbitMQ 3.10). After channel.close it
 * gets the returned ones first, in order. */
#ifndef IR_BROKER_PARTITION_H
#define IR_BROKER_PARTITION_H

#include "broker/assembly.h"
#include "broker/rabbitmq_c.h"
#include "broker/topology.h"
#include "common/backoff.h"
#include "common/invariant.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ir_partition_state {
    IR_PARTITION_FREE,     /* not held; is not acquired again before `due_ns` */
    IR_PARTITION_OPENING,  /* the consumer was requested; consume-ok has not arrived yet */
    IR_PARTITION_HELD,     /* consumed; only deliveries show whether it is the active consumer */
    IR_PARTITION_DRAINING, /* being given back: passes nothing on, waits for acknowledgements */
    IR_PARTITION_CLOSING   /* channel.close was sent; close-ok makes it FREE */
} ir_partition_state_t;

typedef struct ir_partition {
    ir_partition_state_t state;
    unsigned number;
    amqp_channel_t channel;
    uint32_t session;
    bool open;            /* open-ok has arrived, and no channel.close since then */
    bool wanted;          /* assigned to this worker */
    bool missing;         /* the queue did not exist: declare it again at the next attempt */
    bool suspect;         /* the queue did not answer; a trial must succeed first */
    uint64_t outstanding; /* messages passed on but not acknowledged */
    int64_t asked_ns;     /* when it became OPENING or CLOSING */
    int64_t due_ns;
    unsigned failures; /* how often the partition was lost since it was last held */
    ir_backoff_t backoff;
    ir_assembly_t assembly;
} ir_partition_t;

/* The result of a frame. */
typedef enum ir_partition_event {
    IR_PARTITION_NOTHING,
    IR_PARTITION_OPENED,
    IR_PARTITION_DELIVERY, /* pass `message` on, then call ir_partition_passed */
    IR_PARTITION_OVERSIZE, /* `message` was too large; reject it */
    IR_PARTITION_LOST,     /* the server closed the channel or cancelled the consumer; `error` says
                            * why */
    IR_PARTITION_BROKEN    /* the whole connection can no longer be used; `error` says why */
} ir_partition_event_t;

/* `channel`: the number of its channel; the partition's connection may change, the number does
 * not. */
void ir_partition_init(ir_partition_t *partition, unsigned number, amqp_channel_t channel);
void ir_partition_free(ir_partition_t *partition);

/* The connection is gone, and the channel with it. If the partition was OPENING, its queue is
 * suspected, because a queue that does not answer may be the cause. */
void ir_partition_reset(ir_partition_t *partition);

/* FREE → OPENING with a new session. */
int ir_partition_take(ir_partition_t *partition, amqp_connection_state_t connection,
                      const ir_topology_t *topology, uint16_t prefetch, int64_t now_ns);

/* OPENING or HELD → DRAINING, and → CLOSING once nothing is outstanding. */
int ir_partition_give(ir_partition_t *partition, amqp_connection_state_t connection,
                      int64_t now_ns);

/* OPENING or CLOSING → CLOSING: the broker did not answer in time. If the queue was asked, it is
 * suspected from now on. */
int ir_partition_give_up(ir_partition_t *partition, amqp_connection_state_t connection,
                         int64_t now_ns);

/* A trial of the suspected queue has ended. If it answered, the partition may be acquired at once;
 * otherwise it waits until `due_ns` for the next trial. */
void ir_partition_judge(ir_partition_t *partition, bool answered, int64_t now_ns);

/* `limit`: the largest body to keep. */
ir_partition_event_t ir_partition_frame(ir_partition_t *partition,
                                        amqp_connection_state_t connection,
                                        const amqp_frame_t *frame, uint64_t limit, int64_t now_ns,
                                        ir_assembled_t *message, ir_error_t *error);

static inline void ir_partition_passed(ir_partition_t *partition) {
    IR_INVARIANT(partition->state == IR_PARTITION_HELD || partition->state == IR_PARTITION_OPENING);
    partition->outstanding++;
}

/* Acknowledges `count` messages up to `tag`, or, with count 0, only the message `tag`. `count` must
 * not exceed the number outstanding. Continues a hand-over that waited for this. */
int ir_partition_acknowledge(ir_partition_t *partition, amqp_connection_state_t connection,
                             uint64_t tag, uint32_t count, int64_t now_ns);

/* Rejects one message; the broker dead-letters it. */
int ir_partition_reject(ir_partition_t *partition, amqp_connection_state_t connection,
                        uint64_t tag);

#endif
