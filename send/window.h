/* Messages that have been sent but have no final answer. One thread. */
#ifndef IR_SEND_WINDOW_H
#define IR_SEND_WINDOW_H

#include "common/buffer.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One of these messages; its slot does not change until it is released. */
typedef struct ir_open {
    uint64_t number; /* number of the message in the source */
    uint64_t ticket; /* its ticket from the tracker */
    int64_t intended_ns, sent_ns;
    ir_id_t raw_id;
    ir_buffer_t body;
    uint32_t lane; /* the lane that sends it */
    uint32_t n_records, n_accepted;
    uint32_t sent;     /* how often */
    bool given;        /* the sender has the message; otherwise it must be passed to the sender
                        * again */
    bool repeat;       /* the message repeats an earlier one */
    bool arrives;      /* its times are relative to its arrival */
    bool raw_id_known; /* otherwise the id depends on the arrival, too */
    bool used;
} ir_open_t;

typedef struct ir_window ir_window_t;

/* NULL when out of memory. */
ir_window_t *ir_window_new(unsigned capacity);
void ir_window_free(ir_window_t *window);

unsigned ir_window_count(const ir_window_t *window);
bool ir_window_full(const ir_window_t *window);

/* Returns a slot with an empty body. Do not call when the window is full. */
ir_open_t *ir_window_take(ir_window_t *window);
void ir_window_release(ir_window_t *window, ir_open_t *open);

/* Slots are numbered below the capacity. */
uint64_t ir_window_place(const ir_window_t *window, const ir_open_t *open);
ir_open_t *ir_window_at(ir_window_t *window, uint64_t place);

/* The messages of this lane (one connection of the sender), in the order of their numbers. The list
 * is valid until the next call. */
ir_open_t *const *ir_window_of_lane(ir_window_t *window, uint32_t lane, unsigned *count);

/* Iterates over all open messages, unordered: start with NULL; ends with NULL. */
ir_open_t *ir_window_next(ir_window_t *window, const ir_open_t *after);

#endif
