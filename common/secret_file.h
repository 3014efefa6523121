/* Checks files that hold passwords, keys or tokens. */
#ifndef IR_COMMON_SECRET_FILE_H
#define IR_COMMON_SECRET_FILE_H

#include "common/status.h"

#include <stdio.h>

/* Checks that nobody else can read or change an open file: mode 0600 or stricter, or 0640 if root
 * owns it, because root then chose the group. PostgreSQL has the same rule for its keys. Anything
 * but a regular file, such as a pipe, passes. IR_ERR_USAGE names the file, its mode and what to do;
 * IR_ERR_IO. */
ir_status_t ir_secret_file_check(FILE *file, const char *path, ir_error_t *error);

#endif
