#include "store/graph/nquads/segments.h"

#include "observation/id_set.h"
#include "store/graph/nquads/segment.h"
#include "store/graph/nquads/segment_lines.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the list ---- */

static bool ends_with(const char *name, const char *ending, size_t *stem_size) {
    const size_t size = strlen(name);
    const size_t ending_size = strlen(ending);
    if (size <= ending_size || strcmp(name + size - ending_size, ending) != 0) {
        return false;
    }
    *stem_size = size - ending_size;
    return true;
}

static bool list_add(ir_segment_list_t *list, const char *name, size_t stem_size, bool open,
                     bool archived) {
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity > 0 ? list->capacity * 2 : 64;
        ir_segment_name_t *grown = realloc(list->names, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        list->names = grown;
        list->capacity = capacity;
    }
    char *stem = strndup(name, stem_size);
    if (stem != NULL) {
        list->names[list->count++] = (ir_segment_name_t){stem, open, archived};
    }
    return stem != NULL;
}

static int rank(const ir_segment_name_t *name) {
    return name->archived ? 2 : name->open ? 1 : 0;
}

/* Orders the entries of one segment. If it was seen before and after its renaming, the sealed file
 * comes first. A file of ids comes last. */
static int compare_names(const void *a, const void *b) {
    const ir_segment_name_t *left = a;
    const ir_segment_name_t *right = b;
    const int order = strcmp(left->stem, right->stem);
    return order != 0 ? order : rank(left) - rank(right);
}

static void list_tidy(ir_segment_list_t *list) {
    size_t kept = 0;
    if (list->count > 0) {
        qsort(list->names, list->count, sizeof *list->names, compare_names);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (kept > 0 && strcmp(list->names[kept - 1].stem, list->names[i].stem) == 0) {
            free(list->names[i].stem);
        } else {
            list->names[kept++] = list->names[i];
        }
    }
    list->count = kept;
}

static bool list_take(ir_segment_list_t *list, const char *name) {
    size_t stem_size = 0;
    const bool open = ends_with(name, IR_SEGMENT_OPEN, &stem_size);
    const bool ids = !open && ends_with(name, IR_SEGMENT_IDS, &stem_size);
    const bool sealed = !open && !ids && ends_with(name, IR_SEGMENT_SEALED, &stem_size);
    /* The form is STEM-00000001; other N-Quads files, such as the registry's, are not segments. */
    return (!open && !sealed && !ids) || stem_size < 10 || name[stem_size - 9] != '-' ||
           list_add(list, name, stem_size, open, ids);
}

ir_status_t ir_segment_list_read(const char *directory, ir_segment_list_t *list,
                                 ir_error_t *error) {
    DIR *stream = opendir(directory);
    if (stream == NULL) {
        const int code = errno;
        return ir_error_set(error, code == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                            "cannot read the graph directory %s: %s%s", directory, strerror(code),
                            code == ENOENT ? "; run ir-store init" : "");
    }
    ir_segment_list_t made = {NULL, 0, 0};
    bool good = true;
    for (const struct dirent *entry = readdir(stream); good && entry != NULL;
         entry = readdir(stream)) {
        good = list_take(&made, entry->d_name);
    }
    closedir(stream);
    if (!good) {
        ir_segment_list_free(&made);
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    list_tidy(&made);
    *list = made;
    return IR_OK;
}

void ir_segment_list_free(ir_segment_list_t *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->names[i].stem);
    }
    free(list->names);
    *list = (ir_segment_list_t){NULL, 0, 0};
}

static int open_as(const char *directory, const char *stem, const char *ending) {
    char path[PATH_MAX];
    const int length = snprintf(path, sizeof path, "%s/%s%s", directory, stem, ending);
    if (length < 0 || length >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_RDONLY | O_CLOEXEC);
}

ir_status_t ir_segment_list_open(const char *directory, const ir_segment_name_t *name, int *fd,
                                 ir_error_t *error) {
    int made = name->open ? open_as(directory, name->stem, IR_SEGMENT_OPEN) : -1;
    if (!name->open || (made < 0 && errno == ENOENT)) {
        made = open_as(directory, name->stem, IR_SEGMENT_SEALED);
    }
    if (made < 0) {
        /* A segment may disappear: an open one without a complete batch is removed when its writer
         * is gone, and a sealed one when all of it was purged or archived. */
        const int code = errno;
        return ir_error_set(error, code == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                            "cannot open segment %s/%s: %s", directory, name->stem, strerror(code));
    }
    *fd = made;
    return IR_OK;
}

/* ---- looking up ---- */

typedef struct known {
    char *stem;
    ir_id_t *ids; /* ids of a sealed segment, mapped read-only */
    size_t n_ids;
    bool sealed;
    ino_t file;   /* identity of the mapped file: a purge creates a new one */
    int64_t seen; /* of an open segment: the number of bytes whose ids are in `set` */
    ir_id_set_t set;
} known_t;

struct ir_segments {
    char *directory;
    known_t *known; /* known segments, sorted by stem */
    size_t count;
};

ir_segments_t *ir_segments_new(const char *directory) {
    ir_segments_t *made = calloc(1, sizeof *made);
    char *copy = made != NULL ? strdup(directory) : NULL;
    if (copy == NULL) {
        free(made);
        return NULL;
    }
    made->directory = copy;
    return made;
}

static void unmap(known_t *known) {
    if (known->ids != NULL) {
        munmap(known->ids, known->n_ids * sizeof *known->ids);
    }
    known->ids = NULL;
    known->n_ids = 0;
}

static void forget(known_t *known) {
    unmap(known);
    ir_id_set_free(&known->set);
    free(known->stem);
}

void ir_segments_forget(ir_segments_t *segments) {
    for (size_t i = 0; i < segments->count; i++) {
        forget(&segments->known[i]);
    }
    free(segments->known);
    segments->known = NULL;
    segments->count = 0;
}

void ir_segments_free(ir_segments_t *segments) {
    if (segments == NULL) {
        return;
    }
    ir_segments_forget(segments);
    free(segments->directory);
    free(segments);
}

/* Updates the array from the list; both are sorted. The array takes over the stems (names without
 * ending) of the list. */
static bool follow(ir_segments_t *segments, ir_segment_list_t *list) {
    known_t *made = calloc(list->count > 0 ? list->count : 1, sizeof *made);
    if (made == NULL) {
        return false;
    }
    size_t old = 0;
    for (size_t i = 0; i < list->count; i++) {
        while (old < segments->count &&
               strcmp(segments->known[old].stem, list->names[i].stem) < 0) {
            forget(&segments->known[old++]);
        }
        if (old < segments->count && strcmp(segments->known[old].stem, list->names[i].stem) == 0) {
            made[i] = segments->known[old++];
        } else {
            made[i] = (known_t){.stem = strdup(list->names[i].stem)};
            if (made[i].stem == NULL) {
                /* Some known segments have already been moved into `made`. So this forgets all of
                 * them, and the list is empty. */
                for (size_t k = 0; k < i; k++) {
                    forget(&made[k]);
                }
                while (old < segments->count) {
                    forget(&segments->known[old++]);
                }
                segments->count = 0;
                free(made);
                return false;
            }
        }
    }
    while (old < segments->count) {
        forget(&segments->known[old++]);
    }
    free(segments->known);
    segments->known = made;
    segments->count = list->count;
    return true;
}

static ir_status_t open_ids(const ir_segments_t *segments, const known_t *known, int *fd,
                            ir_error_t *error) {
    *fd = open_as(segments->directory, known->stem, IR_SEGMENT_IDS);
    if (*fd < 0 && errno == ENOENT) {
        const ir_status_t status = ir_segment_index(segments->directory, known->stem, error);
        if (status != IR_OK) {
            return status;
        }
        *fd = open_as(segments->directory, known->stem, IR_SEGMENT_IDS);
    }
    return *fd >= 0 ? IR_OK
                    : ir_error_set(error, IR_ERR_IO, "cannot open %s/%s%s: %s", segments->directory,
                                   known->stem, IR_SEGMENT_IDS, strerror(errno));
}

static ir_status_t map_sealed(const ir_segments_t *segments, known_t *known, ir_error_t *error) {
    int fd = -1;
    const ir_status_t status = open_ids(segments, known, &fd, error);
    if (status != IR_OK) {
        return status;
    }
    struct stat facts = {0};
    void *ids = NULL;
    bool good = fstat(fd, &facts) == 0;
    if (good && facts.st_size > 0) {
        ids = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED, fd, 0);
        good = ids != MAP_FAILED;
    }
    const int code = errno;
    close(fd);
    if (!good) {
        return ir_error_set(error, IR_ERR_IO, "cannot map %s/%s%s: %s", segments->directory,
                            known->stem, IR_SEGMENT_IDS, strerror(code));
    }
    unmap(known);
    known->file = facts.st_ino;
    known->ids = ids;
    known->n_ids = (size_t)facts.st_size / sizeof *known->ids;
    known->sealed = true;
    ir_id_set_free(&known->set);
    return IR_OK;
}

/* Whether the mapped file is still the one of its segment. */
static bool is_mapped(const ir_segments_t *segments, const known_t *known) {
    char path[PATH_MAX];
    struct stat facts;
    return known->sealed &&
           snprintf(path, sizeof path, "%s/%s" IR_SEGMENT_IDS, segments->directory, known->stem) <
               (int)sizeof path &&
           stat(path, &facts) == 0 && facts.st_ino == known->file;
}

static ir_status_t take_lines(known_t *known, int fd, int64_t end, ir_error_t *error) {
    const ir_status_t status =
        ir_segment_read_ids(fd, known->stem, known->seen, end, &known->set, error);
    if (status == IR_OK) {
        known->seen = end;
    }
    return status;
}

static ir_status_t read_open(const ir_segments_t *segments, known_t *known, ir_error_t *error) {
    const ir_segment_name_t name = {.stem = known->stem, .open = true};
    int fd = -1;
    ir_status_t status = ir_segment_list_open(segments->directory, &name, &fd, error);
    if (status != IR_OK) {
        return status == IR_ERR_NOT_FOUND ? IR_OK : status;
    }
    int64_t end = 0;
    status = ir_segment_end(fd, known->stem, &end, error);
    if (status == IR_OK && end > known->seen) {
        if (fdatasync(fd) != 0) {
            status = ir_error_set(error, IR_ERR_IO, "cannot sync segment %s/%s: %s",
                                  segments->directory, known->stem, strerror(errno));
        } else {
            status = take_lines(known, fd, end, error);
        }
    }
    close(fd);
    return status;
}

ir_status_t ir_segments_refresh(ir_segments_t *segments, const char *own, ir_error_t *error) {
    ir_segment_list_t list = {NULL, 0, 0};
    ir_status_t status = ir_segment_list_read(segments->directory, &list, error);
    if (status != IR_OK) {
        return status;
    }
    if (!follow(segments, &list)) {
        status = ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    for (size_t i = 0; i < list.count && status == IR_OK; i++) {
        known_t *known = &segments->known[i];
        const bool open = list.names[i].open;
        if (!open && !is_mapped(segments, known)) {
            status = map_sealed(segments, known, error);
        } else if (open && (own == NULL || strcmp(own, known->stem) != 0)) {
            status = read_open(segments, known, error);
        }
    }
    ir_segment_list_free(&list);
    return status;
}

static bool search(const known_t *known, const ir_id_t *id) {
    size_t low = 0;
    size_t high = known->n_ids;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = ir_id_compare(&known->ids[middle], id);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

bool ir_segments_has(const ir_segments_t *segments, const ir_id_t *id) {
    for (size_t i = segments->count; i > 0; i--) {
        const known_t *known = &segments->known[i - 1];
        if (known->sealed ? search(known, id) : ir_id_set_has(&known->set, id)) {
            return true;
        }
    }
    return false;
}
