/* Whether the user may do all that a worker does, found out without doing it: the broker looks at
 * the rights before it looks at the arguments, and is asked for what it must refuse. Blocking
 * calls; one thread. */
#ifndef IR_BROKER_RIGHTS_H
#define IR_BROKER_RIGHTS_H

#include "broker/topology.h"
#include "common/status.h"

#include <stdbool.h>

/* On channels of its own, which are closed again. IR_ERR_AUTH says what is refused and which rights
 * are wanted; IR_ERR_REFUSED that something stands there with other settings. With *complete false
 * objects are missing, which a worker declares at its start: whether it may is not known then. What
 * is asked changes nothing, but for the queue for hearing other workers, which goes with the
 * connection. */
ir_status_t ir_rights_check(amqp_connection_state_t connection, const ir_topology_t *topology,
                            bool *complete, ir_error_t *error);

#endif
