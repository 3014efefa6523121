/* A SenML pack: a mote's measurements at one time. It depends only on adjacent rows of one file and
 * on the mapping, not on how much is read at once. So reading again gives the same bytes. */
#ifndef IR_FEED_PACK_H
#define IR_FEED_PACK_H

#include "common/arena.h"
#include "common/buffer.h"
#include "common/view.h"
#include "feed/reading.h"
#include "feed/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Maximum number of records in a pack; further records begin another. */
#define IR_PACK_RECORDS_MAX 1000

typedef struct ir_input ir_input_t;

typedef struct ir_pack {
    ir_view_t mote, body;
    int64_t time_ns;
    const ir_input_t *input;
    ir_row_place_t begin; /* place of its first row */
    ir_row_place_t head;  /* place of the header rows that apply to it */
    size_t notes;         /* the number of the input's notes before its first row */
    bool given;           /* passed to a sender */
    bool settled;         /* has a final answer, from now or from an earlier run */
} ir_pack_t;

/* A pack that is being built. */
typedef struct ir_pack_draft {
    ir_pack_t pack;
    ir_reading_value_t values[IR_PACK_RECORDS_MAX];
    size_t n_values; /* 0: there is none */
} ir_pack_draft_t;

/* Whether the reading belongs to the same pack as the draft. */
bool ir_pack_joins(const ir_pack_draft_t *draft, const ir_reading_t *reading);

/* Begins a pack, or adds to it. Skips a value that the pack already has (same sensor, same number).
 */
void ir_pack_add(ir_pack_draft_t *draft, const ir_reading_t *reading);

/* Writes the pack; body and texts are in the arena. False when out of memory. */
bool ir_pack_finish(ir_pack_draft_t *draft, ir_arena_t *arena, ir_buffer_t *scratch);

#endif
