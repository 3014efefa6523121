/* Compares raw messages with a ledger. */
#ifndef IR_STORE_COMMAND_VERIFY_RAW_H
#define IR_STORE_COMMAND_VERIFY_RAW_H

#include "store/documents/documents.h"
#include "store/ledger.h"

/* Reads all raw messages of the store. For those with relative times it computes, from body and
 * stored arrival and with the worker's own code, their id and the observations that must result,
 * and reports them to the ledger. Memory holds what decoding one message needs. */
ir_status_t ir_verify_raw(ir_documents_t *documents, ir_ledger_t *ledger, ir_error_t *error);

/* Compares single messages; the walk is the context of `see`. */
typedef struct ir_verify_walk ir_verify_walk_t;
ir_verify_walk_t *ir_verify_walk_new(ir_ledger_t *ledger); /* NULL when memory is exhausted */
void ir_verify_walk_free(ir_verify_walk_t *walk);
ir_status_t ir_verify_walk_see(void *context, const ir_raw_document_t *raw); /* an ir_each_raw_fn */

#endif
