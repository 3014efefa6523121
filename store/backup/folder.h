/* The folders of backups. DIR holds one for each, named by its time in UTC, so that their names are
 * in the order of time.
 *
 *   DIR/20260131T120000Z.part/   being written, or left by one that was interrupted
 *   DIR/20260131T120000Z/        complete
 *
 * A process that makes a backup holds a flock on DIR. One thread at a time. */
#ifndef IR_STORE_BACKUP_FOLDER_H
#define IR_STORE_BACKUP_FOLDER_H

#include "common/status.h"

#include <limits.h>
#include <stddef.h>

#define IR_BACKUP_VERSION 1
#define IR_BACKUP_FACTS "backup.json"
#define IR_BACKUP_GRAPH_SIZE 32

/* "graph-1.nq.gz" for the first server. */
void ir_backup_graph_name(size_t server, char name[static IR_BACKUP_GRAPH_SIZE]);

typedef struct ir_backup_folder {
    char path[PATH_MAX], part[PATH_MAX]; /* its path when it is complete, and until then */
    char parent[PATH_MAX];
    int lock;      /* DIR, locked */
    int completed; /* bool: `part` has become `path` */
} ir_backup_folder_t;

/* Makes DIR if it is missing, and a new folder in it; removes the remains of interrupted backups.
 * IR_ERR_STATE: another backup is being made. */
ir_status_t ir_backup_folder_make(const char *directory, ir_backup_folder_t *folder,
                                  ir_error_t *error);

/* Gives the folder, whose files are durable, its name. */
ir_status_t ir_backup_folder_complete(ir_backup_folder_t *folder, ir_error_t *error);

/* Removes all complete backups except the newest `keep`. */
ir_status_t ir_backup_folder_prune(const ir_backup_folder_t *folder, size_t keep, unsigned *removed,
                                   ir_error_t *error);

/* Unlocks; removes the folder unless it is complete. */
void ir_backup_folder_close(ir_backup_folder_t *folder);

/* The backup that `path` names: itself, or the newest complete one in it. IR_ERR_NOT_FOUND: there
 * is none. */
ir_status_t ir_backup_folder_find(const char *path, char found[static PATH_MAX], ir_error_t *error);

#endif
