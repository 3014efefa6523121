/* A bump allocator: many small allocations, freed together. One thread at a time. */
#ifndef IR_COMMON_ARENA_H
#define IR_COMMON_ARENA_H

#include "common/view.h"

#include <stddef.h>

typedef struct ir_arena ir_arena_t;

/* Takes chunks of `chunk_size` bytes from the system when it needs them. A larger request gets a
 * chunk of its own. Returns NULL when memory is exhausted. */
ir_arena_t *ir_arena_new(size_t chunk_size);

/* NULL is allowed. */
void ir_arena_free(ir_arena_t *arena);

/* Discards all allocations. Keeps one chunk for reuse and frees the others. */
void ir_arena_reset(ir_arena_t *arena);

/* Returns `size` bytes, aligned for any type and not zeroed; NULL when memory is exhausted. Valid
 * until the next reset. */
void *ir_arena_alloc(ir_arena_t *arena, size_t size);

/* Copies the view's bytes and adds a NUL, which `size` does not count. `data` is NULL when memory
 * is exhausted. */
ir_view_t ir_arena_copy(ir_arena_t *arena, ir_view_t view);

/* Bytes currently held from the system. */
size_t ir_arena_footprint(const ir_arena_t *arena);

#endif
