#include "common/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct ir_chunk {
    struct ir_chunk *next;
    size_t size; /* of `bytes` */
    size_t used;
    alignas(max_align_t) char bytes[];
} ir_chunk_t;

struct ir_arena {
    ir_chunk_t *chunks; /* the first one takes new allocations */
    size_t chunk_size;
    size_t footprint;
};

ir_arena_t *ir_arena_new(size_t chunk_size) {
    ir_arena_t *arena = calloc(1, sizeof *arena);
    if (arena != NULL) {
        arena->chunk_size = chunk_size;
    }
    return arena;
}

static void free_chunks(ir_chunk_t *chunk) {
    while (chunk != NULL) {
        ir_chunk_t *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void ir_arena_free(ir_arena_t *arena) {
    if (arena != NULL) {
        free_chunks(arena->chunks);
        free(arena);
    }
}

void ir_arena_reset(ir_arena_t *arena) {
    ir_chunk_t *kept = NULL;
    for (ir_chunk_t *chunk = arena->chunks; chunk != NULL;) {
        ir_chunk_t *next = chunk->next;
        if (kept == NULL && chunk->size == arena->chunk_size) {
            kept = chunk;
        } else {
            free(chunk);
        }
        chunk = next;
    }
    arena->chunks = kept;
    arena->footprint = 0;
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
        arena->footprint = kept->size;
    }
}

static ir_chunk_t *new_chunk(ir_arena_t *arena, size_t size) {
    if (size > SIZE_MAX - sizeof(ir_chunk_t)) {
        return NULL;
    }
    ir_chunk_t *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->size = size;
    chunk->used = 0;
    arena->footprint += size;
    return chunk;
}

/* A large request gets its own chunk. It becomes the second in the list, so that the first chunk
 * continues to take small allocations. */
static void *alloc_large(ir_arena_t *arena, size_t size) {
    ir_chunk_t *chunk = new_chunk(arena, size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->used = size;
    if (arena->chunks != NULL) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    } else {
        chunk->next = NULL;
        arena->chunks = chunk;
    }
    return chunk->bytes;
}

void *ir_arena_alloc(ir_arena_t *arena, size_t size) {
    const size_t align = alignof(max_align_t);
    if (size > SIZE_MAX - align) {
        return NULL;
    }
    size = (size + align - 1) & ~(align - 1);
    ir_chunk_t *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        if (size > arena->chunk_size / 4) {
            return alloc_large(arena, size);
        }
        chunk = new_chunk(arena, arena->chunk_size);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *bytes = chunk->bytes + chunk->used;
    chunk->used += size;
    return bytes;
}

ir_view_t ir_arena_copy(ir_arena_t *arena, ir_view_t view) {
    char *bytes = view.size < SIZE_MAX ? ir_arena_alloc(arena, view.size + 1) : NULL;
    if (bytes == NULL) {
        return (ir_view_t){NULL, 0};
    }
    if (view.size > 0) {
        memcpy(bytes, view.data, view.size);
    }
    bytes[view.size] = '\0';
    return (ir_view_t){bytes, view.size};
}

size_t ir_arena_footprint(const ir_arena_t *arena) {
    return arena->footprint;
}
