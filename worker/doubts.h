/* The motes in doubt: a server refuses a message of theirs with an answer that proves nothing yet
 * (common/proof.h). From that message on all messages of the mote are set aside, by whichever stage
 * meets them first, until every one of them is settled: so the mote's messages keep their order,
 * and nobody else waits.
 *
 * Each stage calls `mark` before and `note` after it works on a batch, in the order of the batches;
 * the loop calls `settle` for each message whose proof is over. A mote is in doubt for as long as
 * any of its messages is set aside and not settled, so there are no more motes than messages under
 * way. Any thread; a batch is its owner's. While no mote is in doubt, nothing is locked and nothing
 * is looked at for each message. */
#ifndef IR_WORKER_DOUBTS_H
#define IR_WORKER_DOUBTS_H

#include "observation/batch.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_doubts ir_doubts_t;

/* NULL when memory is out. */
ir_doubts_t *ir_doubts_new(void);
void ir_doubts_free(ir_doubts_t *doubts);

/* Sets aside the messages of motes that are in doubt since an earlier batch. What is ahead of the
 * doubt, in a later stage, goes on. */
void ir_doubts_mark(ir_doubts_t *doubts, ir_batch_t *batch);

/* Motes whose messages were set aside meanwhile (ir_batch_set_aside) are in doubt from now on.
 * False when memory is out: call again. */
bool ir_doubts_note(ir_doubts_t *doubts, ir_batch_t *batch);

/* One of the mote's messages is durable or refused. True: it was the last, and the mote is in doubt
 * no longer. */
bool ir_doubts_settle(ir_doubts_t *doubts, ir_view_t mote);

size_t ir_doubts_motes(ir_doubts_t *doubts);
size_t ir_doubts_messages(ir_doubts_t *doubts); /* set aside and not settled */

#endif
