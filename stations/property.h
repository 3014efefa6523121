/* The known river properties, each with its quantity kind. Read-only, any thread. */
#ifndef IR_STATIONS_PROPERTY_H
#define IR_STATIONS_PROPERTY_H

#include "common/nearest.h"
#include "common/view.h"

typedef struct ir_known_property {
    const char *key;      /* "water-temperature": the last segment of its IRI */
    const char *label;    /* "water temperature" */
    const char *quantity; /* as in ir_unit_t */
} ir_known_property_t;

/* Finds a property by its key. NULL if it is not in the table; then `nearest` is the most similar
 * key, if any. */
const ir_known_property_t *ir_known_property_find(ir_view_t key, ir_nearest_t *nearest);

#endif
