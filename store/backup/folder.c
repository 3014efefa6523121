#include "store/backup/folder.h"

#include "common/clock.h"
#include "store/backup/file.h"
#include "store/backup/sums.h"
#include "store/backup/tree.h"
#include "store/graph/nquads/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PART ".part"
#define NAME_SIZE 17 /* "20260131T120000Z" and NUL */

void ir_backup_graph_name(size_t server, char name[static IR_BACKUP_GRAPH_SIZE]) {
    snprintf(name, IR_BACKUP_GRAPH_SIZE, "graph-%zu.nq.gz", server + 1);
}

/* ---- names ---- */

static void name_of(time_t seconds, char name[static NAME_SIZE]) {
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(name, NAME_SIZE, "%Y%m%dT%H%M%SZ", &parts);
}

static bool is_name(const char *name, size_t size) {
    static const char form[] = "dddddddd"
                               "T"
                               "dddddd"
                               "Z";
    for (size_t i = 0; i < size && i + 1 < sizeof form; i++) {
        if (form[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != form[i]) {
            return false;
        }
    }
    return size == sizeof form - 1;
}

static int is_complete(const struct dirent *entry) {
    return is_name(entry->d_name, strlen(entry->d_name));
}

static int is_part(const struct dirent *entry) {
    const size_t size = strlen(entry->d_name);
    return size > strlen(PART) && strcmp(entry->d_name + size - strlen(PART), PART) == 0 &&
           is_name(entry->d_name, size - strlen(PART));
}

/* Removes the folders that `is` selects, in the order of their names, except the last `keep`. */
static ir_status_t remove_some(const char *directory, int (*is)(const struct dirent *), size_t keep,
                               unsigned *removed, ir_error_t *error) {
    struct dirent **entries = NULL;
    const int count = scandir(directory, &entries, is, alphasort);
    if (count < 0) {
        return ir_backup_failed("read", directory, errno, error);
    }
    ir_status_t status = IR_OK;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        if (status == IR_OK && (size_t)i + keep < (size_t)count) {
            status = ir_backup_path(directory, entries[i]->d_name, path, error);
            if (status == IR_OK) {
                status = ir_backup_remove(path, error);
            }
            *removed += status == IR_OK;
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* ---- making ---- */

static ir_status_t lock(ir_backup_folder_t *folder, ir_error_t *error) {
    if (mkdir(folder->parent, 0700) != 0 && errno != EEXIST) {
        return ir_backup_failed("create", folder->parent, errno, error);
    }
    folder->lock = open(folder->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->lock < 0) {
        return ir_backup_failed("open", folder->parent, errno, error);
    }
    if (flock(folder->lock, LOCK_EX | LOCK_NB) == 0) {
        return IR_OK;
    }
    return errno == EWOULDBLOCK
               ? ir_error_set(error, IR_ERR_STATE, "another backup into %s is under way",
                              folder->parent)
               : ir_backup_failed("lock", folder->parent, errno, error);
}

/* If there is already a backup of this second, waits for the next second. */
static ir_status_t choose_name(ir_backup_folder_t *folder, ir_error_t *error) {
    char name[NAME_SIZE];
    char part[NAME_SIZE + sizeof PART];
    struct stat facts;
    ir_status_t status = IR_OK;
    do {
        if (folder->path[0] != '\0') {
            ir_clock_sleep(IR_SECOND_NS / 10);
        }
        name_of(time(NULL), name);
        snprintf(part, sizeof part, "%s" PART, name);
        status = ir_backup_path(folder->parent, name, folder->path, error);
    } while (status == IR_OK && stat(folder->path, &facts) == 0);
    return status == IR_OK ? ir_backup_path(folder->parent, part, folder->part, error) : status;
}

ir_status_t ir_backup_folder_make(const char *directory, ir_backup_folder_t *folder,
                                  ir_error_t *error) {
    unsigned removed = 0;
    ir_backup_folder_t made = {.lock = -1, .completed = true};
    if (snprintf(made.parent, sizeof made.parent, "%s", directory) >= (int)sizeof made.parent) {
        return ir_error_set(error, IR_ERR_USAGE, "the path %s is too long", directory);
    }
    ir_status_t status = lock(&made, error);
    if (status == IR_OK) {
        status = remove_some(made.parent, is_part, 0, &removed, error);
    }
    if (status == IR_OK) {
        status = choose_name(&made, error);
    }
    if (status == IR_OK && mkdir(made.part, 0700) != 0) {
        status = ir_backup_failed("create", made.part, errno, error);
    }
    if (status != IR_OK) {
        ir_backup_folder_close(&made);
        return status;
    }
    made.completed = false;
    *folder = made;
    return IR_OK;
}

static ir_status_t sync_all(const ir_backup_folder_t *folder, ir_error_t *error) {
    const int fd = open(folder->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int code = fd >= 0 && syncfs(fd) == 0 ? 0 : errno;
    if (fd >= 0) {
        close(fd);
    }
    return code == 0 ? IR_OK : ir_backup_failed("sync", folder->part, code, error);
}

ir_status_t ir_backup_folder_complete(ir_backup_folder_t *folder, ir_error_t *error) {
    ir_status_t status = sync_all(folder, error);
    if (status == IR_OK && rename(folder->part, folder->path) != 0) {
        status = ir_backup_failed("rename", folder->part, errno, error);
    }
    folder->completed = status == IR_OK;
    return status == IR_OK ? ir_directory_sync(folder->parent, error) : status;
}

ir_status_t ir_backup_folder_prune(const ir_backup_folder_t *folder, size_t keep, unsigned *removed,
                                   ir_error_t *error) {
    return remove_some(folder->parent, is_complete, keep, removed, error);
}

void ir_backup_folder_close(ir_backup_folder_t *folder) {
    if (!folder->completed) {
        (void)ir_backup_remove(folder->part, NULL);
    }
    if (folder->lock >= 0) {
        close(folder->lock);
    }
}

/* ---- finding ---- */

static bool has_sums(const char *path) {
    char sums[PATH_MAX];
    struct stat facts;
    return ir_backup_path(path, IR_BACKUP_SUMS, sums, NULL) == IR_OK && stat(sums, &facts) == 0;
}

ir_status_t ir_backup_folder_find(const char *path, char found[static PATH_MAX],
                                  ir_error_t *error) {
    struct dirent **entries = NULL;
    if (has_sums(path)) {
        snprintf(found, PATH_MAX, "%s", path);
        return IR_OK;
    }
    const int count = scandir(path, &entries, is_complete, alphasort);
    if (count < 0) {
        return ir_backup_failed("read", path, errno, error);
    }
    ir_status_t status =
        count > 0 ? ir_backup_path(path, entries[count - 1]->d_name, found, error)
                  : ir_error_set(error, IR_ERR_NOT_FOUND, "%s: contains no complete backup", path);
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
    return status;
}
