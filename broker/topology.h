/* Exchanges, queues and bindings (see docs/architecture.md):
 *   ir.observations  x-consistent-hash, durable ──► queues ir.observations.0 … P-1, weight "1"
 *   amq.topic ── ir.# ──► ir.observations   (MQTT topic ir/MOTE)
 *   ir.processed     topic, durable
 *   ir.rejected      fanout, durable ──► queue ir.rejected
 *   ir.workers       fanout: membership
 * The partitions' queues have x-single-active-consumer and dead-letter to ir.rejected: at least
 * once when they are quorum queues, so that a message leaves its partition only when it stands in
 * ir.rejected (that needs x-overflow reject-publish, which is also what a length limit set by
 * policy should do here: push back, not drop). */
#ifndef IR_BROKER_TOPOLOGY_H
#define IR_BROKER_TOPOLOGY_H

#include "broker/rabbitmq_c.h"
#include "common/status.h"

#include <stdint.h>

#define IR_EXCHANGE_OBSERVATIONS "ir.observations"
#define IR_EXCHANGE_PROCESSED "ir.processed"
#define IR_EXCHANGE_REJECTED "ir.rejected"
#define IR_EXCHANGE_WORKERS "ir.workers"
#define IR_EXCHANGE_MQTT "amq.topic"
#define IR_QUEUE_REJECTED "ir.rejected"
#define IR_ROUTING_PREFIX "ir."

typedef enum ir_queue_type { IR_QUEUE_QUORUM, IR_QUEUE_CLASSIC } ir_queue_type_t;

typedef struct ir_topology {
    unsigned partitions; /* 1 … 256 */
    ir_queue_type_t queue_type;
} ir_topology_t;

/* Declares all of it on `channel` (open); channel + 1 must be free for the moment. Repeatable. When
 * something stands there with other arguments, or more partitions than these, IR_ERR_REFUSED says
 * which and what to do, and the server closes the channel. */
ir_status_t ir_topology_declare(amqp_connection_state_t connection, amqp_channel_t channel,
                                const ir_topology_t *topology, ir_error_t *error);

/* Part of that, which changes nothing: IR_ERR_REFUSED when there are more partitions than these.
 * `channel` must be free. */
ir_status_t ir_topology_check(amqp_connection_state_t connection, amqp_channel_t channel,
                              const ir_topology_t *topology, ir_error_t *error);

/* Asks for one partition's queue and its binding without waiting for an answer; a refusal closes
 * the channel. Returns the library's status. */
int ir_topology_send_queue(amqp_connection_state_t connection, amqp_channel_t channel,
                           const ir_topology_t *topology, unsigned partition);

/* The objects by number, for those who look at each of them: the exchanges, the queue ir.rejected,
 * the partitions' queues. */
unsigned ir_topology_objects(const ir_topology_t *topology);

/* "exchange ir.processed", "queue ir.observations.3". */
void ir_topology_object_show(unsigned object, char text[static 64]);

/* The partition whose owner looks after it; 0 for what belongs to none. */
unsigned ir_topology_object_partition(unsigned object);

typedef enum ir_topology_ask {
    IR_TOPOLOGY_LOOK, /* passive; an answer comes only when it is missing: the channel is closed */
    IR_TOPOLOGY_ASK,  /* passive; answered by declare-ok, or the channel is closed */
    IR_TOPOLOGY_MAKE  /* declares it; answered likewise */
} ir_topology_ask_t;

/* Send without waiting and return the library's status. A binding is made if it is not there, and
 * answered only by a refusal; objects without one are passed over. */
int ir_topology_send_object(amqp_connection_state_t connection, amqp_channel_t channel,
                            const ir_topology_t *topology, unsigned object, ir_topology_ask_t ask);
int ir_topology_send_binding(amqp_connection_state_t connection, amqp_channel_t channel,
                             unsigned object);

/* Declares ir.workers and an exclusive queue on it that goes with the connection; `queue` is the
 * name that the broker gave it. */
ir_status_t ir_topology_declare_member(amqp_connection_state_t connection, amqp_channel_t channel,
                                       char queue[static 256], ir_error_t *error);

/* As ir_broker_refusal; a lack of rights comes with a hint which ones a worker needs. */
ir_status_t ir_topology_refusal(const amqp_method_t *method, const char *what, ir_error_t *error);

/* "ir.observations.N". */
void ir_topology_queue(unsigned partition, char name[static 32]);

#endif
