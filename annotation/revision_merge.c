#include "annotation/revision_merge.h"

#include "common/name_table.h"

#include <stdlib.h>
#include <string.h>

struct ir_revision_merge {
    ir_batch_t **batches;
    size_t n_batches, capacity;
    ir_name_table_t observations; /* maps the bytes of an id to its ir_observation_t */
};

ir_revision_merge_t *ir_revision_merge_new(void) {
    return calloc(1, sizeof(ir_revision_merge_t));
}

void ir_revision_merge_free(ir_revision_merge_t *merge) {
    if (merge == NULL) {
        return;
    }
    for (size_t i = 0; i < merge->n_batches; i++) {
        ir_batch_free(merge->batches[i]);
    }
    free(merge->batches);
    ir_name_table_free(&merge->observations);
    free(merge);
}

ir_batch_t *const *ir_revision_merge_batches(const ir_revision_merge_t *merge, size_t *count) {
    *count = merge->n_batches;
    return merge->batches;
}

static ir_view_t key_of(const ir_id_t *id) {
    return ir_view((const char *)id->bytes, sizeof id->bytes);
}

static bool keep_batch(ir_revision_merge_t *merge, ir_batch_t *batch) {
    if (merge->n_batches == merge->capacity) {
        const size_t capacity = merge->capacity > 0 ? merge->capacity * 2 : 64;
        ir_batch_t **batches = realloc(merge->batches, capacity * sizeof *batches);
        if (batches == NULL) {
            return false;
        }
        merge->batches = batches;
        merge->capacity = capacity;
    }
    merge->batches[merge->n_batches++] = batch;
    return true;
}

bool ir_revision_merge_add(ir_revision_merge_t *merge, ir_batch_t *batch) {
    if (!keep_batch(merge, batch)) {
        ir_batch_free(batch);
        return false;
    }
    for (uint32_t i = 0; i < batch->n_observations; i++) {
        ir_observation_t *observation = &batch->observations[i];
        if (!ir_name_table_add(&merge->observations, key_of(&observation->id), observation)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < batch->n_revisions; i++) {
        const ir_revision_t *revision = &batch->revisions[i];
        ir_observation_t *revised =
            ir_name_table_find(&merge->observations, key_of(&revision->observation.id));
        if (revised != NULL) {
            memcpy(revised->flags, revision->observation.flags, sizeof revised->flags);
            revised->aggregate = revision->observation.aggregate;
        }
    }
    return true;
}
