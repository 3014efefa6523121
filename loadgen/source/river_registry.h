/* The registry that fits the simulated motes, as Turtle (docs/reference/registry.md): properties
 * with units and limits of quality control, motes with their places, sensors. The limits are such
 * that ordinary days pass and storms show. */
#ifndef IR_LOADGEN_SOURCE_RIVER_REGISTRY_H
#define IR_LOADGEN_SOURCE_RIVER_REGISTRY_H

#include <stdint.h>
#include <stdio.h>

/* Writes the registry of the motes 0 … motes - 1, about 1.3 KB each. Whether all was written,
 * ferror(out) and fflush tell. */
void ir_river_registry_write(unsigned motes, int64_t interval_ns, FILE *out);

#endif
