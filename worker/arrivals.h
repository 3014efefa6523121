/* Finds out when messages of a batch arrived and were sent, if only the document store knows it. A
 * stored message keeps its first times, even if it is delivered again. */
#ifndef IR_WORKER_ARRIVALS_H
#define IR_WORKER_ARRIVALS_H

#include "observation/analysis.h"
#include "store/documents/documents.h"

/* Asks the store, in one query, about the messages marked `ask` (batch.h). If any time differs, or
 * the batch is contested, rebuilds the batch with the right times in `scratch`. Of two messages
 * with the same id the times of the first apply. Call before quality control, which depends on the
 * times. OK or RETRY. */
ir_outcome_t ir_arrivals_settle(ir_documents_t *documents, const ir_analysis_t *analysis,
                                ir_batch_t *batch, ir_batch_t *scratch, ir_error_t *error);

#endif
