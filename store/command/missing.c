#include "store/command/missing.h"

typedef struct search {
    ir_id_set_t graph; /* ids that the graph has */
    ir_missing_t found;
    uint64_t *count; /* the count of the current kind */
    ir_error_t *error;
} search_t;

static ir_status_t add(search_t *search, ir_id_set_t *set, const ir_id_t *id) {
    if (!ir_id_set_reserve(set, 1)) {
        return ir_error_set(search->error, IR_ERR_MEMORY, "out of memory for the graph's ids");
    }
    ir_id_set_add(set, id);
    return IR_OK;
}

static ir_status_t see_in_graph(void *context, const ir_id_t *id) {
    search_t *search = context;
    return add(search, &search->graph, id);
}

static ir_status_t see_document(void *context, const ir_document_key_t *key) {
    search_t *search = context;
    if (ir_id_set_has(&search->graph, &key->id)) {
        return IR_OK;
    }
    ++*search->count;
    return add(search, &search->found.messages, &key->raw_id);
}

static ir_status_t compare(search_t *search, ir_documents_t *documents, ir_graph_t *graph,
                           ir_document_kind_t kind, uint64_t *count) {
    search->count = count;
    const ir_status_t status = ir_graph_each_id(graph, kind, see_in_graph, search, search->error);
    return status == IR_OK ? ir_documents_each(documents, kind, see_document, search, search->error)
                           : status;
}

ir_status_t ir_missing_find(ir_documents_t *documents, ir_graph_t *graph, ir_missing_t *missing,
                            ir_error_t *error) {
    search_t search = {.error = error};
    ir_status_t status =
        compare(&search, documents, graph, IR_DOCUMENT_OBSERVATION, &search.found.observations);
    if (status == IR_OK) {
        status = compare(&search, documents, graph, IR_DOCUMENT_REVISION, &search.found.revisions);
    }
    ir_id_set_free(&search.graph);
    if (status != IR_OK) {
        ir_id_set_free(&search.found.messages);
        search.found = (ir_missing_t){.observations = 0};
    }
    *missing = search.found;
    return status;
}
