/* The mapping from files and uplinks to the registry's motes and sensors: an INI file. A section
 * [POSITION] gives the location and format of files; a section [POSITION:COLUMN] assigns a column
 * to a sensor. feed/README.md explains each key. Read-only once loaded. */
#ifndef IR_FEED_MAP_H
#define IR_FEED_MAP_H

#include "common/fault_list.h"
#include "common/status.h"
#include "feed/position.h"

#include <stddef.h>

#define IR_MAP_POSITIONS_MAX 256

typedef struct ir_map {
    char *folder;
    ir_position_t *positions[IR_MAP_POSITIONS_MAX];
    size_t n_positions;
} ir_map_t;

/* Faults name file and line; ir_fault_list_conclude reports several. Only its owner may read a file
 * that contains a password (common/secret_file.h). */
ir_status_t ir_map_load(const char *path, ir_map_t **map, const ir_teller_t *teller,
                        ir_error_t *error);
void ir_map_free(ir_map_t *map);

#endif
