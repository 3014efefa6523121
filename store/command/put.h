/* Puts batches into the stores, for a program that does nothing else: retries for some seconds when
 * a store is unavailable or busy. Returns the error of the last attempt. */
#ifndef IR_STORE_COMMAND_PUT_H
#define IR_STORE_COMMAND_PUT_H

#include "store/documents/documents.h"
#include "store/graph/graph.h"

ir_status_t ir_put_documents(ir_documents_t *documents, ir_batch_t *batch, ir_error_t *error);
ir_status_t ir_put_graph(ir_graph_t *graph, ir_batch_t *batch, ir_error_t *error);

#endif
