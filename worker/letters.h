/* Dead letters: publishes the refused parts of a batch, with the reasons, to the exchange
 * ir.rejected. The raw documents are authoritative, and the queue ir.rejected is bounded. So if the
 * broker nacks a dead letter (the queue is full) and its message is in the documents, the dead
 * letter is counted and dropped. Otherwise it is retried until it is accepted. Uses a separate
 * connection, which is opened for the first dead letter. One thread. */
#ifndef IR_WORKER_LETTERS_H
#define IR_WORKER_LETTERS_H

#include "broker/connection.h"
#include "observation/batch.h"
#include "worker/meters.h"

typedef struct ir_letters ir_letters_t;

/* `documented`: the documents keep raw messages. `meters` must outlive it. Returns NULL when memory
 * is exhausted. */
ir_letters_t *ir_letters_new(const ir_broker_options_t *broker, bool documented,
                             ir_meters_t *meters);
void ir_letters_free(ir_letters_t *letters);

/* Publishes one dead letter for every message with refusals that is not set aside, and waits for
 * all answers. OK, or RETRY, after which all of them are republished. */
ir_outcome_t ir_letters_run(ir_letters_t *letters, const ir_batch_t *batch, ir_error_t *error);

void ir_letters_idle(ir_letters_t *letters);

#endif
