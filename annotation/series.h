/* The recent past of every series that quality control has seen, least recently used first to go.
 * One thread at a time. */
#ifndef IR_ANNOTATION_SERIES_H
#define IR_ANNOTATION_SERIES_H

#include "annotation/quality.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_series {
    /* used by quality control */
    bool fresh;         /* nothing is known: to be read, or cold */
    uint32_t session;   /* of the partition it was read in */
    size_t seen;        /* points so far, at least; exact below 3 */
    ir_point_t last[2]; /* newest first; valid as far as `seen` says */
    double *values;     /* newest first from `begin` on */
    size_t capacity;    /* values kept */
    size_t begin;       /* index of the newest */
    size_t n_values;
    /* used by the table */
    char *name;
    uint64_t hash, used;
    struct ir_series *next; /* in its bucket */
    struct ir_series *newer, *older;
} ir_series_t;

typedef struct ir_series_table ir_series_table_t;

/* NULL when memory is out. */
ir_series_table_t *ir_series_table_new(size_t most);
void ir_series_table_free(ir_series_table_t *table);

/* Forgets all of them. */
void ir_series_table_clear(ir_series_table_t *table);

size_t ir_series_table_count(const ir_series_table_t *table);

/* The series of that name, made fresh if it is not there; it keeps at least `capacity` values.
 * `turn` counts up with every batch: a series used in the present turn does not go. NULL when
 * memory is out. Valid until the turn ends. */
ir_series_t *ir_series_table_get(ir_series_table_t *table, const char *name, size_t capacity,
                                 uint64_t turn);

/* The values, newest first, `n_values` of them. */
static inline const double *ir_series_values(const ir_series_t *series) {
    return series->values + series->begin;
}

/* Puts a new value before the others. */
void ir_series_push(ir_series_t *series, double value);

#endif
