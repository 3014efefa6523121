/* The folder for a run's results (--out). Only one run uses it at a time: flock(2) on the folder
 * locks it from open to close, so the lock ends with the process. Results of an earlier run stay
 * until this run has results of its own; the folder never mixes the results of two runs. One
 * thread. */
#ifndef IR_LOADGEN_FOLDER_H
#define IR_LOADGEN_FOLDER_H

#include "common/status.h"

#include <stdbool.h>
#include <stdio.h>

#define IR_PATH_SIZE 4096

typedef struct ir_folder {
    const char *path; /* NULL: the run keeps no results */
    int lock;
    bool begun; /* the results in the folder belong to this run */
} ir_folder_t;

/* Creates the folder if necessary and locks it. IR_ERR_STATE: another run holds the lock. `path`
 * must outlive the folder; if it is NULL, there is no folder and the other functions do nothing. */
ir_status_t ir_folder_open(ir_folder_t *folder, const char *path, ir_error_t *error);

/* The temporary path for a result file, used until `begin` or `keep` renames it. */
ir_status_t ir_folder_new(const ir_folder_t *folder, const char *name,
                          char path[static IR_PATH_SIZE], ir_error_t *error);

/* Removes the earlier run's results and renames this run's temporary files to their final names,
 * even while they are open. */
ir_status_t ir_folder_begin(ir_folder_t *folder, ir_error_t *error);

/* Renames a finished file from the path that ir_folder_new gave to its final name. */
ir_status_t ir_folder_keep(const ir_folder_t *folder, const char *name, ir_error_t *error);

/* Removes remaining temporary files and unlocks the folder. */
void ir_folder_close(ir_folder_t *folder);

#endif
