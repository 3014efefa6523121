#include "store/command/raw_pack.h"

#include "observation/body.h"

#include <limits.h>

/* The largest values that the settings of a worker allow (observation/settings.h). */
static const ir_senml_limits_t limits = {
    .bytes = (size_t)64 * 1024 * 1024, .depth = 1000, .records = UINT_MAX, .future_ns = INT64_MAX};

ir_status_t ir_raw_pack(const ir_raw_document_t *raw, ir_arena_t *arena, ir_senml_pack_t *pack) {
    return ir_body_decode(raw->type_text, raw->body, raw->clock, &limits, arena, pack);
}

bool ir_raw_pack_follows(const ir_raw_document_t *raw, const ir_senml_pack_t *pack) {
    const ir_raw_key_t key = ir_raw_key(raw->mote.size > 0 ? pack : NULL, raw->mote, raw->body,
                                        raw->name, raw->clock.arrival_ns);
    ir_id_t id;
    ir_id_raw(&key, &id);
    return ir_id_compare(&raw->id, &id) == 0;
}

ir_id_t ir_raw_plain_id(const ir_raw_document_t *raw) {
    const ir_raw_key_t key = {.kind = IR_RAW_PLAIN, .mote = raw->mote, .body = raw->body};
    ir_id_t id;
    ir_id_raw(&key, &id);
    return id;
}
