#include "broker/confirms.h"

#include <string.h>

void ir_confirms_init(ir_confirms_t *confirms) {
    memset(confirms, 0, sizeof *confirms);
    confirms->oldest = 1;
    confirms->next = 1;
}

static uint64_t *word_of(ir_confirms_t *confirms, uint64_t tag) {
    return &confirms->answered[tag % IR_CONFIRMS_WINDOW / 64];
}

static uint64_t bit_of(uint64_t tag) {
    return UINT64_C(1) << tag % 64;
}

bool ir_confirms_is_open(const ir_confirms_t *confirms, uint64_t tag) {
    return tag >= confirms->oldest && tag < confirms->next &&
           (confirms->answered[tag % IR_CONFIRMS_WINDOW / 64] & bit_of(tag)) == 0;
}

/* Moves the window over its oldest number; true when that was still open. */
static bool close_oldest(ir_confirms_t *confirms) {
    const uint64_t tag = confirms->oldest++;
    const bool was_open = (*word_of(confirms, tag) & bit_of(tag)) == 0;
    *word_of(confirms, tag) &= ~bit_of(tag);
    return was_open;
}

static void skip_answered(ir_confirms_t *confirms) {
    while (confirms->oldest < confirms->next &&
           (*word_of(confirms, confirms->oldest) & bit_of(confirms->oldest)) != 0) {
        close_oldest(confirms);
    }
}

static uint64_t answer_up_to(ir_confirms_t *confirms, uint64_t tag) {
    uint64_t answered = 0;
    while (confirms->oldest <= tag) {
        answered += close_oldest(confirms);
    }
    return answered;
}

static uint64_t answer_one(ir_confirms_t *confirms, uint64_t tag) {
    if (tag < confirms->oldest || (*word_of(confirms, tag) & bit_of(tag)) != 0) {
        return 0;
    }
    *word_of(confirms, tag) |= bit_of(tag);
    return 1;
}

bool ir_confirms_answer(ir_confirms_t *confirms, uint64_t tag, bool multiple, uint64_t *answered) {
    if (tag == 0 && multiple) {
        tag = confirms->next - 1;
    }
    if (tag >= confirms->next || (tag == 0 && !multiple)) {
        return false;
    }
    *answered = multiple ? answer_up_to(confirms, tag) : answer_one(confirms, tag);
    confirms->open -= *answered;
    skip_answered(confirms);
    return true;
}
