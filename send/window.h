/* The messages that are sent and have no final answer yet. One thread. */
#ifndef IR_SEND_WINDOW_H
#define IR_SEND_WINDOW_H

#include "common/buffer.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One of them; its place stays the same until it is released. */
typedef struct ir_open {
    uint64_t number; /* in the source */
    uint64_t ticket; /* of the receipts */
    int64_t intended_ns, sent_ns;
    ir_id_t raw_id;
    ir_buffer_t body;
    uint32_t lane; /* that it goes by */
    uint32_t n_records, n_accepted;
    uint32_t sent;     /* how often */
    bool given;        /* the sender has it; else it is to be given again */
    bool repeat;       /* of an earlier message */
    bool arrives;      /* its times count from its arrival */
    bool raw_id_known; /* else that follows from its arrival, too */
    bool used;
} ir_open_t;

typedef struct ir_window ir_window_t;

/* NULL when memory is out. */
ir_window_t *ir_window_new(unsigned capacity);
void ir_window_free(ir_window_t *window);

unsigned ir_window_count(const ir_window_t *window);
bool ir_window_full(const ir_window_t *window);

/* A place with an empty body; not when full. */
ir_open_t *ir_window_take(ir_window_t *window);
void ir_window_release(ir_window_t *window, ir_open_t *open);

/* Places have numbers below the capacity. */
uint64_t ir_window_place(const ir_window_t *window, const ir_open_t *open);
ir_open_t *ir_window_at(ir_window_t *window, uint64_t place);

/* Those that go by this lane, in the order of their numbers. The list lives until the next call. */
ir_open_t *const *ir_window_of_lane(ir_window_t *window, uint32_t lane, unsigned *count);

/* All that are open, in no order: from NULL on, until NULL. */
ir_open_t *ir_window_next(ir_window_t *window, const ir_open_t *after);

#endif
