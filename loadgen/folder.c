#include "loadgen/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW ".new"

/* The files of results. The summary is removed first and written last, so it exists only together
 * with all others. */
static const char *const results[] = {
    "summary.json",
    "ledger.txt",
    "series.csv",
    "confirm.hgrm",
    "confirm_corrected.hgrm",
    "latency.hgrm",
    "latency_corrected.hgrm",
};
#define N_RESULTS (sizeof results / sizeof results[0])

static ir_status_t name_file(const ir_folder_t *folder, const char *name, const char *suffix,
                             char path[static IR_PATH_SIZE], ir_error_t *error) {
    const int size = snprintf(path, IR_PATH_SIZE, "%s/%s%s", folder->path, name, suffix);
    return size > 0 && size < IR_PATH_SIZE
               ? IR_OK
               : ir_error_set(error, IR_ERR_RANGE, "out: the path is longer than %d bytes",
                              IR_PATH_SIZE);
}

static ir_status_t remove_result(const ir_folder_t *folder, const char *name, const char *suffix,
                                 ir_error_t *error) {
    char path[IR_PATH_SIZE];
    const ir_status_t status = name_file(folder, name, suffix, path, error);
    if (status == IR_OK && unlink(path) != 0 && errno != ENOENT) {
        return ir_error_set(error, IR_ERR_IO, "cannot remove %s: %s", path, strerror(errno));
    }
    return status;
}

static void remove_new(const ir_folder_t *folder) {
    for (size_t i = 0; i < N_RESULTS && folder->path != NULL; i++) {
        (void)remove_result(folder, results[i], NEW, NULL);
    }
}

static ir_status_t lock_folder(ir_folder_t *folder, ir_error_t *error) {
    folder->lock = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->lock < 0) {
        return ir_error_set(error, IR_ERR_IO, "out: cannot open directory %s: %s", folder->path,
                            strerror(errno));
    }
    if (flock(folder->lock, LOCK_EX | LOCK_NB) == 0) {
        return IR_OK;
    }
    return errno == EWOULDBLOCK ? ir_error_set(error, IR_ERR_STATE,
                                               "out: another run writes its results to %s: wait "
                                               "until it ends, or choose another directory",
                                               folder->path)
                                : ir_error_set(error, IR_ERR_IO, "out: cannot lock %s: %s",
                                               folder->path, strerror(errno));
}

ir_status_t ir_folder_open(ir_folder_t *folder, const char *path, ir_error_t *error) {
    *folder = (ir_folder_t){.path = path, .lock = -1};
    if (path == NULL) {
        return IR_OK;
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        folder->path = NULL;
        return ir_error_set(error, IR_ERR_IO, "out: cannot create directory %s: %s", path,
                            strerror(errno));
    }
    const ir_status_t status = lock_folder(folder, error);
    if (status != IR_OK) {
        folder->path = NULL; /* the results in the folder belong to an earlier run */
        return status;
    }
    remove_new(folder); /* files left by a run that was killed */
    return IR_OK;
}

ir_status_t ir_folder_new(const ir_folder_t *folder, const char *name,
                          char path[static IR_PATH_SIZE], ir_error_t *error) {
    return name_file(folder, name, NEW, path, error);
}

ir_status_t ir_folder_keep(const ir_folder_t *folder, const char *name, ir_error_t *error) {
    char from[IR_PATH_SIZE];
    char to[IR_PATH_SIZE];
    ir_status_t status = name_file(folder, name, NEW, from, error);
    if (status == IR_OK) {
        status = name_file(folder, name, "", to, error);
    }
    if (status == IR_OK && rename(from, to) != 0) {
        status = ir_error_set(error, IR_ERR_IO, "cannot rename %s: %s", from, strerror(errno));
    }
    return status;
}

static bool has_new(const ir_folder_t *folder, const char *name) {
    char path[IR_PATH_SIZE];
    return name_file(folder, name, NEW, path, NULL) == IR_OK && access(path, F_OK) == 0;
}

ir_status_t ir_folder_begin(ir_folder_t *folder, ir_error_t *error) {
    ir_status_t status = IR_OK;
    if (folder->path == NULL) {
        return IR_OK;
    }
    for (size_t i = 0; i < N_RESULTS && status == IR_OK; i++) {
        status = remove_result(folder, results[i], "", error);
        if (status == IR_OK && has_new(folder, results[i])) {
            status = ir_folder_keep(folder, results[i], error);
        }
    }
    folder->begun = status == IR_OK;
    return status;
}

void ir_folder_close(ir_folder_t *folder) {
    remove_new(folder);
    if (folder->lock >= 0) {
        close(folder->lock);
    }
    *folder = (ir_folder_t){.lock = -1};
}
