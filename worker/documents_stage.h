/* The first stage: quality control, with recent points from the document store, then the documents.
 * Both need the same blocking client, so they share its thread. */
#ifndef IR_WORKER_DOCUMENTS_STAGE_H
#define IR_WORKER_DOCUMENTS_STAGE_H

#include "common/status.h"
#include "observation/batch.h"
#include "worker/options.h"

#include <stdbool.h>

typedef struct ir_documents_stage ir_documents_stage_t;

/* `analysis` is that of the batches; it lives as long as the stage. */
ir_status_t ir_documents_stage_open(const ir_worker_options_t *options,
                                    const ir_analysis_t *analysis, ir_documents_stage_t **stage,
                                    ir_error_t *error);
void ir_documents_stage_close(ir_documents_stage_t *stage);

/* Whether raw messages are kept. Any thread. */
bool ir_documents_stage_keeps(const ir_documents_stage_t *stage);

/* As ir_stage_work_t wants them; `context` is the stage. */
ir_status_t ir_documents_stage_ready(void *context, ir_error_t *error);
ir_status_t ir_documents_stage_present(void *context, ir_error_t *error);
ir_outcome_t ir_documents_stage_run(void *context, ir_batch_t *batch, ir_error_t *error);
void ir_documents_stage_idle(void *context);

/* There is another registry: the stage lets go of the one that it keeps, with the next batch or
 * when it is idle. Any thread. */
void ir_documents_stage_outdate(ir_documents_stage_t *stage);

#endif
