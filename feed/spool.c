#include "feed/spool.h"

#include "common/buffer.h"
#include "feed/rows.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0777
#define FILE_MODE 0666
#define SEGMENTS 16 /* of a full spool: space becomes free one segment at a time */

struct ir_spool {
    char *folder;
    int folder_fd, fd;
    int64_t limit, used, segment_size;
    uint64_t number; /* number of the current segment */
    bool dirty, failed;
    ir_buffer_t line;
};

static ir_status_t fail(ir_spool_t *spool, const char *what, ir_error_t *error) {
    spool->failed = true;
    return ir_error_set(error, errno == ENOSPC ? IR_ERR_FULL : IR_ERR_IO,
                        "cannot %s the spool %s: %s", what, spool->folder, strerror(errno));
}

/* Finds the total size of all segments, and the highest number. */
static void scan_folder(ir_spool_t *spool) {
    DIR *folder = opendir(spool->folder);
    spool->used = 0;
    for (struct dirent *each; folder != NULL && (each = readdir(folder)) != NULL;) {
        struct stat status;
        char *end = NULL;
        const uint64_t number = strtoull(each->d_name, &end, 10);
        if (strcmp(end, IR_SPOOL_SUFFIX) == 0 &&
            fstatat(spool->folder_fd, each->d_name, &status, 0) == 0) {
            spool->used += status.st_size;
            spool->number = number > spool->number ? number : spool->number;
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

static ir_status_t begin_segment(ir_spool_t *spool, ir_error_t *error) {
    char name[32];
    if (spool->fd >= 0) {
        (void)close(spool->fd);
    }
    spool->number++;
    spool->segment_size = 0;
    snprintf(name, sizeof name, "%010" PRIu64 IR_SPOOL_SUFFIX, spool->number);
    spool->fd = openat(spool->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
                       FILE_MODE);
    return spool->fd >= 0 && fsync(spool->folder_fd) == 0 ? IR_OK : fail(spool, "add to", error);
}

ir_status_t ir_spool_open(const char *folder, int64_t limit, ir_spool_t **spool,
                          ir_error_t *error) {
    ir_spool_t *made = calloc(1, sizeof *made);
    if (made == NULL || (made->folder = strdup(folder)) == NULL) {
        free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the spool");
    }
    made->fd = -1;
    made->limit = limit;
    (void)mkdir(folder, FOLDER_MODE);
    made->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ir_status_t status = made->folder_fd >= 0 ? IR_OK : fail(made, "open", error);
    if (status == IR_OK) {
        scan_folder(made);
        status = begin_segment(made, error);
    }
    if (status != IR_OK) {
        ir_spool_close(made);
        return status;
    }
    *spool = made;
    return IR_OK;
}

void ir_spool_close(ir_spool_t *spool) {
    if (spool != NULL) {
        if (spool->fd >= 0) {
            (void)close(spool->fd);
        }
        if (spool->folder_fd >= 0) {
            (void)close(spool->folder_fd);
        }
        ir_buffer_free(&spool->line);
        free(spool->folder);
        free(spool);
    }
}

bool ir_spool_has_room(ir_spool_t *spool) {
    if (spool->used + IR_ROW_BYTES_MAX > spool->limit) {
        scan_folder(spool); /* segments may have been removed */
    }
    return spool->used + IR_ROW_BYTES_MAX <= spool->limit;
}

static void make_line(ir_spool_t *spool, ir_view_t message) {
    ir_buffer_clear(&spool->line);
    ir_buffer_append_view(&spool->line, message);
    for (size_t i = 0; i < spool->line.size; i++) {
        if (spool->line.data[i] == '\n' || spool->line.data[i] == '\r') {
            spool->line.data[i] = ' ';
        }
    }
    ir_buffer_append_char(&spool->line, '\n');
}

ir_status_t ir_spool_append(ir_spool_t *spool, ir_view_t message, ir_error_t *error) {
    if (spool->failed) {
        return ir_error_set(error, IR_ERR_STATE, "the spool %s failed before", spool->folder);
    }
    if (message.size >= IR_ROW_BYTES_MAX) {
        return ir_error_set(error, IR_ERR_RANGE, "a message of %zu bytes is too long",
                            message.size);
    }
    if (spool->segment_size > spool->limit / SEGMENTS) {
        ir_status_t status = ir_spool_sync(spool, error);
        status = status == IR_OK ? begin_segment(spool, error) : status;
        if (status != IR_OK) {
            return status;
        }
    }
    make_line(spool, message);
    if (!ir_buffer_ok(&spool->line)) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a message");
    }
    const ssize_t written = write(spool->fd, spool->line.data, spool->line.size);
    if (written < 0 || (size_t)written < spool->line.size) {
        errno = written < 0 ? errno : ENOSPC;
        return fail(spool, "write to", error);
    }
    spool->dirty = true;
    spool->used += written;
    spool->segment_size += written;
    return IR_OK;
}

ir_status_t ir_spool_sync(ir_spool_t *spool, ir_error_t *error) {
    if (spool->dirty && fdatasync(spool->fd) != 0) {
        return fail(spool, "make durable", error);
    }
    spool->dirty = false;
    return IR_OK;
}
