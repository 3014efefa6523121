/* Finds out whether the broker would accept messages. It publishes them on a separate connection in
 * a transaction that is rolled back. RabbitMQ checks permissions, exchange, size and properties
 * before it looks at the transaction. No queue receives anything, and no reader sees it. */
#ifndef IR_BROKER_REHEARSAL_H
#define IR_BROKER_REHEARSAL_H

#include "broker/publisher.h"

/* OK. REFUSED: the broker closed channel or connection because of one of them. RETRY: it could not
 * be tried. `error` holds the reason. Blocks, each step at most for the time-out. */
ir_outcome_t ir_rehearsal_run(const ir_broker_options_t *options,
                              const ir_publication_t *publications, size_t count,
                              ir_error_t *error);

#endif
