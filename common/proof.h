/* Decides whether an item that a server refused is really bad. All stores and publishers use it,
 * for documents, statements and messages. Every write ends in OK, RETRY or REFUSED
 * (common/status.h).
 *
 * A refusal counts at once only if its code is documented to be about the data; the writer marks it
 * as certain. Any other refusal must be proved: the same answer in IR_PROOF_TRIES tries of this
 * item alone, over at least IR_PROOF_SPREAD_NS. After each try the writer must succeed in writing
 * the control item: an item of the same kind that is certainly good, stored where readers do not
 * see it. If the server refuses the control item too, the trouble is the server's: the outcome is
 * RETRY, and the proof starts again.
 *
 * Meanwhile the other items are written: a part that is refused is halved until each suspect is
 * alone. Then the suspects are proved side by side, within the same two seconds, or the writer sets
 * them aside to be proved elsewhere. One thread. */
#ifndef IR_COMMON_PROOF_H
#define IR_COMMON_PROOF_H

#include "common/clock.h"
#include "common/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_PROOF_TRIES 8
#define IR_PROOF_SPREAD_NS (2 * IR_SECOND_NS)

/* A server's answer to one item. Two answers with the same code count as the same. */
typedef struct ir_answer {
    int64_t code;
    bool certain;   /* the code is documented to be about the data */
    ir_error_t why; /* for people */
} ir_answer_t;

/* ---- one item ---- */

typedef struct ir_proof {
    unsigned tries; /* tries with the same answer and a good control item */
    int64_t code;
    int64_t first_ns;
} ir_proof_t;

/* Records that the item was refused alone at `now_ns` (monotonic) and that the control item was
 * written after it. Returns true when the refusal is now believed. */
bool ir_proof_add(ir_proof_t *proof, const ir_answer_t *answer, int64_t now_ns);

/* ---- all items of a batch ---- */

/* Where a writer notes the items that a server refused one by one while it accepted the others. */
typedef struct ir_suspects ir_suspects_t;

/* Returns false when memory is exhausted. */
bool ir_suspects_add(ir_suspects_t *suspects, uint32_t item, const ir_answer_t *answer);

typedef struct ir_proof_work {
    /* Writes these items. OK: all are durable except those it added to `suspects`. REFUSED: at
     * least one was refused and the state of all is unknown; `answer` holds the server's answer.
     * RETRY: answer->why holds the reason. */
    ir_outcome_t (*put)(void *context, const uint32_t *items, size_t count, ir_suspects_t *suspects,
                        ir_answer_t *answer);
    /* Writes the control item. OK means that it was accepted. */
    ir_outcome_t (*control)(void *context, ir_error_t *error);
    /* Called when a refusal is believed. Returns false when memory is exhausted. */
    bool (*refuse)(void *context, uint32_t item, const ir_answer_t *answer);
    /* Sets a suspect aside unproved, after the control item was written. The writer keeps track of
     * the items that must wait for it. Returns false when memory is exhausted. NULL: suspects are
     * proved here. */
    bool (*set_aside)(void *context, uint32_t item, const ir_answer_t *answer);
    void *context;
    bool in_order;               /* prove or set aside a suspect before putting any later item */
    const atomic_bool *given_up; /* when true, a running proof ends in RETRY; NULL: never */
} ir_proof_work_t;

/* Puts the items 0 … count - 1. OK: each item is durable, was refused or was set aside. RETRY:
 * `error` holds the reason, and each item may or may not be done. Takes about two seconds when
 * there are suspects that are not set aside. */
ir_outcome_t ir_proof_run(const ir_proof_work_t *work, uint32_t count, ir_error_t *error);

#endif
