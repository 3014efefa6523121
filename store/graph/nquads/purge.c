#include "store/graph/nquads/nquads.h"

#include "common/clock.h"
#include "store/graph/nquads/directory_lock.h"

#define SEAL_POLL_NS (50 * IR_MILLISECOND_NS)

/* Call while holding the exclusive lock. *open: the segment in `before` that still has a writer, or
 * NULL. */
static ir_status_t look_for_open(const ir_nquads_t *graph, const ir_segment_list_t *before,
                                 const char **open, ir_error_t *error) {
    ir_status_t status = IR_OK;
    *open = NULL;
    for (size_t i = 0; i < before->count && status == IR_OK && *open == NULL; i++) {
        bool written = false;
        if (before->names[i].open) {
            status = ir_segment_repair(graph->directory, before->names[i].stem, &written, error);
        }
        *open = written ? before->names[i].stem : NULL;
    }
    return status;
}

/* Workers seal their segments, and continue in new ones. */
static ir_status_t have_all_sealed(ir_nquads_t *graph, ir_segment_list_t *list, ir_error_t *error) {
    const int64_t deadline_ns = ir_clock_monotonic() + graph->timeout_ns;
    const char *open = "";
    ir_status_t status = ir_segment_list_read(graph->directory, list, error);
    if (status == IR_OK) {
        status = ir_seal_ask(&graph->seals, error);
    }
    while (status == IR_OK && open != NULL) {
        status = ir_directory_lock(graph->lock, graph->directory, true, graph->timeout_ns, error);
        if (status == IR_OK) {
            status = look_for_open(graph, list, &open, error);
            ir_directory_unlock(graph->lock);
        }
        if (status == IR_OK && open != NULL && ir_clock_monotonic() >= deadline_ns) {
            return ir_error_set(error, IR_ERR_STATE,
                                "graph nquads:%s: a worker has %s open and does not seal it within "
                                "the time-out; stop the workers (make down), and start them again "
                                "afterwards",
                                graph->directory, open);
        }
        if (status == IR_OK && open != NULL) {
            ir_clock_sleep(SEAL_POLL_NS);
        }
    }
    return status;
}

/* Calls `each`, under the exclusive lock, for every segment that existed at the beginning and is
 * sealed now. Workers may write between two segments. */
typedef ir_status_t (*each_sealed_fn)(const ir_nquads_t *graph, const ir_segment_name_t *name,
                                      void *context, ir_error_t *error);
static ir_status_t each_sealed(ir_nquads_t *graph, each_sealed_fn each, void *context,
                               ir_error_t *error) {
    ir_segment_list_t list = {NULL, 0, 0};
    ir_status_t status = ir_nquads_attach_again(graph, error);
    if (status == IR_OK) {
        status = have_all_sealed(graph, &list, error);
    }
    for (size_t i = 0; i < list.count && status == IR_OK; i++) {
        status = ir_directory_lock(graph->lock, graph->directory, true, graph->timeout_ns, error);
        if (status == IR_OK) {
            status = each(graph, &list.names[i], context, error);
            ir_directory_unlock(graph->lock);
        }
    }
    ir_segment_list_free(&list);
    ir_segments_forget(graph->segments);
    return status == IR_OK ? ir_directory_sync(graph->directory, error) : status;
}

typedef struct purge {
    const ir_id_t *ids;
    size_t count;
} purge_t;

static ir_status_t purge_one(const ir_nquads_t *graph, const ir_segment_name_t *name, void *context,
                             ir_error_t *error) {
    const purge_t *purge = context;
    return name->archived
               ? ir_segment_purge_ids(graph->directory, name->stem, purge->ids, purge->count, error)
               : ir_segment_purge(graph->directory, name->stem, graph->format.base_iri, purge->ids,
                                  purge->count, error);
}

ir_status_t ir_nquads_purge(void *store, const ir_id_t *ids, size_t count, ir_error_t *error) {
    purge_t purge = {ids, count};
    return each_sealed(store, purge_one, &purge, error);
}

static ir_status_t retire_one(const ir_nquads_t *graph, const ir_segment_name_t *name,
                              void *context, ir_error_t *error) {
    ir_graph_retirement_t *retirement = context;
    return name->archived ? IR_OK
                          : ir_segment_retire(graph->directory, name->stem, retirement, error);
}

ir_status_t ir_nquads_retire(void *store, ir_graph_retirement_t *retirement, ir_error_t *error) {
    return retirement->archive == NULL
               ? ir_error_set(error, IR_ERR_USAGE,
                              "purge --what=graph needs --archive=DIR for segments of N-Quads")
               : each_sealed(store, retire_one, retirement, error);
}
