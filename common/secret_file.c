#include "common/secret_file.h"

#include "common/messages.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

ir_status_t ir_secret_file_check(FILE *file, const char *path, ir_error_t *error) {
    struct stat found;
    if (fstat(fileno(file), &found) != 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot look at %s: %s", path, strerror(errno));
    }
    const mode_t others = S_IRWXO | (found.st_uid == 0 ? S_IWGRP : S_IRWXG);
    if (!S_ISREG(found.st_mode) || (found.st_mode & others) == 0) {
        return IR_OK;
    }
    return ir_error_set(error, IR_ERR_USAGE, IR_TEXT_SECRET_FILE, path,
                        (unsigned)found.st_mode & 07777U);
}
