/* The first stage: quality control, which reads recent points from the document store, then writing
 * the documents. Both use the same blocking client, so they share a thread. */
#ifndef IR_WORKER_DOCUMENTS_STAGE_H
#define IR_WORKER_DOCUMENTS_STAGE_H

#include "common/status.h"
#include "observation/analysis.h"
#include "worker/options.h"

#include <stdbool.h>

typedef struct ir_documents_stage ir_documents_stage_t;

/* `analysis` holds the analysis options of the batches. It must outlive the stage. */
ir_status_t ir_documents_stage_open(const ir_worker_options_t *options,
                                    const ir_analysis_t *analysis, ir_documents_stage_t **stage,
                                    ir_error_t *error);
void ir_documents_stage_close(ir_documents_stage_t *stage);

/* Whether the store keeps raw messages. Any thread. */
bool ir_documents_stage_keeps(const ir_documents_stage_t *stage);

/* Callbacks for ir_stage_work_t; `context` is the stage. */
ir_status_t ir_documents_stage_ready(void *context, ir_error_t *error);
ir_status_t ir_documents_stage_present(void *context, ir_error_t *error);
ir_outcome_t ir_documents_stage_run(void *context, ir_batch_t *batch, ir_error_t *error);
void ir_documents_stage_idle(void *context);

/* There is a newer registry: the stage releases its old one with the next batch, or when it is
 * idle. Any thread. */
void ir_documents_stage_outdate(ir_documents_stage_t *stage);

#endif
