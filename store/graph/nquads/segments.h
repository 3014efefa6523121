/* The segments of an N-Quads directory: their list, and which of them contains an id. One thread at
 * a time. */
#ifndef IR_STORE_GRAPH_NQUADS_SEGMENTS_H
#define IR_STORE_GRAPH_NQUADS_SEGMENTS_H

#include "common/status.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_segment_name {
    char *stem;    /* the name without its ending */
    bool open;     /* being written, by a live or a dead writer */
    bool archived; /* only its ids are there */
} ir_segment_name_t;

typedef struct ir_segment_list {
    ir_segment_name_t *names; /* sorted by stem, each once */
    size_t count, capacity;
} ir_segment_list_t;

ir_status_t ir_segment_list_read(const char *directory, ir_segment_list_t *list, ir_error_t *error);
void ir_segment_list_free(ir_segment_list_t *list);

/* Opens a segment for reading, even if it is sealed during this call. IR_ERR_NOT_FOUND: it is
 * archived, or was archived or removed meanwhile. */
ir_status_t ir_segment_list_open(const char *directory, const ir_segment_name_t *name, int *fd,
                                 ir_error_t *error);

typedef struct ir_segments ir_segments_t;

/* Creates an empty list; reads nothing yet. Returns NULL when memory is exhausted. */
ir_segments_t *ir_segments_new(const char *directory);
void ir_segments_free(ir_segments_t *segments);

/* Resets it to new, after the directory was replaced. */
void ir_segments_forget(ir_segments_t *segments);

/* Reads new data: the sorted ids of sealed segments, which are mapped, and lines of open segments
 * that were not read before. These lines are made durable first, because their writer may have died
 * before it did so. The segment `own` (a stem, or NULL) is skipped while it is open. */
ir_status_t ir_segments_refresh(ir_segments_t *segments, const char *own, ir_error_t *error);

/* Whether any segment had the id at the last refresh. */
bool ir_segments_has(const ir_segments_t *segments, const ir_id_t *id);

#endif
