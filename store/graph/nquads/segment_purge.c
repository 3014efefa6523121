#include "store/graph/nquads/segment.h"

#include "store/graph/nquads/segment_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct purge {
    const char *base_iri;
    const ir_id_t *ids;
    size_t count;
    ir_buffer_t kept;
    uint64_t removed, left; /* lines */
} purge_t;

static int compare(const void *a, const void *b) {
    return memcmp(a, b, sizeof(ir_id_t));
}

static ir_status_t sift(void *context, ir_view_t line) {
    purge_t *purge = context;
    ir_id_t id;
    if (ir_segment_line_id(line, purge->base_iri, &id) &&
        bsearch(&id, purge->ids, purge->count, sizeof id, compare) != NULL) {
        purge->removed++;
        return IR_OK;
    }
    purge->left++;
    ir_buffer_append_view(&purge->kept, line);
    ir_buffer_append_char(&purge->kept, '\n');
    return ir_buffer_ok(&purge->kept) ? IR_OK : IR_ERR_MEMORY;
}

static ir_status_t read_sealed(const char *path, purge_t *purge, ir_error_t *error) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    }
    int64_t end = 0;
    ir_status_t status = ir_segment_end(fd, path, &end, error);
    if (status == IR_OK) {
        status = ir_segment_each_line(fd, path, 0, end, sift, purge, error);
    }
    close(fd);
    return status == IR_ERR_MEMORY ? ir_error_set(error, status, "%s: out of memory", path)
                                   : status;
}

/* Removes the ids first. If this is interrupted, ids without lines would be left in the other
 * order, which a look-up would take for stored. */
static ir_status_t write_sealed(const char *directory, const char *stem, const char *path,
                                purge_t *purge, ir_error_t *error) {
    char ids[PATH_MAX];
    if (snprintf(ids, sizeof ids, "%s.ids", path) >= (int)sizeof ids) {
        return ir_error_set(error, IR_ERR_USAGE, "the path %s is too long", path);
    }
    if (unlink(ids) != 0 && errno != ENOENT) {
        return ir_error_set(error, IR_ERR_IO, "cannot remove %s: %s", ids, strerror(errno));
    }
    if (purge->left == 0) {
        return unlink(path) == 0
                   ? IR_OK
                   : ir_error_set(error, IR_ERR_IO, "cannot remove %s: %s", path, strerror(errno));
    }
    ir_buffer_append_text(&purge->kept, IR_SEGMENT_MARK "1\n");
    const ir_status_t status = ir_buffer_ok(&purge->kept)
                                   ? ir_file_replace(path, ir_buffer_view(&purge->kept), error)
                                   : ir_error_set(error, IR_ERR_MEMORY, "%s: out of memory", path);
    return status == IR_OK ? ir_segment_index(directory, stem, error) : status;
}

ir_status_t ir_segment_purge_ids(const char *directory, const char *stem, const ir_id_t *ids,
                                 size_t count, ir_error_t *error) {
    char path[PATH_MAX];
    ir_buffer_t kept;
    if (snprintf(path, sizeof path, "%s/%s" IR_SEGMENT_IDS, directory, stem) >= (int)sizeof path) {
        return ir_error_set(error, IR_ERR_USAGE, "the path %s is too long", directory);
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ir_error_set(error, IR_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    }
    ir_id_t id;
    ir_buffer_init(&kept);
    bool removed = false;
    while (fread(&id, sizeof id, 1, file) == 1) {
        if (bsearch(&id, ids, count, sizeof id, compare) == NULL) {
            ir_buffer_append(&kept, &id, sizeof id);
        } else {
            removed = true;
        }
    }
    const bool good = ferror(file) == 0 && ir_buffer_ok(&kept);
    fclose(file);
    ir_status_t status = good ? IR_OK : ir_error_set(error, IR_ERR_IO, "cannot read %s", path);
    if (good && removed) {
        status = ir_file_replace(path, ir_buffer_view(&kept), error);
    }
    ir_buffer_free(&kept);
    return status;
}

ir_status_t ir_segment_purge(const char *directory, const char *stem, const char *base_iri,
                             const ir_id_t *ids, size_t count, ir_error_t *error) {
    char path[PATH_MAX];
    purge_t purge = {.base_iri = base_iri, .ids = ids, .count = count};
    if (snprintf(path, sizeof path, "%s/%s" IR_SEGMENT_SEALED, directory, stem) >=
        (int)sizeof path) {
        return ir_error_set(error, IR_ERR_USAGE, "the path %s is too long", directory);
    }
    ir_buffer_init(&purge.kept);
    ir_status_t status = read_sealed(path, &purge, error);
    if (status == IR_OK && purge.removed > 0) {
        status = write_sealed(directory, stem, path, &purge, error);
    }
    ir_buffer_free(&purge.kept);
    return status;
}
