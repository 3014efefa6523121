#include "store/command/verify_raw.h"

#include "common/arena.h"
#include "observation/senml/senml.h"
#include "store/command/raw_pack.h"

#include <stdlib.h>

#define ARENA_CHUNK (64 * 1024)

struct ir_verify_walk {
    ir_ledger_t *ledger;
    ir_arena_t *arena;
    ir_id_t *ids; /* ids of one message's observations */
    size_t capacity;
};

ir_verify_walk_t *ir_verify_walk_new(ir_ledger_t *ledger) {
    ir_verify_walk_t *walk = calloc(1, sizeof *walk);
    if (walk == NULL) {
        return NULL;
    }
    walk->ledger = ledger;
    walk->arena = ir_arena_new(ARENA_CHUNK);
    if (walk->arena == NULL) {
        free(walk);
        return NULL;
    }
    return walk;
}

void ir_verify_walk_free(ir_verify_walk_t *walk) {
    if (walk != NULL) {
        ir_arena_free(walk->arena);
        free(walk->ids);
        free(walk);
    }
}

/* Whether a message without a name would have this id: computed with its arrival or, if the broker
 * did not stamp it, without. */
static bool id_follows(const ir_raw_document_t *raw, const ir_senml_pack_t *pack) {
    ir_raw_document_t unnamed = *raw;
    unnamed.name = (ir_view_t){NULL, 0};
    const ir_id_t plain = ir_raw_plain_id(raw);
    return ir_raw_pack_follows(&unnamed, pack) || ir_id_compare(&raw->id, &plain) == 0;
}

static bool was_refused(const ir_raw_document_t *raw, int position) {
    for (size_t i = 0; i < raw->n_refusals; i++) {
        if (raw->refusals[i].record == position || raw->refusals[i].record < 0 ||
            ir_refusal_has(raw->refusals[i].records, position)) {
            return true;
        }
    }
    return false;
}

static bool reserve(ir_verify_walk_t *walk, size_t count) {
    if (count <= walk->capacity) {
        return true;
    }
    ir_id_t *grown = realloc(walk->ids, count * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    walk->ids = grown;
    walk->capacity = count;
    return true;
}

static ir_status_t take_pack(ir_verify_walk_t *walk, const ir_raw_document_t *raw,
                             const ir_senml_pack_t *pack, const ir_id_t *key) {
    size_t count = 0;
    if (!reserve(walk, pack->n_records)) {
        return IR_ERR_MEMORY;
    }
    for (size_t i = 0; i < pack->n_records; i++) {
        const ir_senml_record_t *record = &pack->records[i];
        if (!was_refused(raw, record->position)) {
            ir_id_observation(record->name, record->time_ns, &record->value, &walk->ids[count++]);
        }
    }
    return ir_ledger_see_arrival(walk->ledger, key, walk->ids, count);
}

static ir_status_t see_arrival(ir_verify_walk_t *walk, const ir_raw_document_t *raw,
                               const ir_id_t *key, bool named) {
    ir_senml_pack_t pack;
    ir_arena_reset(walk->arena);
    const ir_status_t status = ir_raw_pack(raw, walk->arena, &pack);
    if (status != IR_OK) {
        return status;
    }
    if (!named && !id_follows(raw, &pack)) {
        /* matches nothing that was sent */
        return ir_ledger_see(walk->ledger, &raw->id, raw->mote) ? IR_OK : IR_ERR_MEMORY;
    }
    return take_pack(walk, raw, &pack, key);
}

ir_status_t ir_verify_walk_see(void *context, const ir_raw_document_t *raw) {
    ir_verify_walk_t *walk = context;
    if (!ir_ledger_knows_raw(walk->ledger, &raw->id)) {
        if (ir_ledger_has_arrival(walk->ledger, &raw->id)) {
            return see_arrival(walk, raw, &raw->id, true);
        }
        const ir_id_t content = ir_raw_plain_id(raw);
        if (ir_ledger_has_arrival(walk->ledger, &content)) {
            return see_arrival(walk, raw, &content, false);
        }
    }
    return ir_ledger_see(walk->ledger, &raw->id, raw->mote) ? IR_OK : IR_ERR_MEMORY;
}

ir_status_t ir_verify_raw(ir_documents_t *documents, ir_ledger_t *ledger, ir_error_t *error) {
    ir_verify_walk_t *walk = ir_verify_walk_new(ledger);
    ir_error_t cause = {.status = IR_OK};
    ir_status_t status = IR_ERR_MEMORY;
    if (walk != NULL) {
        status = ir_documents_each_raw(documents, NULL, ir_verify_walk_see, walk, &cause);
    }
    ir_verify_walk_free(walk);
    if (status == IR_ERR_MEMORY) {
        return ir_error_set(error, status, "out of memory for the ids that must be there");
    }
    return status == IR_OK ? IR_OK : ir_error_set(error, status, "%s", cause.text);
}
