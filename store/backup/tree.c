#include "store/backup/tree.h"

#include "store/backup/file.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)256 * 1024)

/* ---- walking ---- */

typedef ir_status_t (*each_entry_fn)(void *context, const FTSENT *entry, ir_error_t *error);

static int compare_names(const FTSENT **one, const FTSENT **other) {
    return strcmp((*one)->fts_name, (*other)->fts_name);
}

static ir_status_t walk(const char *path, int options, each_entry_fn each, void *context,
                        ir_error_t *error) {
    char *const paths[] = {(char *)path, NULL};
    FTS *tree = fts_open(paths, options | FTS_NOCHDIR, compare_names);
    if (tree == NULL) {
        return ir_backup_failed("read", path, errno, error);
    }
    ir_status_t status = IR_OK;
    const FTSENT *entry = NULL;
    errno = 0;
    while (status == IR_OK && (entry = fts_read(tree)) != NULL) {
        status = each(context, entry, error);
        errno = 0;
    }
    if (status == IR_OK && errno != 0) {
        status = ir_backup_failed("read", path, errno, error);
    }
    fts_close(tree);
    return status;
}

/* IR_ERR_STATE: it is a folder. */
static ir_status_t expect_file(const FTSENT *entry, ir_error_t *error) {
    switch (entry->fts_info) {
    case FTS_F:
        return IR_OK;
    case FTS_D:
    case FTS_DP:
        return IR_ERR_STATE;
    case FTS_NS:
    case FTS_DNR:
    case FTS_ERR:
        return ir_backup_failed("read", entry->fts_path, entry->fts_errno, error);
    default:
        return ir_error_set(error, IR_ERR_IO, "cannot copy %s: it is neither a file nor a folder",
                            entry->fts_path);
    }
}

typedef struct file_walk {
    ir_backup_file_fn each;
    void *context;
    size_t prefix; /* size of the folder's path with its slash */
} file_walk_t;

static ir_status_t visit_file(void *context, const FTSENT *entry, ir_error_t *error) {
    const file_walk_t *files = context;
    const ir_status_t status = expect_file(entry, error);
    if (status != IR_OK) {
        return status == IR_ERR_STATE ? IR_OK : status;
    }
    return files->each(files->context, entry->fts_path, entry->fts_path + files->prefix, error);
}

ir_status_t ir_backup_each_file(const char *folder, ir_backup_file_fn each, void *context,
                                ir_error_t *error) {
    file_walk_t files = {each, context, strlen(folder) + 1};
    return walk(folder, FTS_PHYSICAL, visit_file, &files, error);
}

/* ---- copying ---- */

static int copy_bytes(int from, int to) {
    char *chunk = malloc(CHUNK);
    int code = chunk != NULL ? 0 : ENOMEM;
    ssize_t got = 1;
    while (code == 0 && (got = read(from, chunk, CHUNK)) > 0) {
        for (ssize_t done = 0; code == 0 && done < got;) {
            const ssize_t written = write(to, chunk + done, (size_t)(got - done));
            code = written < 0 && errno != EINTR ? errno : 0;
            done += written > 0 ? written : 0;
        }
    }
    code = code == 0 && got < 0 ? errno : code;
    free(chunk);
    return code == 0 && fsync(to) != 0 ? errno : code;
}

static ir_status_t copy_open(int source, const char *to, ir_error_t *error) {
    struct stat facts;
    if (fstat(source, &facts) != 0) {
        return ir_backup_failed("read", to, errno, error);
    }
    const int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, facts.st_mode & 0777);
    if (target < 0) {
        return ir_backup_failed("create", to, errno, error);
    }
    const int code = copy_bytes(source, target);
    close(target);
    return code == 0 ? IR_OK : ir_backup_failed("write", to, code, error);
}

ir_status_t ir_backup_copy(const char *from, const char *to, ir_error_t *error) {
    const int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0) {
        return ir_backup_failed("read", from, errno, error);
    }
    const ir_status_t status = copy_open(source, to, error);
    close(source);
    return status;
}

/* Makes the folders that contain `path`. The first `from` bytes of the path exist already. */
static ir_status_t make_parents(char *path, size_t from, ir_error_t *error) {
    for (char *slash = strchr(path + from, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const int code = mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
        const ir_status_t status =
            code == 0 ? IR_OK : ir_backup_failed("create", path, code, error);
        *slash = '/';
        if (status != IR_OK) {
            return status;
        }
    }
    return IR_OK;
}

static ir_status_t copy_entry(void *context, const FTSENT *entry, ir_error_t *error) {
    const char *folder = context;
    char to[PATH_MAX];
    ir_status_t status = expect_file(entry, error);
    if (status != IR_OK) {
        return status == IR_ERR_STATE ? IR_OK : status;
    }
    status = ir_backup_path(folder, entry->fts_path + strspn(entry->fts_path, "/"), to, error);
    if (status == IR_OK) {
        status = make_parents(to, strlen(folder) + 1, error);
    }
    return status == IR_OK ? ir_backup_copy(entry->fts_path, to, error) : status;
}

bool ir_backup_leads_elsewhere(const char *path) {
    for (const char *at = path; (at = strstr(at, "..")) != NULL; at += 2) {
        if ((at == path || at[-1] == '/') && (at[2] == '\0' || at[2] == '/')) {
            return true;
        }
    }
    return false;
}

ir_status_t ir_backup_copy_tree(const char *path, const char *folder, ir_error_t *error) {
    return ir_backup_leads_elsewhere(path)
               ? ir_error_set(error, IR_ERR_USAGE, "%s: write the path without '..'", path)
               : walk(path, FTS_LOGICAL, copy_entry, (void *)folder, error);
}

/* ---- removing ---- */

static ir_status_t remove_entry(void *context, const FTSENT *entry, ir_error_t *error) {
    (void)context;
    if (entry->fts_info == FTS_D || (entry->fts_info == FTS_NS && entry->fts_errno == ENOENT)) {
        return IR_OK;
    }
    return remove(entry->fts_path) == 0 ? IR_OK
                                        : ir_backup_failed("remove", entry->fts_path, errno, error);
}

ir_status_t ir_backup_remove(const char *folder, ir_error_t *error) {
    return walk(folder, FTS_PHYSICAL, remove_entry, NULL, error);
}
