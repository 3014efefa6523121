/* Exchanges, queues and bindings (see docs/architecture.md):
 *   ir.observations  x-consistent-hash, durable ──► queues ir.observations.0 … P-1, weight "1"
 *   amq.topic ── ir.# ──► ir.observations   (MQTT topic ir/MOTE)
 *   ir.processed     topic, durable
 *   ir.rejected      fanout, durable ──► queue ir.rejected
 *   ir.workers       fanout: membership
 * The queues have x-single-active-consumer and dead-letter to ir.rejected. */
#ifndef IR_BROKER_TOPOLOGY_H
#define IR_BROKER_TOPOLOGY_H

#include "common/status.h"

#include <stdint.h>

#include <amqp.h>

#define IR_EXCHANGE_OBSERVATIONS "ir.observations"
#define IR_EXCHANGE_PROCESSED "ir.processed"
#define IR_EXCHANGE_REJECTED "ir.rejected"
#define IR_EXCHANGE_WORKERS "ir.workers"
#define IR_QUEUE_REJECTED "ir.rejected"
#define IR_ROUTING_PREFIX "ir."

typedef enum ir_queue_type { IR_QUEUE_QUORUM, IR_QUEUE_CLASSIC } ir_queue_type_t;

typedef struct ir_topology {
    unsigned partitions; /* 1 … 256 */
    ir_queue_type_t queue_type;
} ir_topology_t;

/* Declares all of it on `channel` (open). Repeatable; when something stands there with other
 * arguments the text says which and what to do, and the channel is closed by the server. */
ir_status_t ir_topology_declare(amqp_connection_state_t connection, amqp_channel_t channel,
                                const ir_topology_t *topology, ir_error_t *error);

/* "ir.observations.N". */
void ir_topology_queue(unsigned partition, char name[static 32]);

#endif
