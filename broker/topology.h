/* Exchanges, queues and bindings (see docs/architecture.md):
 *   ir.observations  x-consistent-hash, durable ──► queues ir.observations.0 … P-1, weight "1"
 *   amq.topic ── ir.# ──► ir.observations   (MQTT topic ir/MOTE)
 *   ir.processed     topic, durable
 *   ir.rejected      fanout, durable ──► queue ir.rejected
 *   ir.workers       fanout: membership
 * The partitions' queues have x-single-active-consumer and dead-letter to ir.rejected. Quorum
 * queues do so at least once: a message leaves its partition only when it is in ir.rejected. That
 * requires x-overflow reject-publish, which a length limit set by policy should have here anyway:
 * it refuses new messages instead of dropping old ones. */
#ifndef IR_BROKER_TOPOLOGY_H
#define IR_BROKER_TOPOLOGY_H

#include "broker/connection.h"
#include "common/routing.h"
#include "common/status.h"

#include <stdint.h>

#define IR_EXCHANGE_OBSERVATIONS "ir.observations"
#define IR_EXCHANGE_PROCESSED "ir.processed"
#define IR_EXCHANGE_REJECTED "ir.rejected"
#define IR_EXCHANGE_WORKERS "ir.workers"
#define IR_EXCHANGE_MQTT "amq.topic"
#define IR_QUEUE_REJECTED "ir.rejected"

typedef enum ir_queue_type { IR_QUEUE_QUORUM, IR_QUEUE_CLASSIC } ir_queue_type_t;

typedef struct ir_topology {
    unsigned partitions; /* 1 … 256 */
    ir_queue_type_t queue_type;
} ir_topology_t;

/* Opens `channel` and declares everything; channel + 1 must be free meanwhile. Can be repeated. If
 * an object exists with other arguments, or there are more partitions than these, IR_ERR_REFUSED
 * says which and what to do, and the server closes the channel. */
ir_status_t ir_topology_declare(ir_connection_t *connection, uint16_t channel,
                                const ir_topology_t *topology, ir_error_t *error);

/* Only the check, which changes nothing: IR_ERR_REFUSED when there are more partitions than these.
 * `channel` must be free. */
ir_status_t ir_topology_check(ir_connection_t *connection, uint16_t channel,
                              const ir_topology_t *topology, ir_error_t *error);

/* Declares the queue and the binding of one partition without waiting for an answer. A refusal
 * closes the channel. Returns the library's status. */
int ir_topology_send_queue(ir_connection_t *connection, uint16_t channel,
                           const ir_topology_t *topology, unsigned partition);

/* The objects are numbered, for code that checks each of them: the exchanges, the queue
 * ir.rejected, the partitions' queues. Returns their number. */
unsigned ir_topology_objects(const ir_topology_t *topology);

/* The name of an object: "exchange ir.processed", "queue ir.observations.3". */
void ir_topology_object_show(unsigned object, char text[static 64]);

/* The partition whose owner maintains the object; 0 for shared objects. */
unsigned ir_topology_object_partition(unsigned object);

typedef enum ir_topology_ask {
    IR_TOPOLOGY_LOOK, /* passive declaration without an answer; but if the object is missing, the
                       * broker closes the channel */
    IR_TOPOLOGY_ASK,  /* passive declaration, answered by declare-ok or by closing the channel */
    IR_TOPOLOGY_MAKE  /* declares the object; answered in the same way */
} ir_topology_ask_t;

/* Send without waiting and return the library's status. A binding is made if missing, and answered
 * only by a refusal; objects without a binding are skipped. */
int ir_topology_send_object(ir_connection_t *connection, uint16_t channel,
                            const ir_topology_t *topology, unsigned object, ir_topology_ask_t ask);
int ir_topology_send_binding(ir_connection_t *connection, uint16_t channel, unsigned object);

/* Declares ir.workers and an exclusive queue on it, which is deleted with the connection. `queue`
 * is the name that the broker gave it. */
ir_status_t ir_topology_declare_member(ir_connection_t *connection, uint16_t channel,
                                       char queue[static 256], ir_error_t *error);

struct amqp_method_t_; /* librabbitmq's */

/* Like ir_broker_refusal (broker/replies.h); when permissions are missing, adds a hint which ones a
 * worker needs. */
ir_status_t ir_topology_refusal(const struct amqp_method_t_ *method, const char *what,
                                ir_error_t *error);

/* "ir.observations.N". */
void ir_topology_queue(unsigned partition, char name[static 32]);

#endif
