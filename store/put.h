/* Puts batches into the stores from a program that does nothing else: a store that is away or busy
 * is tried again for some seconds. Return the error of the last try. */
#ifndef IR_STORE_PUT_H
#define IR_STORE_PUT_H

#include "store/documents.h"
#include "store/graph.h"

ir_status_t ir_put_documents(ir_documents_t *documents, ir_batch_t *batch, ir_error_t *error);
ir_status_t ir_put_graph(ir_graph_t *graph, ir_batch_t *batch, ir_error_t *error);

#endif
