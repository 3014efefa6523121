/* Checks that the user has all permissions that a worker needs, without using them: the broker
 * checks permissions before arguments, so it is asked for things that it must refuse. Blocking
 * calls; one thread. */
#ifndef IR_BROKER_RIGHTS_H
#define IR_BROKER_RIGHTS_H

#include "broker/topology.h"
#include "common/status.h"

#include <stdbool.h>

/* Uses its own channels and closes them again. IR_ERR_AUTH says what is refused and which
 * permissions are needed. IR_ERR_REFUSED: an object exists with other settings. With *complete
 * false, objects are missing; a worker declares them at its start, and whether it may is not known
 * then. The check changes nothing, except that it makes the queue for listening to other workers,
 * which goes with the connection. */
ir_status_t ir_rights_check(ir_connection_t *connection, const ir_topology_t *topology,
                            bool *complete, ir_error_t *error);

#endif
