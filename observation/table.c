#include "observation/table.h"

#include <stdint.h>
#include <stdlib.h>

#define FIRST_CAPACITY 64

/* FNV-1a; its low bits choose the place, so the high ones are folded in. */
static size_t hash(ir_view_t name) {
    uint64_t state = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.size; i++) {
        state = (state ^ (unsigned char)name.data[i]) * UINT64_C(0x100000001b3);
    }
    return (size_t)(state ^ (state >> 32));
}

void ir_table_init(ir_table_t *table) {
    *table = (ir_table_t){NULL, 0, 0};
}

void ir_table_free(ir_table_t *table) {
    free(table->places);
    ir_table_init(table);
}

/* The place of `name`, or the free one where it would be. Half of the places are free. */
static ir_table_place_t *place_of(const ir_table_t *table, ir_view_t name) {
    const size_t mask = table->capacity - 1;
    size_t at = hash(name) & mask;
    while (table->places[at].value != NULL && !ir_view_equal(table->places[at].name, name)) {
        at = (at + 1) & mask;
    }
    return &table->places[at];
}

void *ir_table_find(const ir_table_t *table, ir_view_t name) {
    return table->count > 0 ? place_of(table, name)->value : NULL;
}

static bool grow(ir_table_t *table) {
    ir_table_t grown = {NULL, table->capacity > 0 ? table->capacity * 2 : FIRST_CAPACITY, 0};
    grown.places = calloc(grown.capacity, sizeof *grown.places);
    if (grown.places == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->places[i].value != NULL) {
            *place_of(&grown, table->places[i].name) = table->places[i];
        }
    }
    grown.count = table->count;
    free(table->places);
    *table = grown;
    return true;
}

bool ir_table_add(ir_table_t *table, ir_view_t name, void *value) {
    if (table->count >= table->capacity / 2 && !grow(table)) {
        return false;
    }
    *place_of(table, name) = (ir_table_place_t){name, value};
    table->count++;
    return true;
}
