/* What was refused, as ir-store rejected works on it. Its files share this. */
#ifndef IR_STORE_REJECTED_H
#define IR_STORE_REJECTED_H

#include "common/arena.h"
#include "common/buffer.h"
#include "store/command.h"
#include "store/replay.h"
#include "store/selection.h"

typedef enum ir_rejected_verb {
    IR_REJECTED_LIST,
    IR_REJECTED_SHOW,
    IR_REJECTED_REPLAY,
    IR_REJECTED_DROP
} ir_rejected_verb_t;

/* One call of the command. */
typedef struct ir_rejected {
    const ir_stores_t *stores;
    ir_rejected_verb_t verb;
    const char *which; /* an id, or NULL */
    ir_id_t id;        /* the same, where the selection points to it */
    ir_raw_selection_t selection;
    ir_broker_options_t broker;
    ir_replay_t *replay; /* open for replay, unless it is only tried */
    uint64_t seen, done, unfit;
    ir_buffer_t line;
    ir_arena_t *arena; /* of the message in hand */
    ir_error_t *error;
} ir_rejected_t;

/* Whether `limit` is reached. */
bool ir_rejected_full(const ir_rejected_t *rejected);

/* Prints and empties the line. IR_ERR_IO. */
ir_status_t ir_rejected_print(ir_rejected_t *rejected);

/* Writes a body as it is to the output. IR_ERR_IO. */
ir_status_t ir_rejected_write(ir_rejected_t *rejected, ir_view_t body);

/* Appends `"key":"time"`, with a comma before it. */
void ir_rejected_append_time(ir_buffer_t *out, const char *key, int64_t time_ns);

/* The same command for what is in the queue (rejected_queue.c). */
ir_status_t ir_rejected_in_queue(ir_rejected_t *rejected);

#endif
