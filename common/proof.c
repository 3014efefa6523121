#include "common/proof.h"

#include "common/messages.h"

#include <stdlib.h>
#include <string.h>

#define TOGETHER 64   /* maximum number of suspects (refused items) proved side by side */
#define SPLITS_MAX 48 /* unfinished parts: one for each halving, 32 for 2^32 items */
#define STUCK_MAX 3   /* how many joint puts in a row may fail to reduce the suspects */
#define ROUNDS_MAX (4 * IR_PROOF_TRIES)
#define PAUSE_NS (IR_PROOF_SPREAD_NS / (IR_PROOF_TRIES - 1) + IR_MILLISECOND_NS)

struct ir_suspects {
    const ir_proof_work_t *work;
    uint32_t *items;
    size_t count, capacity;
    ir_answer_t last; /* the server's answer to the suspect that was added last */
    bool out_of_memory;
};

/* ---- one item ---- */

bool ir_proof_add(ir_proof_t *proof, const ir_answer_t *answer, int64_t now_ns) {
    if (proof->tries == 0 || proof->code != answer->code) {
        *proof = (ir_proof_t){.code = answer->code, .first_ns = now_ns};
    }
    proof->tries++;
    return answer->certain ||
           (proof->tries >= IR_PROOF_TRIES && now_ns - proof->first_ns >= IR_PROOF_SPREAD_NS);
}

/* ---- suspects ---- */

static bool keep_suspect(ir_suspects_t *suspects, uint32_t item) {
    if (suspects->count == suspects->capacity) {
        const size_t capacity = suspects->capacity > 0 ? suspects->capacity * 2 : 64;
        uint32_t *grown = realloc(suspects->items, capacity * sizeof *grown);
        if (grown == NULL) {
            suspects->out_of_memory = true;
            return false;
        }
        suspects->items = grown;
        suspects->capacity = capacity;
    }
    suspects->items[suspects->count++] = item;
    return true;
}

bool ir_suspects_add(ir_suspects_t *suspects, uint32_t item, const ir_answer_t *answer) {
    suspects->last = *answer;
    if (answer->certain) {
        const bool good = suspects->work->refuse(suspects->work->context, item, answer);
        suspects->out_of_memory |= !good;
        return good;
    }
    return keep_suspect(suspects, item);
}

static ir_outcome_t retry_for_memory(ir_error_t *error) {
    ir_error_set(error, IR_ERR_MEMORY, "out of memory for what a server refused");
    return IR_OUTCOME_RETRY;
}

static ir_outcome_t retry_for(const ir_answer_t *answer, ir_error_t *error) {
    *error = answer->why;
    return IR_OUTCOME_RETRY;
}

/* Writes the control item. RETRY when the server refuses even that. */
static ir_outcome_t control(const ir_proof_work_t *work, const ir_answer_t *answer,
                            ir_error_t *error) {
    ir_error_t why = {.status = IR_OK};
    if (work->control(work->context, &why) == IR_OUTCOME_OK) {
        return IR_OUTCOME_OK;
    }
    ir_error_set(error, why.status != IR_OK ? why.status : IR_ERR_IO, IR_TEXT_CONTROL_REFUSED,
                 why.text, answer->why.text);
    return IR_OUTCOME_RETRY;
}

/* ---- one item alone ---- */

/* Puts one item. OK: it is durable, or its refusal is certain and recorded. REFUSED: `answer` holds
 * the server's answer. */
static ir_outcome_t put_alone(const ir_proof_work_t *work, uint32_t item, ir_answer_t *answer) {
    ir_suspects_t alone = {.work = work};
    *answer = (ir_answer_t){.code = 0};
    ir_outcome_t outcome = work->put(work->context, &item, 1, &alone, answer);
    if (outcome == IR_OUTCOME_OK && alone.count > 0) {
        *answer = alone.last;
        outcome = IR_OUTCOME_REFUSED;
    }
    if (alone.out_of_memory || (outcome == IR_OUTCOME_REFUSED && answer->certain &&
                                !work->refuse(work->context, item, answer))) {
        outcome = retry_for_memory(&answer->why);
    } else if (outcome == IR_OUTCOME_REFUSED && answer->certain) {
        outcome = IR_OUTCOME_OK;
    }
    free(alone.items);
    return outcome;
}

/* Makes one try. Sets *settled when the item is durable or its refusal is believed. */
static ir_outcome_t try_item(const ir_proof_work_t *work, uint32_t item, ir_proof_t *proof,
                             bool *settled, ir_error_t *error) {
    ir_answer_t answer;
    const ir_outcome_t outcome = put_alone(work, item, &answer);
    *settled = outcome == IR_OUTCOME_OK;
    if (outcome == IR_OUTCOME_RETRY) {
        return retry_for(&answer, error);
    }
    if (*settled) {
        return IR_OUTCOME_OK;
    }
    if (control(work, &answer, error) != IR_OUTCOME_OK) {
        return IR_OUTCOME_RETRY;
    }
    *settled = ir_proof_add(proof, &answer, ir_clock_monotonic());
    return *settled && !work->refuse(work->context, item, &answer) ? retry_for_memory(error)
                                                                   : IR_OUTCOME_OK;
}

/* Waits for the next round; the last one began at `begun_ns`. RETRY when the owner has abandoned
 * the proof. */
static ir_outcome_t pause_after(int64_t begun_ns, const ir_proof_work_t *work, ir_error_t *error) {
    ir_clock_sleep(begun_ns + PAUSE_NS - ir_clock_monotonic());
    if (work->given_up == NULL || !atomic_load(work->given_up)) {
        return IR_OUTCOME_OK;
    }
    ir_error_set(error, IR_ERR_STATE, "a proof under way is given up");
    return IR_OUTCOME_RETRY;
}

/* Proves the items side by side. Settled ones are removed from `items` after each round. */
static ir_outcome_t prove(const ir_proof_work_t *work, uint32_t *items, size_t count,
                          ir_error_t *error) {
    ir_proof_t proofs[TOGETHER] = {{0}};
    int64_t begun_ns = 0;
    for (unsigned round = 0; count > 0 && round < ROUNDS_MAX; round++) {
        size_t left = 0;
        if (round > 0 && pause_after(begun_ns, work, error) != IR_OUTCOME_OK) {
            return IR_OUTCOME_RETRY;
        }
        begun_ns = ir_clock_monotonic();
        for (size_t i = 0; i < count; i++) {
            bool settled = false;
            if (try_item(work, items[i], &proofs[i], &settled, error) != IR_OUTCOME_OK) {
                return IR_OUTCOME_RETRY;
            }
            if (!settled) {
                items[left] = items[i];
                proofs[left++] = proofs[i];
            }
        }
        count = left;
    }
    if (count > 0) {
        ir_error_set(error, IR_ERR_IO, IR_TEXT_TWO_ANSWERS);
    }
    return count == 0 ? IR_OUTCOME_OK : IR_OUTCOME_RETRY;
}

/* ---- suspects that are proved elsewhere ---- */

static ir_outcome_t set_aside(const ir_proof_work_t *work, const uint32_t *items, size_t count,
                              const ir_answer_t *answer, ir_error_t *error) {
    if (count > 0 && control(work, answer, error) != IR_OUTCOME_OK) {
        return IR_OUTCOME_RETRY;
    }
    for (size_t i = 0; i < count; i++) {
        if (!work->set_aside(work->context, items[i], answer)) {
            return retry_for_memory(error);
        }
    }
    return IR_OUTCOME_OK;
}

/* ---- all items ---- */

typedef struct ir_part {
    size_t begin, count;
} ir_part_t;

/* The server refused this item when it was put alone. */
static ir_outcome_t suspect(ir_suspects_t *suspects, uint32_t item, const ir_answer_t *answer,
                            ir_error_t *error) {
    const ir_proof_work_t *work = suspects->work;
    if (answer->certain || !work->in_order) {
        return ir_suspects_add(suspects, item, answer) ? IR_OUTCOME_OK : retry_for_memory(error);
    }
    return work->set_aside != NULL ? set_aside(work, &item, 1, answer, error)
                                   : prove(work, &item, 1, error);
}

/* Puts all items. A refused part is halved and put again, until each suspect is alone. */
static ir_outcome_t put_parts(const uint32_t *items, size_t count, ir_suspects_t *suspects,
                              ir_error_t *error) {
    const ir_proof_work_t *work = suspects->work;
    ir_part_t parts[SPLITS_MAX];
    size_t n_parts = 0;
    parts[n_parts++] = (ir_part_t){0, count};
    while (n_parts > 0) {
        const ir_part_t part = parts[--n_parts];
        ir_answer_t answer = {.code = 0};
        ir_outcome_t outcome =
            work->put(work->context, items + part.begin, part.count, suspects, &answer);
        if (outcome == IR_OUTCOME_RETRY) {
            return retry_for(&answer, error);
        }
        if (outcome == IR_OUTCOME_REFUSED && part.count == 1) {
            outcome = suspect(suspects, items[part.begin], &answer, error);
        } else if (outcome == IR_OUTCOME_REFUSED) {
            const size_t half = part.count / 2;
            parts[n_parts++] = (ir_part_t){part.begin + half, part.count - half};
            parts[n_parts++] = (ir_part_t){part.begin, half};
            outcome = control(work, &answer, error);
        }
        if (outcome != IR_OUTCOME_OK) {
            return outcome;
        }
        if (suspects->out_of_memory) {
            return retry_for_memory(error);
        }
    }
    return IR_OUTCOME_OK;
}

/* Many suspects rarely mean many bad items. Puts the suspects together again, until a few attempts
 * in a row do not reduce their number. */
static ir_outcome_t sift(ir_suspects_t *suspects, ir_error_t *error) {
    for (unsigned stuck = 0; suspects->count > TOGETHER && stuck < STUCK_MAX;) {
        ir_suspects_t fewer = {.work = suspects->work};
        ir_outcome_t outcome = control(suspects->work, &suspects->last, error);
        if (outcome == IR_OUTCOME_OK) {
            outcome = pause_after(ir_clock_monotonic(), suspects->work, error);
        }
        if (outcome == IR_OUTCOME_OK) {
            outcome = put_parts(suspects->items, suspects->count, &fewer, error);
        }
        if (outcome != IR_OUTCOME_OK) {
            free(fewer.items);
            return outcome;
        }
        stuck = fewer.count < suspects->count ? 0 : stuck + 1;
        free(suspects->items);
        *suspects = fewer;
    }
    return IR_OUTCOME_OK;
}

static ir_outcome_t prove_all(ir_suspects_t *suspects, ir_error_t *error) {
    if (sift(suspects, error) != IR_OUTCOME_OK) {
        return IR_OUTCOME_RETRY;
    }
    for (size_t i = 0; i < suspects->count; i += TOGETHER) {
        const size_t left = suspects->count - i;
        if (prove(suspects->work, suspects->items + i, left < TOGETHER ? left : TOGETHER, error) !=
            IR_OUTCOME_OK) {
            return IR_OUTCOME_RETRY;
        }
    }
    return IR_OUTCOME_OK;
}

ir_outcome_t ir_proof_run(const ir_proof_work_t *work, uint32_t count, ir_error_t *error) {
    ir_suspects_t suspects = {.work = work};
    uint32_t *items = count > 0 ? malloc(count * sizeof *items) : NULL;
    if (count == 0) {
        return IR_OUTCOME_OK;
    }
    if (items == NULL) {
        return retry_for_memory(error);
    }
    for (uint32_t i = 0; i < count; i++) {
        items[i] = i;
    }
    ir_outcome_t outcome = put_parts(items, count, &suspects, error);
    if (outcome == IR_OUTCOME_OK) {
        outcome = work->set_aside != NULL
                      ? set_aside(work, suspects.items, suspects.count, &suspects.last, error)
                      : prove_all(&suspects, error);
    }
    free(suspects.items);
    free(items);
    return outcome;
}
