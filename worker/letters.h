/* Dead letters: tells the exchange ir.rejected, with the reasons, what was refused of a batch. The
 * raw documents are the authority on that and ir.rejected has a bound, so a letter that the broker
 * nacks (the queue is full) is counted and left out when its message is in the documents; else it
 * is tried until it is taken. On a connection of its own, made with the first letter. One thread.
 */
#ifndef IR_WORKER_LETTERS_H
#define IR_WORKER_LETTERS_H

#include "broker/connection.h"
#include "observation/batch.h"
#include "worker/meters.h"

typedef struct ir_letters ir_letters_t;

/* `documented`: raw messages are kept. `meters` outlives it. NULL when memory is out. */
ir_letters_t *ir_letters_new(const ir_broker_options_t *broker, bool documented,
                             ir_meters_t *meters);
void ir_letters_free(ir_letters_t *letters);

/* One letter for every message with refusals that is not set aside, and waits until all are
 * answered for. OK or RETRY, which publishes all of them again. */
ir_outcome_t ir_letters_run(ir_letters_t *letters, const ir_batch_t *batch, ir_error_t *error);

void ir_letters_idle(ir_letters_t *letters);

#endif
