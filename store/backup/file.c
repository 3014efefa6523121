#include "store/backup/file.h"

#include "store/graph/nquads/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK ((size_t)256 * 1024)
#define LEVEL "wb1" /* the fastest level: it still compresses statements to a twentieth */

ir_status_t ir_backup_failed(const char *what, const char *path, int code, ir_error_t *error) {
    const bool full = code == ENOSPC || code == EDQUOT;
    const ir_status_t status = code == ENOENT ? IR_ERR_NOT_FOUND : full ? IR_ERR_FULL : IR_ERR_IO;
    return ir_error_set(error, status, "cannot %s %s: %s%s", what, path, strerror(code),
                        full ? "; make room there, or name another disk" : "");
}

ir_status_t ir_backup_path(const char *folder, const char *name, char path[static PATH_MAX],
                           ir_error_t *error) {
    const int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return length > 0 && length < PATH_MAX
               ? IR_OK
               : ir_error_set(error, IR_ERR_USAGE, "the path %s/%s is too long", folder, name);
}

/* ---- compressed files ---- */

struct ir_backup_writer {
    char path[PATH_MAX];
    int fd; /* the second descriptor of the file, for fsync; zlib has the first */
    gzFile file;
};

ir_status_t ir_backup_create(const char *folder, const char *name, ir_backup_writer_t **writer,
                             ir_error_t *error) {
    ir_backup_writer_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "backup: out of memory");
    }
    ir_status_t status = ir_backup_path(folder, name, made->path, error);
    made->fd =
        status == IR_OK ? open(made->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (status == IR_OK && made->fd < 0) {
        status = ir_backup_failed("create", made->path, errno, error);
    }
    const int copy = made->fd >= 0 ? fcntl(made->fd, F_DUPFD_CLOEXEC, 0) : -1;
    made->file = copy >= 0 ? gzdopen(copy, LEVEL) : NULL;
    if (status == IR_OK && made->file == NULL) {
        status = ir_backup_failed("write", made->path, copy >= 0 ? ENOMEM : errno, error);
    }
    if (status != IR_OK) {
        if (copy >= 0 && made->file == NULL) {
            close(copy);
        }
        if (made->fd >= 0) {
            close(made->fd);
        }
        free(made);
        return status;
    }
    *writer = made;
    return IR_OK;
}

ir_status_t ir_backup_write(ir_backup_writer_t *writer, ir_view_t bytes, ir_error_t *error) {
    errno = 0;
    return bytes.size == 0 ||
                   gzfwrite(bytes.data, 1, bytes.size, writer->file) == (z_size_t)bytes.size
               ? IR_OK
               : ir_backup_failed("write", writer->path, errno != 0 ? errno : EIO, error);
}

ir_status_t ir_backup_close(ir_backup_writer_t *writer, ir_error_t *error) {
    if (writer == NULL) {
        return IR_OK;
    }
    errno = 0;
    int code = gzclose(writer->file) == Z_OK ? 0 : errno != 0 ? errno : EIO;
    if (code == 0 && fsync(writer->fd) != 0) {
        code = errno;
    }
    close(writer->fd);
    const ir_status_t status =
        code == 0 ? IR_OK : ir_backup_failed("write", writer->path, code, error);
    free(writer);
    return status;
}

static ir_status_t expand(gzFile file, const char *path, ir_backup_take_fn take, void *context,
                          ir_error_t *error) {
    char *chunk = malloc(CHUNK);
    ir_status_t status =
        chunk != NULL ? IR_OK
                      : ir_error_set(error, IR_ERR_MEMORY, "reading %s: out of memory", path);
    int got = 1;
    while (status == IR_OK && got > 0) {
        got = gzread(file, chunk, (unsigned)CHUNK);
        if (got > 0) {
            status = take(context, ir_view(chunk, (size_t)got));
        }
    }
    int code = Z_OK;
    const char *why = gzerror(file, &code);
    if (status == IR_OK && code != Z_OK && code != Z_STREAM_END) {
        status = ir_error_set(error, IR_ERR_IO, "cannot read %s: %s", path,
                              code == Z_ERRNO ? strerror(errno) : why);
    }
    free(chunk);
    return status;
}

ir_status_t ir_backup_read(const char *folder, const char *name, ir_backup_take_fn take,
                           void *context, ir_error_t *error) {
    char path[PATH_MAX];
    ir_status_t status = ir_backup_path(folder, name, path, error);
    if (status != IR_OK) {
        return status;
    }
    gzFile file = gzopen(path, "rb");
    if (file == NULL) {
        return ir_backup_failed("read", path, errno != 0 ? errno : ENOMEM, error);
    }
    status = expand(file, path, take, context, error);
    gzclose(file);
    return status;
}

/* ---- small files ---- */

ir_status_t ir_backup_put(const char *folder, const char *name, ir_view_t text, ir_error_t *error) {
    char path[PATH_MAX];
    const ir_status_t status = ir_backup_path(folder, name, path, error);
    return status == IR_OK ? ir_file_replace(path, text, error) : status;
}
