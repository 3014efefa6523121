#include "store/graph/nquads/nquads.h"

#include "observation/id_set.h"
#include "store/graph/nquads/directory_lock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* After another writer's claim, this many puts look everything up. It is more than the number of
 * batches in progress in a worker, which may have been considered new before the claim. */
#define WARY_PUTS 1024

/* Whether the batch must be looked up: it contains something known, or another writer made a
 * claim. */
static ir_status_t must_look(ir_nquads_t *graph, bool known, bool *look, ir_error_t *error) {
    int64_t size = 0;
    const ir_status_t status = ir_nquads_claims(graph, &size, error);
    if (status != IR_OK) {
        return status;
    }
    if (size != graph->claims_seen) {
        graph->claims_seen = size;
        graph->wary = WARY_PUTS;
    }
    *look = known || graph->wary > 0;
    return IR_OK;
}

static ir_status_t write_claim(ir_nquads_t *graph, ir_error_t *error) {
    if (!graph->claiming) {
        return IR_OK;
    }
    /* The claim need not be durable, because only running writers need it. */
    const ssize_t written = write(graph->claims, "+", 1);
    if (written != 1) {
        return ir_error_set(error, IR_ERR_IO, "cannot write %s/claims: %s", graph->directory,
                            written < 0 ? strerror(errno) : "the disk is full");
    }
    graph->claims_seen += written;
    return IR_OK;
}

static bool is_there(const ir_nquads_t *graph, const ir_id_set_t *batch, const ir_id_t *id) {
    return ir_segment_has(graph->segment, id) || ir_segments_has(graph->segments, id) ||
           ir_id_set_has(batch, id);
}

/* Writes the lines of missing observations into the buffer. A batch may contain an observation
 * twice, if it was sent twice. */
static bool collect(ir_nquads_t *graph, const ir_graph_pick_t *picks, size_t count, bool look) {
    ir_buffer_clear(&graph->lines);
    ir_buffer_clear(&graph->ids);
    graph->claiming = false;
    ir_id_set_t batch = {NULL, 0, 0};
    const ir_graph_pick_t *previous = NULL;
    const bool room = !look || ir_id_set_reserve(&batch, count);
    for (size_t i = 0; i < count && room; i++) {
        const ir_id_t *id = ir_graph_pick_id(&picks[i]);
        if (look && is_there(graph, &batch, id)) {
            continue;
        }
        if (look) {
            ir_id_set_add(&batch, id);
        }
        ir_graph_pick_append(&graph->lines, &picks[i], previous, &graph->format, true);
        previous = &picks[i];
        ir_buffer_append(&graph->ids, id, sizeof *id);
        graph->claiming = graph->claiming || picks[i].known;
    }
    ir_id_set_free(&batch);
    return room && ir_buffer_ok(&graph->lines) && ir_buffer_ok(&graph->ids);
}

/* Closes a segment that cannot be repaired. Seals a segment that is large enough, or that another
 * process wants sealed. Then makes a new one. */
static ir_status_t have_segment(ir_nquads_t *graph, ir_error_t *error) {
    if (graph->segment != NULL && ir_segment_broken(graph->segment)) {
        ir_segment_close(graph->segment);
        graph->segment = NULL;
    }
    if (graph->segment != NULL &&
        (ir_segment_size(graph->segment) >= graph->segment_bytes || ir_seal_asked(&graph->seals))) {
        const ir_status_t status = ir_segment_seal(graph->segment, error);
        if (status != IR_OK) {
            return status;
        }
        graph->segment = NULL;
    }
    if (graph->segment != NULL) {
        return IR_OK;
    }
    ir_seal_met(&graph->seals);
    return ir_segment_create(graph->directory, graph->writer, &graph->segment, error);
}

static ir_status_t put_locked(ir_nquads_t *graph, const ir_graph_pick_t *picks, size_t count,
                              bool look, ir_error_t *error) {
    ir_status_t status = have_segment(graph, error);
    if (status == IR_OK && look) {
        status = ir_segments_refresh(graph->segments, ir_segment_stem(graph->segment), error);
    }
    if (status != IR_OK) {
        return status;
    }
    if (!collect(graph, picks, count, look)) {
        return ir_nquads_out_of_memory(error);
    }
    if (graph->lines.size == 0) {
        return IR_OK;
    }
    /* Writes the claim (the ids of the batch) before the lines. A claim whose lines are missing
     * only costs a look-up. */
    status = write_claim(graph, error);
    if (status != IR_OK) {
        return status;
    }
    return ir_segment_append(graph->segment, &graph->lines, (const ir_id_t *)graph->ids.data,
                             graph->ids.size / sizeof(ir_id_t), error);
}

static ir_status_t put(ir_nquads_t *graph, const ir_graph_pick_t *picks, size_t count,
                       ir_error_t *error) {
    if (graph->lock < 0) {
        graph->wary = WARY_PUTS; /* other writers may have made claims before this process first
                                  * looked */
    }
    ir_status_t status = ir_nquads_attach_again(graph, error);
    if (status == IR_OK) {
        status = ir_nquads_check_presence(graph, error);
    }
    bool known = false;
    for (size_t i = 0; i < count && !known; i++) {
        known = picks[i].known;
    }
    if (status == IR_OK) {
        status = ir_directory_lock(graph->lock, graph->directory, known, graph->timeout_ns, error);
    }
    if (status != IR_OK) {
        return status;
    }
    bool look = false;
    status = must_look(graph, known, &look, error);
    if (status == IR_OK) {
        status = put_locked(graph, picks, count, look, error);
    }
    if (status == IR_OK && graph->wary > 0) {
        graph->wary--;
    }
    ir_directory_unlock(graph->lock);
    if (status == IR_OK) {
        graph->stored += count;
        status = ir_nquads_check_presence(graph, error);
    }
    return status;
}

ir_outcome_t ir_nquads_put(void *store, const ir_graph_pick_t *picks, size_t count,
                           ir_answer_t *answer) {
    return put(store, picks, count, &answer->why) == IR_OK ? IR_OUTCOME_OK : IR_OUTCOME_RETRY;
}

/* ---- sealing ---- */

/* Called while there is nothing to put. A broken segment is replaced by the next put, not here. */
ir_status_t ir_nquads_seal_as_asked(ir_nquads_t *graph, ir_error_t *error) {
    if (graph->segment == NULL || ir_segment_broken(graph->segment) ||
        !ir_seal_asked(&graph->seals)) {
        return IR_OK;
    }
    ir_status_t status =
        ir_directory_lock(graph->lock, graph->directory, false, graph->timeout_ns, error);
    if (status == IR_OK) {
        status = ir_segment_seal(graph->segment, error);
        ir_directory_unlock(graph->lock);
    }
    if (status == IR_OK) {
        graph->segment = NULL;
        ir_seal_met(&graph->seals);
    }
    return status;
}
