#include "store/graph/nquads/nquads.h"

#include "store/graph/nquads/registry.h"
#include "store/graph/nquads/segment_lines.h"

#include <unistd.h>

static ir_status_t read_segment(const ir_nquads_t *graph, const ir_segment_name_t *name,
                                ir_each_line_fn each, void *context, ir_error_t *error) {
    int fd = -1;
    ir_status_t status = ir_segment_list_open(graph->directory, name, &fd, error);
    if (status != IR_OK) {
        return status == IR_ERR_NOT_FOUND ? IR_OK : status;
    }
    int64_t end = 0;
    status = ir_segment_end(fd, name->stem, &end, error);
    if (status == IR_OK) {
        status = ir_segment_each_line(fd, name->stem, 0, end, each, context, error);
    }
    close(fd);
    return status;
}

static ir_status_t read_segments(const ir_nquads_t *graph, ir_each_line_fn each, void *context,
                                 ir_error_t *error) {
    ir_segment_list_t list;
    ir_status_t status = ir_segment_list_read(graph->directory, &list, error);
    if (status != IR_OK) {
        return status;
    }
    for (size_t i = 0; i < list.count && status == IR_OK; i++) {
        status = read_segment(graph, &list.names[i], each, context, error);
    }
    ir_segment_list_free(&list);
    return status;
}

typedef struct tally {
    uint64_t observations, triples;
} tally_t;

static ir_status_t count_line(void *context, ir_view_t line) {
    tally_t *tally = context;
    ir_id_t id;
    tally->triples++;
    tally->observations += ir_segment_subject(line, &id) == IR_SUBJECT_OBSERVATION;
    return IR_OK;
}

ir_status_t ir_nquads_count(void *store, uint64_t *observations, uint64_t *triples,
                            ir_error_t *error) {
    tally_t tally = {0, 0};
    const ir_status_t status = read_segments(store, count_line, &tally, error);
    if (status == IR_OK) {
        *observations = tally.observations;
        *triples = tally.triples;
    }
    return status;
}

typedef struct id_walk {
    ir_segment_subject_t subject; /* kind of the requested subjects */
    ir_each_id_fn each;
    void *context;
} id_walk_t;

static ir_status_t walk_line(void *context, ir_view_t line) {
    const id_walk_t *walk = context;
    ir_id_t id;
    return ir_segment_subject(line, &id) == walk->subject ? walk->each(walk->context, &id) : IR_OK;
}

ir_status_t ir_nquads_each_id(void *store, ir_document_kind_t kind, ir_each_id_fn each,
                              void *context, ir_error_t *error) {
    id_walk_t walk = {kind == IR_DOCUMENT_OBSERVATION ? IR_SUBJECT_OBSERVATION : IR_SUBJECT_OTHER,
                      each, context};
    return read_segments(store, walk_line, &walk, error);
}

ir_status_t ir_nquads_export(void *store, ir_each_line_fn each, void *context, ir_error_t *error) {
    const ir_nquads_t *graph = store;
    const ir_status_t status = ir_nquads_registry_each_line(graph->directory, each, context, error);
    return status == IR_OK ? read_segments(graph, each, context, error) : status;
}

/* Keeps the first id and stops. */
static ir_status_t take_first(void *context, const ir_id_t *id) {
    *(ir_id_t *)context = *id;
    return IR_ERR_FULL;
}

ir_status_t ir_nquads_check_ids(ir_nquads_t *graph, ir_error_t *error) {
    ir_id_t id;
    ir_error_t inner = {.status = IR_OK};
    const ir_status_t status =
        ir_nquads_each_id(graph, IR_DOCUMENT_OBSERVATION, take_first, &id, &inner);
    if (status == IR_ERR_FULL) {
        return ir_graph_check_id(&id, graph->directory, error);
    }
    return status == IR_OK ? IR_OK : ir_error_set(error, status, "%s", inner.text);
}
