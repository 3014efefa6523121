/* A table of the recent past of each series, for quality control. The least recently used series
 * are dropped first. One thread at a time. */
#ifndef IR_ANNOTATION_QUALITY_SERIES_STATE_H
#define IR_ANNOTATION_QUALITY_SERIES_STATE_H

#include "annotation/quality/point.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_series_state {
    /* used by quality control */
    bool fresh;         /* just made: its past is not read yet */
    uint32_t session;   /* session of the partition when it was read */
    size_t seen;        /* number of points so far; exact if below 3, otherwise a lower bound */
    ir_point_t last[2]; /* the newest first; only the first min(seen, 2) are valid */
    double *values;     /* newest first, starting at `begin` */
    size_t capacity;    /* how many values are kept */
    size_t begin;       /* index of the newest */
    size_t n_values;
    /* used by the table */
    char *name;
    uint64_t hash, used;
    struct ir_series_state *next; /* the next series in the same bucket */
    struct ir_series_state *newer, *older;
} ir_series_state_t;

typedef struct ir_series_table ir_series_table_t;

/* Returns NULL when memory is exhausted. */
ir_series_table_t *ir_series_table_new(size_t most);
void ir_series_table_free(ir_series_table_t *table);

/* Drops all series. */
void ir_series_table_clear(ir_series_table_t *table);

size_t ir_series_table_count(const ir_series_table_t *table);

/* Returns the series of that name. A missing one is made and marked fresh; it keeps at least
 * `capacity` values. `turn` increases with every batch, and a series used in the current turn is
 * never dropped, so the result stays valid for that turn. NULL when memory is exhausted. */
ir_series_state_t *ir_series_table_get(ir_series_table_t *table, const char *name, size_t capacity,
                                       uint64_t turn);

/* The values, newest first; there are `n_values`. */
static inline const double *ir_series_state_values(const ir_series_state_t *series) {
    return series->values + series->begin;
}

/* Adds a value as the newest. */
void ir_series_state_push(ir_series_state_t *series, double value);

#endif
