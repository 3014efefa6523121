/* The registry of the simulated motes in Turtle (docs/reference/registry.md): properties with units
 * and quality-control limits, motes with their positions, and sensors. Values of ordinary days are
 * within the limits; storms exceed them. */
#ifndef IR_LOADGEN_SOURCE_RIVER_REGISTRY_H
#define IR_LOADGEN_SOURCE_RIVER_REGISTRY_H

#include <stdint.h>
#include <stdio.h>

/* Writes the registry of the motes 0 … motes - 1, about 1.3 KB each. Check for errors with fflush
 * and ferror(out). */
void ir_river_registry_write(unsigned motes, int64_t interval_ns, FILE *out);

#endif
