/* Finds messages with items in the documents that the graph lacks. This happens after a restore,
 * because the graph's backup is older than that of the documents, or does not exist. */
#ifndef IR_STORE_COMMAND_MISSING_H
#define IR_STORE_COMMAND_MISSING_H

#include "observation/id_set.h"
#include "store/documents/documents.h"
#include "store/graph/graph.h"

/* The result of comparing the graph with the documents. */
typedef struct ir_missing {
    ir_id_set_t messages;             /* raw ids of the messages with missing items; owned */
    uint64_t observations, revisions; /* numbers of items that the graph lacks */
} ir_missing_t;

/* Memory: 32 bytes for each observation and revision of the graph. On failure *missing is empty. */
ir_status_t ir_missing_find(ir_documents_t *documents, ir_graph_t *graph, ir_missing_t *missing,
                            ir_error_t *error);

#endif
