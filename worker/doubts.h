/* The motes in doubt. A server refused one of their messages with an answer that proves nothing yet
 * (common/proof.h). From that message on, the stage that meets a message of the mote first sets it
 * aside, until all of them are settled. So the mote's messages keep their order, and no other mote
 * has to wait.
 *
 * Each stage calls `mark` before it works on a batch and `note` afterwards, in the order of the
 * batches. The loop calls `settle` for each message whose proof has ended. A mote is in doubt while
 * any of its messages is set aside and not settled; so there are never more motes in doubt than
 * messages in progress. Any thread; a batch is used only by its owner. While no mote is in doubt,
 * nothing is locked and nothing is looked up per message. */
#ifndef IR_WORKER_DOUBTS_H
#define IR_WORKER_DOUBTS_H

#include "observation/batch.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_doubts ir_doubts_t;

/* Returns NULL when memory is exhausted. */
ir_doubts_t *ir_doubts_new(void);
void ir_doubts_free(ir_doubts_t *doubts);

/* Sets aside the batch's messages of motes that have been in doubt since an earlier batch. Earlier
 * messages of these motes, which are in later stages already, continue. */
void ir_doubts_mark(ir_doubts_t *doubts, ir_batch_t *batch);

/* Motes with messages that the stage set aside (ir_batch_set_aside) are in doubt from now on.
 * Returns false when memory is exhausted: call again. */
bool ir_doubts_note(ir_doubts_t *doubts, ir_batch_t *batch);

/* One of the mote's messages is durable or refused. Returns true when it was the last, so that the
 * mote is no longer in doubt. */
bool ir_doubts_settle(ir_doubts_t *doubts, ir_view_t mote);

size_t ir_doubts_motes(ir_doubts_t *doubts);
size_t ir_doubts_messages(ir_doubts_t *doubts); /* set aside and not settled */

#endif
