/* What a registry says of one mote, for people, each value with where it comes from. */
#ifndef IR_OBSERVATION_REGISTRY_EXPLAIN_H
#define IR_OBSERVATION_REGISTRY_EXPLAIN_H

#include "observation/registry/registry.h"

#include <stdio.h>

/* Writes the mote, its sensors, their units and limits in columns. The last column is the line of
 * the file that says it, with "mote" or "property" where it holds for all of theirs; "vocabulary"
 * for what follows from the table of units; "default" where nothing is said. IR_ERR_NOT_FOUND: the
 * registry has no such mote; the error names the one that is most like it. */
ir_status_t ir_registry_explain(const ir_registry_t *registry, const char *mote, FILE *out,
                                ir_error_t *error);

#endif
