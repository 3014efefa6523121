/* The folder of a run's results (--out). It belongs to one run at a time: it is locked from open to
 * close, by flock(2) on the folder, so that the lock ends with the process. What an earlier run
 * left stays until this one has something to write; the results of two runs never stand side by
 * side. One thread. */
#ifndef IR_LOADGEN_FOLDER_H
#define IR_LOADGEN_FOLDER_H

#include "common/status.h"

#include <stdbool.h>
#include <stdio.h>

#define IR_PATH_SIZE 4096

typedef struct ir_folder {
    const char *path; /* NULL: the run keeps no results */
    int lock;
    bool begun; /* the results in it are this run's */
} ir_folder_t;

/* Makes the folder if need be, and locks it. IR_ERR_STATE: another run has it. `path` outlives the
 * folder; NULL: there is none, and all else does nothing. */
ir_status_t ir_folder_open(ir_folder_t *folder, const char *path, ir_error_t *error);

/* Where a file that is not yet a result is written: beside it, until `begin` or `keep`. */
ir_status_t ir_folder_new(const ir_folder_t *folder, const char *name,
                          char path[static IR_PATH_SIZE], ir_error_t *error);

/* The results of the run before go, and those files of this run that are there take their places,
 * open or not. */
ir_status_t ir_folder_begin(ir_folder_t *folder, ir_error_t *error);

/* A file that `ir_folder_new` named is whole: it takes its place. */
ir_status_t ir_folder_keep(const ir_folder_t *folder, const char *name, ir_error_t *error);

/* Removes what has not taken its place, and unlocks. */
void ir_folder_close(ir_folder_t *folder);

#endif
