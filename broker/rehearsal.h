/* Whether the broker would take messages: they are published in a transaction that is rolled back,
 * on a connection of its own. Rights, exchange, size and properties are looked at, no queue gets
 * anything, and no reader sees it (RabbitMQ checks all of these before it looks at the
 * transaction). */
#ifndef IR_BROKER_REHEARSAL_H
#define IR_BROKER_REHEARSAL_H

#include "broker/publisher.h"

/* OK; REFUSED: the broker closed channel or connection over one of them; RETRY: it could not be
 * tried. `error` says why. Blocks, each step within the time-out. */
ir_outcome_t ir_rehearsal_run(const ir_broker_options_t *options,
                              const ir_publication_t *publications, size_t count,
                              ir_error_t *error);

#endif
