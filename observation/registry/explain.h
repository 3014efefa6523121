/* Shows the registry's description of a mote, with the origin of each value. */
#ifndef IR_OBSERVATION_REGISTRY_EXPLAIN_H
#define IR_OBSERVATION_REGISTRY_EXPLAIN_H

#include "observation/registry/registry.h"

#include <stdio.h>

/* Writes the mote, its sensors, their units and limits in columns. The last column is the file and
 * line of the statement, with "mote" or "property" if the statement is about the sensor's mote or
 * property. It is "vocabulary" for values from the table of units, and "default" for values not
 * given. IR_ERR_NOT_FOUND: unknown mote; the error names the most similar one. */
ir_status_t ir_registry_explain(const ir_registry_t *registry, const char *mote, FILE *out,
                                ir_error_t *error);

#endif
