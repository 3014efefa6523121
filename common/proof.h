/* The one place that decides what becomes of items that a server does not take: documents,
 * statements, messages that are published. Every write ends in OK, RETRY or REFUSED
 * (common/status.h).
 *
 * A refusal counts at once only when its code is documented to be about the data; the writer says
 * so. Any other answer is believed only after the same answer in IR_PROOF_TRIES tries of this item
 * alone, spread over at least IR_PROOF_SPREAD_NS, each followed by a successful write of the
 * control item: one of the same kind that is certainly good, in a place of its own that readers do
 * not see. A control item that is not taken starts all over: it is the server's trouble, and the
 * outcome is RETRY.
 *
 * Meanwhile the rest is written: what is refused together is halved until the suspects are alone.
 * Then these are proved together, in the same two seconds, or the writer sets them aside for
 * somebody else to prove. One thread. */
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

/* What a server says to an item. Two answers with the same code are the same answer. */
typedef struct ir_answer {
    int64_t code;
    bool certain;   /* the code is documented to be about the data */
    ir_error_t why; /* for people */
} ir_answer_t;

/* ---- one item ---- */

typedef struct ir_proof {
    unsigned tries; /* with the same answer, each followed by a good control item */
    int64_t code;
    int64_t first_ns;
} ir_proof_t;

/* Takes in that the item was refused at `now_ns` (monotonic), alone, and that the control item was
 * written after it. True when the refusal is to be believed. */
bool ir_proof_add(ir_proof_t *proof, const ir_answer_t *answer, int64_t now_ns);

/* ---- all items of a batch ---- */

/* Where a writer notes items that a server refused, one by one, while it took the others. */
typedef struct ir_suspects ir_suspects_t;

/* False when memory is out. */
bool ir_suspects_add(ir_suspects_t *suspects, uint32_t item, const ir_answer_t *answer);

typedef struct ir_proof_work {
    /* Writes these. OK: all are durable but those that it added to `suspects`. REFUSED: something
     * among them is refused, and nothing may be assumed of any of them: `answer` says what the
     * server said. RETRY: answer->why says why. */
    ir_outcome_t (*put)(void *context, const uint32_t *items, size_t count, ir_suspects_t *suspects,
                        ir_answer_t *answer);
    /* Writes the control item; OK or anything else. */
    ir_outcome_t (*control)(void *context, ir_error_t *error);
    /* The refusal is believed. False when memory is out. */
    bool (*refuse)(void *context, uint32_t item, const ir_answer_t *answer);
    /* Takes a suspect away unproved, while the control item is taken; what has to wait for it is
     * the writer's to know. False when memory is out. NULL: suspects are proved here. */
    bool (*set_aside)(void *context, uint32_t item, const ir_answer_t *answer);
    void *context;
    bool in_order; /* a suspect is proved, or set aside, before anything behind it is put */
    const atomic_bool *given_up; /* once it is true, a proof under way ends in RETRY; NULL: never */
} ir_proof_work_t;

/* Puts the items 0 … count - 1. OK: each is durable, was refused or was set aside. RETRY: `error`
 * says why; any of this may be true of some. Takes about two seconds when there are suspects that
 * are not set aside. */
ir_outcome_t ir_proof_run(const ir_proof_work_t *work, uint32_t count, ir_error_t *error);

#endif
