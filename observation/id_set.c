#include "observation/id_set.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 1024

static const ir_id_t nil;

static bool is_nil(const ir_id_t *id) {
    return memcmp(id, &nil, sizeof nil) == 0;
}

static ir_id_t *find(const ir_id_set_t *set, const ir_id_t *id) {
    size_t at = ir_id_hash(id) & (set->capacity - 1);
    while (!is_nil(&set->slots[at]) && !ir_id_equal(&set->slots[at], id)) {
        at = (at + 1) & (set->capacity - 1);
    }
    return &set->slots[at];
}

bool ir_id_set_reserve(ir_id_set_t *set, size_t extra) {
    const size_t wanted = (set->used + extra) * 2;
    if (wanted <= set->capacity) {
        return true;
    }
    size_t capacity = set->capacity > 0 ? set->capacity : CAPACITY_MIN;
    while (capacity < wanted) {
        capacity *= 2;
    }
    ir_id_set_t grown = {.slots = calloc(capacity, sizeof *grown.slots), .capacity = capacity};
    if (grown.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < set->capacity; i++) {
        if (!is_nil(&set->slots[i])) {
            ir_id_set_add(&grown, &set->slots[i]);
        }
    }
    free(set->slots);
    *set = grown;
    return true;
}

bool ir_id_set_add(ir_id_set_t *set, const ir_id_t *id) {
    ir_id_t *slot = find(set, id);
    if (!is_nil(slot) || is_nil(id)) {
        return false;
    }
    *slot = *id;
    set->used++;
    return true;
}

bool ir_id_set_has(const ir_id_set_t *set, const ir_id_t *id) {
    return set->capacity > 0 && !is_nil(find(set, id));
}

static int compare(const void *a, const void *b) {
    return memcmp(a, b, sizeof(ir_id_t));
}

void ir_id_set_sort(ir_id_set_t *set) {
    size_t count = 0;
    for (size_t i = 0; i < set->capacity; i++) {
        if (!is_nil(&set->slots[i])) {
            set->slots[count++] = set->slots[i];
        }
    }
    if (count > 0) {
        qsort(set->slots, count, sizeof *set->slots, compare);
    }
    set->capacity = 0;
}

void ir_id_set_free(ir_id_set_t *set) {
    free(set->slots);
    *set = (ir_id_set_t){NULL, 0, 0};
}
