/* Files and folders of a backup as a whole. One thread at a time. Errors as in
 * store/backup/file.h. */
#ifndef IR_STORE_BACKUP_TREE_H
#define IR_STORE_BACKUP_TREE_H

#include "common/status.h"

#include <stdbool.h>

/* Calls `each` for every file below the folder, in the order of names, with its path and the part
 * of it below the folder. Stops when `each` does not return IR_OK, and returns its status. */
typedef ir_status_t (*ir_backup_file_fn)(void *context, const char *path, const char *name,
                                         ir_error_t *error);
ir_status_t ir_backup_each_file(const char *folder, ir_backup_file_fn each, void *context,
                                ir_error_t *error);

/* Copies a file to a new file, durably, with its mode. */
ir_status_t ir_backup_copy(const char *from, const char *to, ir_error_t *error);

/* Whether a ".." in the path may lead out of a folder before it. */
bool ir_backup_leads_elsewhere(const char *path);

/* Copies a file, or a folder with everything below it, to FOLDER/PATH, without the path's leading
 * "/". Symbolic links are followed. IR_ERR_USAGE: a ".." in the path leads elsewhere. */
ir_status_t ir_backup_copy_tree(const char *path, const char *folder, ir_error_t *error);

/* Removes a folder with everything below it; a missing folder is not an error. */
ir_status_t ir_backup_remove(const char *folder, ir_error_t *error);

#endif
