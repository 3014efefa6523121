/* Applies revisions to the observations they revise before these are written. For output that is
 * not a stream: it keeps all batches in memory. One thread at a time. */
#ifndef IR_ANNOTATION_HINDSIGHT_H
#define IR_ANNOTATION_HINDSIGHT_H

#include "observation/batch.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_hindsight ir_hindsight_t;

/* Returns NULL when memory is exhausted. */
ir_hindsight_t *ir_hindsight_new(void);
/* Also frees the batches. NULL is allowed. */
void ir_hindsight_free(ir_hindsight_t *hindsight);

/* Takes ownership of a checked batch, even on failure, and applies its revisions to it and to the
 * earlier batches. Returns false when memory is exhausted. */
bool ir_hindsight_add(ir_hindsight_t *hindsight, ir_batch_t *batch);

/* Returns the batches in the order in which they were added. */
ir_batch_t *const *ir_hindsight_batches(const ir_hindsight_t *hindsight, size_t *count);

#endif
