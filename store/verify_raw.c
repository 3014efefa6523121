#include "store/verify_raw.h"

#include "common/arena.h"
#include "observation/senml.h"

#include <limits.h>
#include <stdlib.h>

#define ARENA_CHUNK (64 * 1024)
#define DEPTH_MAX 1000 /* of the setting pack-depth */

struct ir_verify_walk {
    ir_ledger_t *ledger;
    ir_arena_t *arena;
    ir_id_t *ids; /* of one message's observations */
    size_t capacity;
};

/* What a worker took is taken here, whatever its limits were; what it refused is known. */
static const ir_senml_limits_t limits = {
    .bytes = SIZE_MAX, .depth = DEPTH_MAX, .records = UINT_MAX, .future_ns = INT64_MAX};

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

static ir_id_t plain_id(const ir_raw_document_t *raw) {
    const ir_raw_key_t key = {.kind = IR_RAW_PLAIN, .mote = raw->mote, .body = raw->body};
    ir_id_t id;
    ir_id_raw(&key, &id);
    return id;
}

/* Whether a message without a name would have its id: by its arrival, or without one when the
 * broker did not stamp it. */
static bool id_follows(const ir_raw_document_t *raw, const ir_senml_pack_t *pack) {
    const ir_raw_key_t key =
        ir_raw_key(pack, raw->mote, raw->body, (ir_view_t){NULL, 0}, raw->clock.arrival_ns);
    const ir_id_t plain = plain_id(raw);
    ir_id_t arrived;
    ir_id_raw(&key, &arrived);
    return ir_id_compare(&raw->id, &arrived) == 0 || ir_id_compare(&raw->id, &plain) == 0;
}

static bool was_refused(const ir_raw_document_t *raw, int position) {
    for (size_t i = 0; i < raw->n_refused; i++) {
        if (raw->refused[i] == position || raw->refused[i] < 0) {
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
    const ir_media_t media =
        raw->content_type.size > 0 ? ir_media_parse(raw->content_type) : ir_media_guess(raw->body);
    ir_senml_pack_t pack;
    ir_arena_reset(walk->arena);
    const ir_status_t status =
        ir_senml_decode(media, raw->body, raw->clock, &limits, walk->arena, &pack);
    if (status != IR_OK) {
        return status;
    }
    if (!named && !id_follows(raw, &pack)) {
        ir_ledger_see(walk->ledger, &raw->id); /* of nothing that was sent */
        return IR_OK;
    }
    return take_pack(walk, raw, &pack, key);
}

ir_status_t ir_verify_walk_see(void *context, const ir_raw_document_t *raw) {
    ir_verify_walk_t *walk = context;
    if (!ir_ledger_knows_raw(walk->ledger, &raw->id)) {
        if (ir_ledger_has_arrival(walk->ledger, &raw->id)) {
            return see_arrival(walk, raw, &raw->id, true);
        }
        const ir_id_t content = plain_id(raw);
        if (ir_ledger_has_arrival(walk->ledger, &content)) {
            return see_arrival(walk, raw, &content, false);
        }
    }
    ir_ledger_see(walk->ledger, &raw->id);
    return IR_OK;
}

ir_status_t ir_verify_raw(ir_documents_t *documents, ir_ledger_t *ledger, ir_error_t *error) {
    ir_verify_walk_t *walk = ir_verify_walk_new(ledger);
    ir_error_t cause = {.status = IR_OK};
    ir_status_t status = IR_ERR_MEMORY;
    if (walk != NULL) {
        status = ir_documents_each_raw(documents, ir_verify_walk_see, walk, &cause);
    }
    ir_verify_walk_free(walk);
    if (status == IR_ERR_MEMORY) {
        return ir_error_set(error, status, "out of memory for the ids that must be there");
    }
    return status == IR_OK ? IR_OK : ir_error_set(error, status, "%s", cause.text);
}
