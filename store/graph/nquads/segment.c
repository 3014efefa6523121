#include "store/graph/nquads/segment.h"

#include "observation/id_set.h"
#include "store/graph/nquads/segment_lines.h"
#include "store/presence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIZE_MAX 200
#define SEQUENCE_MAX 99999999

struct ir_segment {
    int fd;
    char *directory;
    char stem[NAME_SIZE_MAX + 16];
    char path[PATH_MAX];
    int64_t size; /* size up to the last mark */
    uint64_t batches;
    ir_id_set_t ids;
    bool broken;
};

static const char *advice(int code) {
    switch (code) {
    case ENOSPC:
    case EDQUOT:
        return "; free space there or move the graph directory";
    case EACCES:
    case EPERM:
    case EROFS:
        return "; give this user the right to write there";
    default:
        return "";
    }
}

static ir_status_t failed(const char *what, const char *path, int code, ir_error_t *error) {
    return ir_error_set(error, code == ENOSPC || code == EDQUOT ? IR_ERR_FULL : IR_ERR_IO,
                        "cannot %s %s: %s%s", what, path, strerror(code), advice(code));
}

static ir_status_t path_of(const char *directory, const char *stem, const char *ending,
                           char path[static PATH_MAX], ir_error_t *error) {
    const int length = snprintf(path, PATH_MAX, "%s/%s%s", directory, stem, ending);
    return length > 0 && length < PATH_MAX
               ? IR_OK
               : ir_error_set(error, IR_ERR_USAGE, "the path of %s is too long", directory);
}

/* ---- files ---- */

static int write_all(int fd, ir_view_t bytes) {
    while (bytes.size > 0) {
        const ssize_t written = write(fd, bytes.data, bytes.size);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        if (written > 0) {
            bytes.data += written;
            bytes.size -= (size_t)written;
        }
    }
    return 0;
}

ir_status_t ir_directory_sync(const char *directory, ir_error_t *error) {
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed("open", directory, errno, error);
    }
    const int code = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return code == 0 ? IR_OK : failed("sync", directory, code, error);
}

ir_status_t ir_file_replace(const char *path, ir_view_t content, ir_error_t *error) {
    char temporary[PATH_MAX];
    const int length = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (length < 0 || length >= (int)sizeof temporary) {
        return ir_error_set(error, IR_ERR_USAGE, "the path %s is too long", path);
    }
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        return failed("create", temporary, errno, error);
    }
    int code = write_all(fd, content);
    if (code == 0 && fsync(fd) != 0) {
        code = errno;
    }
    if (close(fd) != 0 && code == 0) {
        code = errno;
    }
    if (code == 0 && rename(temporary, path) != 0) {
        code = errno;
    }
    if (code != 0) {
        unlink(temporary);
        return failed("write", path, code, error);
    }
    return IR_OK;
}

/* ---- life ---- */

static void make_name(const char *writer, char name[static NAME_SIZE_MAX]) {
    size_t size = 0;
    for (const char *c = writer; *c != '\0' && size + 1 < NAME_SIZE_MAX; c++) {
        const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                           (*c >= '0' && *c <= '9') || *c == '_' || *c == '-' ||
                           (*c == '.' && size > 0);
        name[size++] = (char)(plain ? *c : '_');
    }
    if (size == 0) {
        name[size++] = '_';
    }
    name[size] = '\0';
}

static bool exists(const char *directory, const char *stem, const char *ending) {
    char path[PATH_MAX];
    struct stat facts;
    return path_of(directory, stem, ending, path, NULL) == IR_OK && stat(path, &facts) == 0;
}

/* Chooses the first free number and locks the segment. */
static int create_file(ir_segment_t *segment, const char *name) {
    for (int sequence = 1; sequence <= SEQUENCE_MAX; sequence++) {
        snprintf(segment->stem, sizeof segment->stem, "%s-%08d", name, sequence);
        if (exists(segment->directory, segment->stem, IR_SEGMENT_SEALED) ||
            exists(segment->directory, segment->stem, IR_SEGMENT_IDS)) {
            continue;
        }
        if (path_of(segment->directory, segment->stem, IR_SEGMENT_OPEN, segment->path, NULL) !=
            IR_OK) {
            return ENAMETOOLONG;
        }
        segment->fd = open(segment->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (segment->fd >= 0) {
            return flock(segment->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
        }
        if (errno != EEXIST) {
            return errno;
        }
    }
    return ENFILE;
}

ir_status_t ir_segment_create(const char *directory, const char *writer, ir_segment_t **segment,
                              ir_error_t *error) {
    char name[NAME_SIZE_MAX];
    make_name(writer, name);
    ir_segment_t *made = calloc(1, sizeof *made);
    char *copy = made != NULL ? strdup(directory) : NULL;
    if (copy == NULL) {
        free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    made->directory = copy;
    made->fd = -1;
    const int code = create_file(made, name);
    ir_status_t status = code == 0 ? ir_directory_sync(directory, error)
                                   : failed("create a segment in", directory, code, error);
    if (status != IR_OK) {
        ir_segment_close(made);
        return status;
    }
    *segment = made;
    return IR_OK;
}

void ir_segment_close(ir_segment_t *segment) {
    if (segment == NULL) {
        return;
    }
    if (segment->fd >= 0) {
        close(segment->fd);
    }
    ir_id_set_free(&segment->ids);
    free(segment->directory);
    free(segment);
}

bool ir_segment_broken(const ir_segment_t *segment) {
    return segment->broken;
}

ir_status_t ir_segment_present(const ir_segment_t *segment, ir_error_t *error) {
    ir_file_presence_t opened;
    struct stat facts = {0};
    ir_presence_note_open(&opened, segment->fd);
    const char *missing = ir_presence_missing(&opened, segment->path, &facts);
    if (missing == NULL && opened.known && facts.st_size < segment->size) {
        missing = "was cut off";
    }
    return missing == NULL
               ? IR_OK
               : ir_error_set(error, IR_ERR_VANISHED, "the segment %s %s while it was in use",
                              segment->path, missing);
}

int64_t ir_segment_size(const ir_segment_t *segment) {
    return segment->size;
}

bool ir_segment_has(const ir_segment_t *segment, const ir_id_t *id) {
    return ir_id_set_has(&segment->ids, id);
}

const char *ir_segment_stem(const ir_segment_t *segment) {
    return segment->stem;
}

/* ---- appending ---- */

ir_status_t ir_segment_append(ir_segment_t *segment, ir_buffer_t *lines, const ir_id_t *ids,
                              size_t n_ids, ir_error_t *error) {
    ir_buffer_append_text(lines, IR_SEGMENT_MARK);
    ir_buffer_append_uint(lines, segment->batches + 1);
    ir_buffer_append_char(lines, '\n');
    if (!ir_buffer_ok(lines) || !ir_id_set_reserve(&segment->ids, n_ids)) {
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    int code = write_all(segment->fd, ir_buffer_view(lines));
    if (code == 0 && fdatasync(segment->fd) != 0) {
        code = errno;
    }
    if (code != 0) {
        segment->broken =
            ftruncate(segment->fd, (off_t)segment->size) != 0 || fdatasync(segment->fd) != 0;
        return failed("append to", segment->path, code, error);
    }
    segment->batches++;
    segment->size += (int64_t)lines->size;
    for (size_t i = 0; i < n_ids; i++) {
        ir_id_set_add(&segment->ids, &ids[i]);
    }
    return IR_OK;
}

/* ---- sealing ---- */

static ir_status_t write_ids(const char *directory, const char *stem, ir_id_set_t *ids,
                             ir_error_t *error) {
    char path[PATH_MAX];
    const ir_status_t status = path_of(directory, stem, IR_SEGMENT_IDS, path, error);
    if (status != IR_OK) {
        return status;
    }
    ir_id_set_sort(ids);
    return ir_file_replace(path, ir_view((const char *)ids->slots, ids->used * sizeof *ids->slots),
                           error);
}

static ir_status_t rename_sealed(const char *directory, const char *stem, ir_error_t *error) {
    char from[PATH_MAX];
    char to[PATH_MAX];
    ir_status_t status = path_of(directory, stem, IR_SEGMENT_OPEN, from, error);
    if (status == IR_OK) {
        status = path_of(directory, stem, IR_SEGMENT_SEALED, to, error);
    }
    if (status != IR_OK) {
        return status;
    }
    return rename(from, to) == 0 ? ir_directory_sync(directory, error)
                                 : failed("seal", from, errno, error);
}

static ir_status_t seal(const char *directory, const char *stem, int fd, ir_id_set_t *ids,
                        ir_error_t *error) {
    if (fsync(fd) != 0) {
        return failed("sync", stem, errno, error);
    }
    const ir_status_t status = write_ids(directory, stem, ids, error);
    return status == IR_OK ? rename_sealed(directory, stem, error) : status;
}

/* Reads the ids again from the file. The set in memory is not used, because it must stay intact if
 * this fails. */
ir_status_t ir_segment_seal(ir_segment_t *segment, ir_error_t *error) {
    ir_status_t status = IR_OK;
    if (segment->size == 0) {
        if (unlink(segment->path) != 0) {
            status = failed("remove", segment->path, errno, error);
        }
    } else {
        ir_id_set_t ids = {NULL, 0, 0};
        status = ir_segment_read_ids(segment->fd, segment->path, 0, segment->size, &ids, error);
        if (status == IR_OK) {
            status = seal(segment->directory, segment->stem, segment->fd, &ids, error);
        }
        ir_id_set_free(&ids);
    }
    if (status == IR_OK) {
        ir_segment_close(segment);
    }
    return status;
}

/* ---- segments of dead writers ---- */

static ir_status_t repair_locked(const char *directory, const char *stem, const char *path, int fd,
                                 ir_error_t *error) {
    int64_t end = 0;
    ir_status_t status = ir_segment_end(fd, path, &end, error);
    if (status != IR_OK) {
        return status;
    }
    if (end == 0) {
        return unlink(path) == 0 ? IR_OK : failed("remove", path, errno, error);
    }
    if (ftruncate(fd, (off_t)end) != 0) {
        return failed("repair", path, errno, error);
    }
    ir_id_set_t ids = {NULL, 0, 0};
    status = ir_segment_read_ids(fd, path, 0, end, &ids, error);
    if (status == IR_OK) {
        status = seal(directory, stem, fd, &ids, error);
    }
    ir_id_set_free(&ids);
    return status;
}

ir_status_t ir_segment_repair(const char *directory, const char *stem, bool *alive,
                              ir_error_t *error) {
    char path[PATH_MAX];
    ir_status_t status = path_of(directory, stem, IR_SEGMENT_OPEN, path, error);
    if (status != IR_OK) {
        return status;
    }
    *alive = false;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? IR_OK : failed("open", path, errno, error);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        *alive = errno == EWOULDBLOCK;
        status = *alive ? IR_OK : failed("lock", path, errno, error);
    } else if (exists(directory, stem, IR_SEGMENT_OPEN)) {
        status = repair_locked(directory, stem, path, fd, error);
    }
    close(fd);
    return status;
}

ir_status_t ir_segment_index(const char *directory, const char *stem, ir_error_t *error) {
    char path[PATH_MAX];
    ir_status_t status = path_of(directory, stem, IR_SEGMENT_SEALED, path, error);
    if (status != IR_OK) {
        return status;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return failed("open", path, errno, error);
    }
    int64_t end = 0;
    ir_id_set_t ids = {NULL, 0, 0};
    status = ir_segment_end(fd, path, &end, error);
    if (status == IR_OK) {
        status = ir_segment_read_ids(fd, path, 0, end, &ids, error);
    }
    if (status == IR_OK) {
        status = write_ids(directory, stem, &ids, error);
    }
    ir_id_set_free(&ids);
    close(fd);
    return status;
}
