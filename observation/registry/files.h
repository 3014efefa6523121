/* The files of a registry. Private to this folder. */
#ifndef IR_OBSERVATION_REGISTRY_FILES_H
#define IR_OBSERVATION_REGISTRY_FILES_H

#include "observation/turtle/document.h"

/* Reads the files in `paths`, separated by commas; a folder means its files *.ttl, in the order of
 * their names. Faults in files are reported (observation/turtle/document.h), including unreadable
 * files. IR_ERR_USAGE for an empty path, IR_ERR_IO and IR_ERR_NOT_FOUND for a folder,
 * IR_ERR_MEMORY. */
ir_status_t ir_registry_read_files(ir_turtle_t *turtle, const char *paths, ir_error_t *error);

#endif
