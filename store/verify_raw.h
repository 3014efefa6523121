/* Raw messages against a ledger. */
#ifndef IR_STORE_VERIFY_RAW_H
#define IR_STORE_VERIFY_RAW_H

#include "store/documents.h"
#include "store/ledger.h"

/* Sees all raw messages of the store. Of those whose times count from their arrival it finds by
 * body and stored arrival, with the worker's own code, which id they have and which observations
 * must come of them, and tells the ledger. Of a message is in memory what one decoding needs. */
ir_status_t ir_verify_raw(ir_documents_t *documents, ir_ledger_t *ledger, ir_error_t *error);

/* The same one by one; the context of `see` is the walk. */
typedef struct ir_verify_walk ir_verify_walk_t;
ir_verify_walk_t *ir_verify_walk_new(ir_ledger_t *ledger); /* NULL when memory is out */
void ir_verify_walk_free(ir_verify_walk_t *walk);
ir_status_t ir_verify_walk_see(void *context, const ir_raw_document_t *raw); /* an ir_each_raw_fn */

#endif
