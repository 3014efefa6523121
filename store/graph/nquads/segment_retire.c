#include "store/graph/nquads/segment.h"

#include "common/clock.h"
#include "store/backup/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)256 * 1024)
#define PART ".part"

/* Ids are sorted and begin with the time in milliseconds, so the last one is the newest. */
static ir_status_t read_newest(const char *directory, const char *stem, int64_t *time_ns,
                               ir_error_t *error) {
    char name[NAME_MAX + 1];
    char path[PATH_MAX];
    ir_id_t id;
    snprintf(name, sizeof name, "%s" IR_SEGMENT_IDS, stem);
    const ir_status_t status = ir_backup_path(directory, name, path, error);
    FILE *file = status == IR_OK ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return status != IR_OK ? status : ir_backup_failed("read", path, errno, error);
    }
    const bool good =
        fseeko(file, -(off_t)sizeof id, SEEK_END) == 0 && fread(&id, sizeof id, 1, file) == 1;
    fclose(file);
    if (!good) {
        return ir_error_set(error, IR_ERR_IO, "cannot read %s", path);
    }
    int64_t milliseconds = 0;
    for (int i = 0; i < IR_ID_TIME_SIZE; i++) {
        milliseconds = milliseconds << 8 | id.bytes[i];
    }
    *time_ns = milliseconds * IR_MILLISECOND_NS;
    return IR_OK;
}

static ir_status_t compress(int fd, const char *path, ir_backup_writer_t *writer,
                            ir_error_t *error) {
    char *chunk = malloc(CHUNK);
    if (chunk == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    ir_status_t status = IR_OK;
    ssize_t got = 1;
    while (status == IR_OK && (got = read(fd, chunk, CHUNK)) > 0) {
        status = ir_backup_write(writer, ir_view(chunk, (size_t)got), error);
    }
    free(chunk);
    return status == IR_OK && got < 0 ? ir_backup_failed("read", path, errno, error) : status;
}

/* If an interrupted run has left a partial archive, starts over. */
static ir_status_t write_archive(int fd, const char *path, const char *archive, const char *stem,
                                 uint64_t *compressed, ir_error_t *error) {
    char name[NAME_MAX + 1];
    char part[PATH_MAX];
    char whole[PATH_MAX];
    struct stat facts;
    ir_backup_writer_t *writer = NULL;
    snprintf(name, sizeof name, "%s" IR_SEGMENT_SEALED ".gz" PART, stem);
    ir_status_t status = ir_backup_path(archive, name, part, error);
    if (status != IR_OK) {
        return status;
    }
    snprintf(whole, sizeof whole, "%.*s", (int)(strlen(part) - strlen(PART)), part);
    unlink(part);
    status = ir_backup_create(archive, name, &writer, error);
    if (status == IR_OK) {
        status = compress(fd, path, writer, error);
    }
    const ir_status_t closed = ir_backup_close(writer, status == IR_OK ? error : NULL);
    status = status == IR_OK ? closed : status;
    if (status == IR_OK && (stat(part, &facts) != 0 || rename(part, whole) != 0)) {
        status = ir_backup_failed("write", part, errno, error);
    }
    if (status != IR_OK) {
        unlink(part);
        return status;
    }
    *compressed += (uint64_t)facts.st_size;
    return ir_directory_sync(archive, error);
}

static ir_status_t move_away(const char *path, const char *stem, ir_graph_retirement_t *retirement,
                             ir_error_t *error) {
    if (mkdir(retirement->archive, 0777) != 0 && errno != EEXIST) {
        return ir_backup_failed("create", retirement->archive, errno, error);
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ir_backup_failed("read", path, errno, error);
    }
    const ir_status_t status =
        write_archive(fd, path, retirement->archive, stem, &retirement->compressed, error);
    close(fd);
    return status == IR_OK && unlink(path) != 0 ? ir_backup_failed("remove", path, errno, error)
                                                : status;
}

ir_status_t ir_segment_retire(const char *directory, const char *stem,
                              ir_graph_retirement_t *retirement, ir_error_t *error) {
    char name[NAME_MAX + 1];
    char path[PATH_MAX];
    struct stat facts;
    int64_t newest_ns = 0;
    snprintf(name, sizeof name, "%s" IR_SEGMENT_SEALED, stem);
    ir_status_t status = ir_backup_path(directory, name, path, error);
    if (status != IR_OK) {
        return status;
    }
    if (stat(path, &facts) != 0) { /* a segment without a complete batch is not sealed but
                                    * removed */
        return errno == ENOENT ? IR_OK : ir_backup_failed("read", path, errno, error);
    }
    status = read_newest(directory, stem, &newest_ns, error);
    if (status != IR_OK || newest_ns >= retirement->before_ns) {
        return status;
    }
    retirement->parts++;
    retirement->bytes += (uint64_t)facts.st_size;
    return retirement->dry_run ? IR_OK : move_away(path, stem, retirement, error);
}
