/* Puts revisions into the observations they are about, before these are written: for output that is
 * not a stream. Holds all batches given to it. One thread at a time. */
#ifndef IR_ANNOTATION_HINDSIGHT_H
#define IR_ANNOTATION_HINDSIGHT_H

#include "observation/batch.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_hindsight ir_hindsight_t;

/* NULL when memory is out. */
ir_hindsight_t *ir_hindsight_new(void);
/* Frees the batches too. Takes NULL. */
void ir_hindsight_free(ir_hindsight_t *hindsight);

/* Takes a checked batch over (also when it fails) and applies its revisions to it and the earlier
 * ones. False when memory is out. */
bool ir_hindsight_add(ir_hindsight_t *hindsight, ir_batch_t *batch);

/* The batches in the order in which they came. */
ir_batch_t *const *ir_hindsight_batches(const ir_hindsight_t *hindsight, size_t *count);

#endif
