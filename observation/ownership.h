/* Which names a mote may use when there is no registry at hand, and which registered names that
 * rule would refuse. Pure functions. */
#ifndef IR_OBSERVATION_OWNERSHIP_H
#define IR_OBSERVATION_OWNERSHIP_H

#include "common/view.h"
#include "observation/registry/registry.h"

#include <stdbool.h>
#include <stddef.h>

/* The name is the mote's id, or goes on after it with one of "/.:_" ('-' is part of ids: "creek-1"
 * does not own "creek-12"). */
bool ir_mote_owns(const char *mote, ir_view_t name);

/* How many sensors have a name that their mote does not own by this rule; the first `most` of them
 * in `found`, in no order. */
size_t ir_registry_not_owned(const ir_registry_t *registry, const ir_sensor_t **found, size_t most);

#endif
