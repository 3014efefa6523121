/* The state of ir-store rejected, shared by its files. */
#ifndef IR_STORE_COMMAND_REJECTED_H
#define IR_STORE_COMMAND_REJECTED_H

#include "common/arena.h"
#include "common/buffer.h"
#include "store/command/command.h"
#include "store/command/replay.h"
#include "store/command/selection.h"

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
    ir_id_t id;        /* the requested id, to which the selection points */
    ir_raw_selection_t selection;
    ir_broker_options_t broker;
    ir_republisher_t *replay; /* open for replay, except in a dry run */
    uint64_t seen, done, unfit;
    ir_buffer_t line;
    ir_arena_t *arena; /* memory for the current message */
    ir_error_t *error;
} ir_rejected_t;

/* Whether `limit` has been reached. */
bool ir_rejected_full(const ir_rejected_t *rejected);

/* Prints the line and empties it. IR_ERR_IO. */
ir_status_t ir_rejected_print(ir_rejected_t *rejected);

/* Writes a body unchanged to the output. IR_ERR_IO. */
ir_status_t ir_rejected_write(ir_rejected_t *rejected, ir_view_t body);

/* Appends `"key":"time"`, preceded by a comma. */
void ir_rejected_append_time(ir_buffer_t *out, const char *key, int64_t time_ns);

/* Runs the command for messages in the queue (rejected_queue.c). */
ir_status_t ir_rejected_in_queue(ir_rejected_t *rejected);

#endif
