/* The files of a registry. Private to this folder. */
#ifndef IR_OBSERVATION_REGISTRY_FILES_H
#define IR_OBSERVATION_REGISTRY_FILES_H

#include "observation/turtle/document.h"

/* Reads what `paths` names: files with commas between; a folder stands for its files *.ttl, in the
 * order of their names. What is wrong with a file is told (observation/turtle/document.h), also
 * that it cannot be read. IR_ERR_USAGE for an empty path, IR_ERR_IO and IR_ERR_NOT_FOUND for a
 * folder, IR_ERR_MEMORY. */
ir_status_t ir_registry_read_files(ir_turtle_t *turtle, const char *paths, ir_error_t *error);

#endif
