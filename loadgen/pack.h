/* The messages of a replay as SenML packs, one for each station and time or one for each
 * observation. Everything but the time is rendered once, when the packs are made, so that a message
 * costs a copy and its ids. Messages have numbers, from 0, through all repetitions. Read-only after
 * making, any thread. */
#ifndef IR_LOADGEN_PACK_H
#define IR_LOADGEN_PACK_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"
#include "loadgen/replay.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ir_pack_format { IR_PACK_JSON, IR_PACK_CBOR } ir_pack_format_t;

typedef struct ir_packs_options {
    ir_pack_format_t format;
    bool single_records; /* one observation a message */
    int64_t repeat;      /* 1 … ir_replay_repeats() */
    uint64_t messages;   /* at most so many; 0: all */
} ir_packs_options_t;

typedef struct ir_packs ir_packs_t;

/* `replay` outlives the packs. IR_ERR_USAGE when it cannot be repeated so often. */
ir_status_t ir_packs_new(const ir_replay_t *replay, const ir_packs_options_t *options,
                         ir_packs_t **packs, ir_error_t *error);
void ir_packs_free(ir_packs_t *packs);

uint64_t ir_packs_messages(const ir_packs_t *packs);
uint64_t ir_packs_observations(const ir_packs_t *packs);
size_t ir_packs_records_max(const ir_packs_t *packs); /* of one message */
const char *ir_packs_content_type(const ir_packs_t *packs);

/* What is known of a message without rendering it. */
typedef struct ir_pack {
    ir_view_t mote;
    ir_view_t routing_key; /* "ir.MOTE" */
    unsigned mote_number;
    size_t n_records;
} ir_pack_t;

void ir_packs_get(const ir_packs_t *packs, uint64_t number, ir_pack_t *pack);

/* Appends the body; see ir_buffer_ok. */
void ir_packs_body(const ir_packs_t *packs, uint64_t number, ir_buffer_t *out);

/* The ids of its observations, n_records of them, as the worker will find them. False when memory
 * is out. */
bool ir_packs_ids(const ir_packs_t *packs, uint64_t number, ir_id_t *ids);

#endif
