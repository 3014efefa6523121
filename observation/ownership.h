/* The rule for sensor names without a registry, and a check for registered names that break it.
 * Pure functions. */
#ifndef IR_OBSERVATION_OWNERSHIP_H
#define IR_OBSERVATION_OWNERSHIP_H

#include "common/view.h"
#include "observation/registry/registry.h"

#include <stdbool.h>
#include <stddef.h>

/* True if the name is the mote's id, or the id followed by one of "/.:_" ('-' is part of ids:
 * "creek-1" does not own "creek-12"). */
bool ir_mote_owns(const char *mote, ir_view_t name);

/* Counts the sensors whose name does not belong to their mote under this rule; stores up to `most`
 * of them in `found`, unordered. */
size_t ir_registry_not_owned(const ir_registry_t *registry, const ir_sensor_t **found, size_t most);

#endif
