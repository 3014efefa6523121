/* The checksums that prove a backup complete: the file SHA256SUMS in its folder, which sha256sum(1)
 * can check, too. It is written last. */
#ifndef IR_STORE_BACKUP_SUMS_H
#define IR_STORE_BACKUP_SUMS_H

#include "common/status.h"

#include <stdint.h>

#define IR_BACKUP_SUMS "SHA256SUMS"

/* Reads all files of the folder and writes SHA256SUMS durably. *bytes is the sum of their sizes.
 * IR_ERR_USAGE: a file's name has a line break or a backslash. */
ir_status_t ir_backup_sums_write(const char *folder, uint64_t *bytes, ir_error_t *error);

/* Compares every file with SHA256SUMS. IR_ERR_IO names the first one that differs or is missing;
 * IR_ERR_NOT_FOUND: SHA256SUMS is missing, so the backup is incomplete. */
ir_status_t ir_backup_sums_check(const char *folder, ir_error_t *error);

#endif
