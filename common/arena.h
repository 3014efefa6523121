/* A bump allocator: many small allocations, freed together. One thread at a time. */
#ifndef IR_COMMON_ARENA_H
#define IR_COMMON_ARENA_H

#include "common/view.h"

#include <stddef.h>

typedef struct ir_arena ir_arena_t;

/* Chunks of `chunk_size` bytes are taken as needed; larger requests get a chunk of their own.
 * Returns NULL when memory is out. */
ir_arena_t *ir_arena_new(size_t chunk_size);

/* Takes NULL. */
void ir_arena_free(ir_arena_t *arena);

/* Forgets all allocations; keeps one chunk for the next use and frees the others. */
void ir_arena_reset(ir_arena_t *arena);

/* `size` bytes aligned for any type, not zeroed; NULL when memory is out. Valid until reset. */
void *ir_arena_alloc(ir_arena_t *arena, size_t size);

/* A copy of the view's bytes, NUL-terminated beyond `size`; data is NULL when memory is out. */
ir_view_t ir_arena_copy(ir_arena_t *arena, ir_view_t view);

/* Bytes taken from the system at present. */
size_t ir_arena_footprint(const ir_arena_t *arena);

#endif
