#include "annotation/hindsight.h"

#include <stdlib.h>
#include <string.h>

typedef struct place {
    uint32_t batch; /* index + 1; 0: an empty slot */
    uint32_t observation;
} place_t;

struct ir_hindsight {
    ir_batch_t **batches;
    size_t n_batches, capacity;
    place_t *places; /* by id, open addressing */
    size_t n_places, n_slots;
};

ir_hindsight_t *ir_hindsight_new(void) {
    return calloc(1, sizeof(ir_hindsight_t));
}

void ir_hindsight_free(ir_hindsight_t *hindsight) {
    if (hindsight == NULL) {
        return;
    }
    for (size_t i = 0; i < hindsight->n_batches; i++) {
        ir_batch_free(hindsight->batches[i]);
    }
    free(hindsight->batches);
    free(hindsight->places);
    free(hindsight);
}

ir_batch_t *const *ir_hindsight_batches(const ir_hindsight_t *hindsight, size_t *count) {
    *count = hindsight->n_batches;
    return hindsight->batches;
}

static ir_observation_t *observation_at(const ir_hindsight_t *hindsight, place_t place) {
    return &hindsight->batches[place.batch - 1]->observations[place.observation];
}

/* Finds the slot of that id, or the empty slot where it belongs. */
static place_t *find(const ir_hindsight_t *hindsight, const ir_id_t *id) {
    for (size_t slot = ir_id_hash(id) & (hindsight->n_slots - 1);;
         slot = (slot + 1) & (hindsight->n_slots - 1)) {
        place_t *place = &hindsight->places[slot];
        if (place->batch == 0 || ir_id_compare(&observation_at(hindsight, *place)->id, id) == 0) {
            return place;
        }
    }
}

static bool reserve_places(ir_hindsight_t *hindsight, size_t extra) {
    size_t n_slots = hindsight->n_slots > 0 ? hindsight->n_slots : 1024;
    while (n_slots < (hindsight->n_places + extra) * 2) {
        n_slots *= 2;
    }
    if (n_slots == hindsight->n_slots) {
        return true;
    }
    place_t *before = hindsight->places;
    const size_t n_before = hindsight->n_slots;
    place_t *places = calloc(n_slots, sizeof *places);
    if (places == NULL) {
        return false;
    }
    hindsight->places = places;
    hindsight->n_slots = n_slots;
    for (size_t i = 0; i < n_before; i++) {
        if (before[i].batch != 0) {
            *find(hindsight, &observation_at(hindsight, before[i])->id) = before[i];
        }
    }
    free(before);
    return true;
}

static bool keep_batch(ir_hindsight_t *hindsight, ir_batch_t *batch) {
    if (hindsight->n_batches == hindsight->capacity) {
        const size_t capacity = hindsight->capacity > 0 ? hindsight->capacity * 2 : 64;
        ir_batch_t **batches = realloc(hindsight->batches, capacity * sizeof *batches);
        if (batches == NULL) {
            return false;
        }
        hindsight->batches = batches;
        hindsight->capacity = capacity;
    }
    hindsight->batches[hindsight->n_batches++] = batch;
    return true;
}

bool ir_hindsight_add(ir_hindsight_t *hindsight, ir_batch_t *batch) {
    if (!reserve_places(hindsight, batch->n_observations) || !keep_batch(hindsight, batch)) {
        ir_batch_free(batch);
        return false;
    }
    for (uint32_t i = 0; i < batch->n_observations; i++) {
        place_t *place = find(hindsight, &batch->observations[i].id);
        hindsight->n_places += place->batch == 0;
        *place = (place_t){.batch = (uint32_t)hindsight->n_batches, .observation = i};
    }
    for (uint32_t i = 0; i < batch->n_revisions; i++) {
        const ir_revision_t *revision = &batch->revisions[i];
        const place_t *place = find(hindsight, &revision->observation.id);
        if (place->batch != 0) {
            ir_observation_t *revised = observation_at(hindsight, *place);
            memcpy(revised->flags, revision->observation.flags, sizeof revised->flags);
            revised->aggregate = revision->observation.aggregate;
        }
    }
    return true;
}
