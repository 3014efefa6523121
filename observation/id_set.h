/* A hash table by id. One thread at a time. */
#ifndef IR_OBSERVATION_ID_SET_H
#define IR_OBSERVATION_ID_SET_H

#include "observation/identity.h"

#include <stdbool.h>
#include <stddef.h>

/* All zero: empty. */
typedef struct ir_id_set {
    ir_id_t *slots; /* open addressing; a slot with the nil id is empty */
    size_t capacity, used;
} ir_id_set_t;

/* Makes room for `extra` more ids. Returns false when memory is exhausted. */
bool ir_id_set_reserve(ir_id_set_t *set, size_t extra);

/* Adds an id; there must be room (ir_id_set_reserve). Returns false if the set already has it. */
bool ir_id_set_add(ir_id_set_t *set, const ir_id_t *id);

bool ir_id_set_has(const ir_id_set_t *set, const ir_id_t *id);

/* Turns the set into a sorted array at slots[0 … used). It is no longer a set then. */
void ir_id_set_sort(ir_id_set_t *set);

void ir_id_set_free(ir_id_set_t *set);

#endif
