/* When the messages of a batch arrived and were sent, where only the document store can say: a
 * message that is stored keeps its first times, however often and whenever it comes again. */
#ifndef IR_WORKER_ARRIVALS_H
#define IR_WORKER_ARRIVALS_H

#include "observation/batch.h"
#include "store/documents.h"

/* Asks the store about the messages with `ask` (batch.h) in one go and makes the batch that of the
 * right times, in `scratch`, when any differs or the batch is contested. Two messages with one
 * id get the first one's times. Before quality control, which depends on the times. OK or RETRY.
 */
ir_outcome_t ir_arrivals_settle(ir_documents_t *documents, const ir_analysis_t *analysis,
                                ir_batch_t *batch, ir_batch_t *scratch, ir_error_t *error);

#endif
