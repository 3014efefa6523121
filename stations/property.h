/* Properties of rivers that have a name here: of which quantity each is. Read-only, any thread. */
#ifndef IR_STATIONS_PROPERTY_H
#define IR_STATIONS_PROPERTY_H

#include "common/nearest.h"
#include "common/view.h"

typedef struct ir_known_property {
    const char *key;      /* "water-temperature": the last segment of its IRI */
    const char *label;    /* "water temperature" */
    const char *quantity; /* as in ir_unit_t */
} ir_known_property_t;

/* By its key; NULL when it is not in the table: then `nearest` has the key most like it, if any. */
const ir_known_property_t *ir_known_property_find(ir_view_t key, ir_nearest_t *nearest);

#endif
