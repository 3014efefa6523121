/* The files of a backup's folder. Some functions compress with gzip (RFC 1952). One thread at a
 * time. Every error names the file; IR_ERR_FULL: the disk is full. */
#ifndef IR_STORE_BACKUP_FILE_H
#define IR_STORE_BACKUP_FILE_H

#include "common/status.h"
#include "common/view.h"

#include <limits.h>

/* The error of a system call; `what` is a verb. IR_ERR_NOT_FOUND, IR_ERR_FULL or IR_ERR_IO. */
ir_status_t ir_backup_failed(const char *what, const char *path, int code, ir_error_t *error);

/* FOLDER/NAME. IR_ERR_USAGE when it is too long. */
ir_status_t ir_backup_path(const char *folder, const char *name, char path[static PATH_MAX],
                           ir_error_t *error);

/* ---- compressed files ---- */

typedef struct ir_backup_writer ir_backup_writer_t;

/* Makes a new file. */
ir_status_t ir_backup_create(const char *folder, const char *name, ir_backup_writer_t **writer,
                             ir_error_t *error);
ir_status_t ir_backup_write(ir_backup_writer_t *writer, ir_view_t bytes, ir_error_t *error);
/* Completes the file, makes it durable and frees the writer; reports earlier errors. NULL is
 * allowed. */
ir_status_t ir_backup_close(ir_backup_writer_t *writer, ir_error_t *error);

/* Receives part of a file. Any status except IR_OK stops the reading with that status. */
typedef ir_status_t (*ir_backup_take_fn)(void *context, ir_view_t bytes);

/* Reads an expanded file. IR_ERR_NOT_FOUND: the file does not exist. */
ir_status_t ir_backup_read(const char *folder, const char *name, ir_backup_take_fn take,
                           void *context, ir_error_t *error);

/* ---- small files ---- */

/* Writes a file durably. */
ir_status_t ir_backup_put(const char *folder, const char *name, ir_view_t text, ir_error_t *error);

#endif
