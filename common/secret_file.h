/* Files that hold passwords, keys or tokens. */
#ifndef IR_COMMON_SECRET_FILE_H
#define IR_COMMON_SECRET_FILE_H

#include "common/status.h"

#include <stdio.h>

/* That nobody else may read or change an open file: mode 0600 or less, and 0640 if root owns it,
 * who then chose the group. The rule is that of PostgreSQL for its keys. What is no regular file (a
 * pipe) passes. IR_ERR_USAGE names the file, its mode and what to do; IR_ERR_IO. */
ir_status_t ir_secret_file_check(FILE *file, const char *path, ir_error_t *error);

#endif
