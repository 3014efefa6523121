#include "send/window.h"

#include "common/invariant.h"

#include <stdlib.h>

struct ir_window {
    ir_open_t *places;
    uint32_t *spare; /* places not used */
    ir_open_t **list;
    unsigned capacity, n_spare;
};

ir_window_t *ir_window_new(unsigned capacity) {
    ir_window_t *window = calloc(1, sizeof *window);
    if (window == NULL) {
        return NULL;
    }
    window->capacity = capacity;
    window->places = calloc(capacity, sizeof window->places[0]);
    window->spare = calloc(capacity, sizeof window->spare[0]);
    window->list = calloc(capacity, sizeof(ir_open_t *));
    if (window->places == NULL || window->spare == NULL || window->list == NULL) {
        ir_window_free(window);
        return NULL;
    }
    for (unsigned i = 0; i < capacity; i++) {
        ir_buffer_init(&window->places[i].body);
        window->spare[window->n_spare++] = capacity - 1 - i;
    }
    return window;
}

void ir_window_free(ir_window_t *window) {
    if (window != NULL) {
        for (unsigned i = 0; window->places != NULL && i < window->capacity; i++) {
            ir_buffer_free(&window->places[i].body);
        }
        free(window->places);
        free(window->spare);
        free(window->list);
        free(window);
    }
}

unsigned ir_window_count(const ir_window_t *window) {
    return window->capacity - window->n_spare;
}

bool ir_window_full(const ir_window_t *window) {
    return window->n_spare == 0;
}

ir_open_t *ir_window_take(ir_window_t *window) {
    IR_INVARIANT(window->n_spare > 0);
    ir_open_t *open = &window->places[window->spare[--window->n_spare]];
    open->used = true;
    ir_buffer_clear(&open->body);
    return open;
}

void ir_window_release(ir_window_t *window, ir_open_t *open) {
    IR_INVARIANT(open->used && window->n_spare < window->capacity);
    open->used = false;
    window->spare[window->n_spare++] = (uint32_t)ir_window_place(window, open);
}

uint64_t ir_window_place(const ir_window_t *window, const ir_open_t *open) {
    return (uint64_t)(open - window->places);
}

ir_open_t *ir_window_at(ir_window_t *window, uint64_t place) {
    return &window->places[place];
}

static int by_number(const void *a, const void *b) {
    const uint64_t left = (*(const ir_open_t *const *)a)->number;
    const uint64_t right = (*(const ir_open_t *const *)b)->number;
    return left < right ? -1 : left > right;
}

ir_open_t *const *ir_window_of_lane(ir_window_t *window, uint32_t lane, unsigned *count) {
    unsigned found = 0;
    for (unsigned i = 0; i < window->capacity; i++) {
        if (window->places[i].used && window->places[i].lane == lane) {
            window->list[found++] = &window->places[i];
        }
    }
    qsort(window->list, found, sizeof(ir_open_t *), by_number);
    *count = found;
    return window->list;
}

ir_open_t *ir_window_next(ir_window_t *window, const ir_open_t *after) {
    const uint64_t first = after != NULL ? ir_window_place(window, after) + 1 : 0;
    for (uint64_t i = first; i < window->capacity; i++) {
        if (window->places[i].used) {
            return &window->places[i];
        }
    }
    return NULL;
}
