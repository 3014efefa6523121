/* The files of a registry. Inside observation/. */
#ifndef IR_OBSERVATION_REGISTRY_FILES_H
#define IR_OBSERVATION_REGISTRY_FILES_H

#include "observation/turtle.h"

/* Reads what `paths` names: files with commas between; a folder stands for its files *.ttl, in the
 * order of their names. IR_ERR_USAGE for an empty path; else as ir_turtle_read. */
ir_status_t ir_registry_read_files(ir_turtle_t *turtle, const char *paths, ir_error_t *error);

#endif
