#include "observation/batch.h"

#include <stdlib.h>

#define ARENA_CHUNK ((size_t)256 * 1024)
#define KEEP_MAX 65536 /* a reset keeps room for this many items of a list */

/* ---- life ---- */

ir_batch_t *ir_batch_new(ir_registry_t *registry) {
    ir_batch_t *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->registry = ir_registry_ref(registry);
    batch->arena = ir_arena_new(ARENA_CHUNK);
    batch->decoding = ir_arena_new(ARENA_CHUNK);
    if (batch->arena == NULL || batch->decoding == NULL) {
        ir_batch_free(batch);
        return NULL;
    }
    return batch;
}

void ir_batch_free(ir_batch_t *batch) {
    if (batch == NULL) {
        return;
    }
    ir_arena_free(batch->arena);
    ir_arena_free(batch->decoding);
    ir_registry_unref(batch->registry);
    free(batch->messages);
    free(batch->observations);
    free(batch->refusals);
    free(batch->revisions);
    free(batch->store_refusals);
    free(batch);
}

static void keep_bounded(void **items, uint32_t *capacity) {
    if (*capacity > KEEP_MAX) {
        free(*items);
        *items = NULL;
        *capacity = 0;
    }
}

void ir_batch_reset(ir_batch_t *batch, ir_registry_t *registry) {
    ir_registry_t *before = batch->registry;
    batch->registry = ir_registry_ref(registry);
    ir_registry_unref(before);
    ir_arena_reset(batch->arena);
    keep_bounded((void **)&batch->messages, &batch->messages_capacity);
    keep_bounded((void **)&batch->observations, &batch->observations_capacity);
    keep_bounded((void **)&batch->refusals, &batch->refusals_capacity);
    keep_bounded((void **)&batch->revisions, &batch->revisions_capacity);
    keep_bounded((void **)&batch->store_refusals, &batch->store_refusals_capacity);
    batch->n_messages = batch->n_observations = batch->n_refusals = 0;
    batch->n_revisions = batch->n_store_refusals = batch->n_aside = 0;
    batch->body_bytes = batch->text_bytes = 0;
    batch->sequence = 0;
    batch->undone = batch->contested = false;
    batch->opened_ns = 0;
    batch->oldest_ns = 0;
}

bool ir_batch_reserve(void **items, uint32_t *capacity, uint32_t count, size_t extra, size_t size) {
    if (extra <= *capacity - count) {
        return true;
    }
    size_t wanted = *capacity > 0 ? (size_t)*capacity * 2 : 64;
    wanted = wanted < count + extra ? count + extra : wanted;
    void *grown = wanted <= UINT32_MAX ? realloc(*items, wanted * size) : NULL;
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *capacity = (uint32_t)wanted;
    return true;
}

bool ir_batch_add_revision(ir_batch_t *batch, const ir_revision_t *revision) {
    if (!ir_batch_reserve((void **)&batch->revisions, &batch->revisions_capacity,
                          batch->n_revisions, 1, sizeof *batch->revisions)) {
        return false;
    }
    batch->revisions[batch->n_revisions++] = *revision;
    return true;
}

bool ir_batch_add_observation(ir_batch_t *batch, const ir_observation_t *observation) {
    static const ir_message_t nowhere = {.n_observations = 0};
    if (!ir_batch_reserve((void **)&batch->messages, &batch->messages_capacity, 0, 1,
                          sizeof *batch->messages) ||
        !ir_batch_reserve((void **)&batch->observations, &batch->observations_capacity,
                          batch->n_observations, 1, sizeof *batch->observations)) {
        return false;
    }
    batch->messages[0] = nowhere;
    batch->observations[batch->n_observations++] = *observation;
    return true;
}

bool ir_batch_refuse(ir_batch_t *batch, uint32_t message, uint32_t observation, ir_reason_t reason,
                     const char *detail) {
    if (!ir_batch_reserve((void **)&batch->store_refusals, &batch->store_refusals_capacity,
                          batch->n_store_refusals, 1, sizeof *batch->store_refusals)) {
        return false;
    }
    ir_store_refusal_t *refusal = &batch->store_refusals[batch->n_store_refusals++];
    refusal->message = message;
    refusal->observation = observation;
    int record = -1;
    if (observation != UINT32_MAX) {
        ir_observation_t *refused = &batch->observations[observation];
        record = refused->record;
        refusal->before = refused->state;
        refused->state = IR_OBSERVATION_REFUSED;
    }
    ir_refusal_set(&refusal->refusal, reason, record, "%s", detail);
    return true;
}

bool ir_batch_set_aside(ir_batch_t *batch, uint32_t message, uint32_t observation,
                        const char *detail) {
    const ir_view_t mote = batch->messages[message].mote;
    if (!ir_batch_refuse(batch, message, observation, IR_REASON_NONE, detail)) {
        return false;
    }
    if (batch->messages[message].aside != IR_ASIDE_NOT) {
        return true;
    }
    for (uint32_t i = message; i < batch->n_messages; i++) {
        ir_message_t *later = &batch->messages[i];
        if (later->aside == IR_ASIDE_NOT && ir_view_equal(later->mote, mote)) {
            later->aside = IR_ASIDE_NEWLY;
            batch->n_aside++;
        }
    }
    return true;
}

void ir_batch_leave_out(ir_batch_t *batch) {
    for (uint32_t i = 0; batch->n_aside > 0 && i < batch->n_messages; i++) {
        batch->messages[i].left_out = batch->messages[i].aside != IR_ASIDE_NOT;
    }
}

static void undo_aside(ir_batch_t *batch) {
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        if (batch->messages[i].aside == IR_ASIDE_NEWLY) {
            batch->messages[i].aside = IR_ASIDE_NOT;
            batch->messages[i].left_out = false;
            batch->n_aside--;
        }
    }
}

void ir_batch_undo_refusals(ir_batch_t *batch, uint32_t n_before) {
    bool doubts = false;
    while (batch->n_store_refusals > n_before) {
        const ir_store_refusal_t *refusal = &batch->store_refusals[--batch->n_store_refusals];
        doubts = doubts || refusal->refusal.reason == IR_REASON_NONE;
        if (refusal->observation != UINT32_MAX) {
            batch->observations[refusal->observation].state = refusal->before;
        }
    }
    if (doubts) {
        undo_aside(batch);
    }
}
