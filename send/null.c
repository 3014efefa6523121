#include "send/sender.h"

#include <stdlib.h>

#include "common/clock.h"

typedef struct ir_null {
    ir_answers_t answers;
    uint64_t taken[IR_SENDER_OPEN_MAX];
    unsigned count;
} ir_null_t;

static void *open_null(const ir_target_t *target, const ir_answers_t *answers) {
    (void)target;
    ir_null_t *null = calloc(1, sizeof *null);
    if (null != NULL) {
        null->answers = *answers;
    }
    return null;
}

static ir_outcome_t connect_null(void *sender, ir_error_t *error) {
    (void)sender;
    (void)error;
    return IR_OUTCOME_OK;
}

static ir_outcome_t send_null(void *sender, const ir_parcel_t *parcel, ir_error_t *error) {
    (void)error;
    ir_null_t *null = sender;
    null->taken[null->count++] = parcel->number;
    return IR_OUTCOME_OK;
}

static ir_outcome_t push_null(void *sender, int64_t wait_ns, ir_error_t *error) {
    (void)error;
    ir_null_t *null = sender;
    if (null->count == 0) {
        ir_clock_sleep(wait_ns);
    }
    for (unsigned i = 0; i < null->count; i++) {
        null->answers.take(null->answers.context, null->taken[i], IR_ANSWER_CONFIRMED, NULL);
    }
    null->count = 0;
    return IR_OUTCOME_OK;
}

const ir_sender_t ir_sender_null = {
    .name = "null",
    .multiplexes = true,
    .open = open_null,
    .close = free,
    .connect = connect_null,
    .send = send_null,
    .push = push_null,
};
