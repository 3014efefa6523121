#include "annotation/revision_merge.h"

#include <stdlib.h>
#include <string.h>

typedef struct place {
    uint32_t batch; /* index + 1; 0: an empty slot */
    uint32_t observation;
} place_t;

struct ir_revision_merge {
    ir_batch_t **batches;
    size_t n_batches, capacity;
    place_t *places; /* by id, open addressing */
    size_t n_places, n_slots;
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
    free(merge->places);
    free(merge);
}

ir_batch_t *const *ir_revision_merge_batches(const ir_revision_merge_t *merge, size_t *count) {
    *count = merge->n_batches;
    return merge->batches;
}

static ir_observation_t *observation_at(const ir_revision_merge_t *merge, place_t place) {
    return &merge->batches[place.batch - 1]->observations[place.observation];
}

/* Finds the slot of that id, or the empty slot where it belongs. */
static place_t *find(const ir_revision_merge_t *merge, const ir_id_t *id) {
    for (size_t slot = ir_id_hash(id) & (merge->n_slots - 1);;
         slot = (slot + 1) & (merge->n_slots - 1)) {
        place_t *place = &merge->places[slot];
        if (place->batch == 0 || ir_id_compare(&observation_at(merge, *place)->id, id) == 0) {
            return place;
        }
    }
}

static bool reserve_places(ir_revision_merge_t *merge, size_t extra) {
    size_t n_slots = merge->n_slots > 0 ? merge->n_slots : 1024;
    while (n_slots < (merge->n_places + extra) * 2) {
        n_slots *= 2;
    }
    if (n_slots == merge->n_slots) {
        return true;
    }
    place_t *before = merge->places;
    const size_t n_before = merge->n_slots;
    place_t *places = calloc(n_slots, sizeof *places);
    if (places == NULL) {
        return false;
    }
    merge->places = places;
    merge->n_slots = n_slots;
    for (size_t i = 0; i < n_before; i++) {
        if (before[i].batch != 0) {
            *find(merge, &observation_at(merge, before[i])->id) = before[i];
        }
    }
    free(before);
    return true;
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
    if (!reserve_places(merge, batch->n_observations) || !keep_batch(merge, batch)) {
        ir_batch_free(batch);
        return false;
    }
    for (uint32_t i = 0; i < batch->n_observations; i++) {
        place_t *place = find(merge, &batch->observations[i].id);
        merge->n_places += place->batch == 0;
        *place = (place_t){.batch = (uint32_t)merge->n_batches, .observation = i};
    }
    for (uint32_t i = 0; i < batch->n_revisions; i++) {
        const ir_revision_t *revision = &batch->revisions[i];
        const place_t *place = find(merge, &revision->observation.id);
        if (place->batch != 0) {
            ir_observation_t *revised = observation_at(merge, *place);
            memcpy(revised->flags, revision->observation.flags, sizeof revised->flags);
            revised->aggregate = revision->observation.aggregate;
        }
    }
    return true;
}
