/* A hash table by name with open addressing, for many look-ups and few additions. Reading needs no
 * lock once additions have ended. */
#ifndef IR_COMMON_NAME_TABLE_H
#define IR_COMMON_NAME_TABLE_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_name_table_place {
    const char *name;
    void *value; /* NULL: the place is free */
    uint32_t size, hash;
} ir_name_table_place_t;

typedef struct ir_table {
    ir_name_table_place_t *places;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
} ir_name_table_t;

/* The hash of a name. Other tables of names use it too. */
uint32_t ir_name_table_hash(ir_view_t name);

/* Starts empty, allocates nothing. */
void ir_name_table_init(ir_name_table_t *table);
void ir_name_table_free(ir_name_table_t *table);

/* NULL when unknown. */
void *ir_name_table_find(const ir_name_table_t *table, ir_view_t name);

/* Adds `name` (kept, not copied; below 4 GiB), or replaces its value. `value` must not be NULL.
 * False when out of memory. */
bool ir_name_table_add(ir_name_table_t *table, ir_view_t name, void *value);

#endif
