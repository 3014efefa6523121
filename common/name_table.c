#include "common/name_table.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64
#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

/* Hashes eight bytes per step; the low bits of the result choose the place. */
uint32_t ir_name_table_hash(ir_view_t name) {
    uint64_t state = name.size * MULTIPLIER;
    for (size_t i = 0; i < name.size; i += sizeof state) {
        uint64_t word = 0;
        const size_t left = name.size - i;
        memcpy(&word, name.data + i, left < sizeof word ? left : sizeof word);
        state = (state ^ word) * MULTIPLIER;
        state ^= state >> 32;
    }
    return (uint32_t)(state ^ (state >> 15));
}

void ir_name_table_init(ir_name_table_t *table) {
    *table = (ir_name_table_t){NULL, 0, 0};
}

void ir_name_table_free(ir_name_table_t *table) {
    free(table->places);
    ir_name_table_init(table);
}

static bool is_there(const ir_name_table_place_t *place, ir_view_t name, uint32_t hashed) {
    return place->hash == hashed && place->size == name.size &&
           memcmp(place->name, name.data, name.size) == 0;
}

/* Returns the slot of `name`, or the free slot where it belongs. At least a quarter of the slots is
 * always free. */
static ir_name_table_place_t *place_of(const ir_name_table_t *table, ir_view_t name,
                                       uint32_t hashed) {
    const size_t mask = table->capacity - 1;
    size_t at = hashed & mask;
    while (table->places[at].value != NULL && !is_there(&table->places[at], name, hashed)) {
        at = (at + 1) & mask;
    }
    return &table->places[at];
}

void *ir_name_table_find(const ir_name_table_t *table, ir_view_t name) {
    return table->count > 0 ? place_of(table, name, ir_name_table_hash(name))->value : NULL;
}

/* All names in the table differ, so it is enough to compare hashes. */
static void move(ir_name_table_t *to, const ir_name_table_place_t *place) {
    const size_t mask = to->capacity - 1;
    size_t at = place->hash & mask;
    while (to->places[at].value != NULL) {
        at = (at + 1) & mask;
    }
    to->places[at] = *place;
}

static bool grow(ir_name_table_t *table) {
    ir_name_table_t grown = {NULL, table->capacity > 0 ? table->capacity * 2 : FIRST_CAPACITY, 0};
    grown.places = calloc(grown.capacity, sizeof *grown.places);
    if (grown.places == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->places[i].value != NULL) {
            move(&grown, &table->places[i]);
        }
    }
    grown.count = table->count;
    free(table->places);
    *table = grown;
    return true;
}

bool ir_name_table_add(ir_name_table_t *table, ir_view_t name, void *value) {
    if (table->count >= table->capacity / 4 * 3 && !grow(table)) {
        return false;
    }
    const uint32_t hashed = ir_name_table_hash(name);
    ir_name_table_place_t *place = place_of(table, name, hashed);
    table->count += place->value == NULL;
    *place = (ir_name_table_place_t){name.data, value, (uint32_t)name.size, hashed};
    return true;
}
