/* Applies revisions to the observations they revise before these are written. For output that is
 * not a stream: it keeps all batches in memory. One thread at a time. */
#ifndef IR_ANNOTATION_REVISION_MERGE_H
#define IR_ANNOTATION_REVISION_MERGE_H

#include "observation/batch.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_revision_merge ir_revision_merge_t;

/* Returns NULL when memory is exhausted. */
ir_revision_merge_t *ir_revision_merge_new(void);
/* Frees it and the batches. NULL is allowed. */
void ir_revision_merge_free(ir_revision_merge_t *merge);

/* Takes ownership of a checked batch, even on failure, and applies its revisions to it and to the
 * earlier batches. Returns false when memory is exhausted. */
bool ir_revision_merge_add(ir_revision_merge_t *merge, ir_batch_t *batch);

/* Returns the batches in the order in which they were added. */
ir_batch_t *const *ir_revision_merge_batches(const ir_revision_merge_t *merge, size_t *count);

#endif
