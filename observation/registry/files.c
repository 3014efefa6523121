#include "observation/registry/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".ttl"

static int is_turtle(const struct dirent *entry) {
    const size_t size = strlen(entry->d_name);
    const size_t end = strlen(SUFFIX);
    return size > end && entry->d_name[0] != '.' && strcmp(entry->d_name + size - end, SUFFIX) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* A file that cannot be read is a fault; the others are still read. */
static ir_status_t read_file(ir_turtle_t *turtle, const char *path, ir_error_t *error) {
    const ir_status_t status = ir_turtle_read(turtle, path, error);
    if (status == IR_OK || status == IR_ERR_MEMORY) {
        return status;
    }
    ir_turtle_unreadable(turtle, error);
    return IR_OK;
}

static ir_status_t read_entry(ir_turtle_t *turtle, const char *folder, const char *name,
                              ir_error_t *error) {
    char path[PATH_MAX];
    const int size = snprintf(path, sizeof path, "%s/%s", folder, name);
    return size > 0 && size < (int)sizeof path
               ? read_file(turtle, path, error)
               : ir_error_set(error, IR_ERR_RANGE, "%.200s…: the path is too long", folder);
}

static ir_status_t read_folder(ir_turtle_t *turtle, const char *path, ir_error_t *error) {
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, is_turtle, by_name);
    if (count < 0) {
        return ir_error_set(error, IR_ERR_IO, "%s: cannot read the registry's folder: %s", path,
                            strerror(errno));
    }
    ir_status_t status = count > 0
                             ? IR_OK
                             : ir_error_set(error, IR_ERR_NOT_FOUND,
                                            "%s: the registry's folder has no file *" SUFFIX, path);
    for (int i = 0; i < count; i++) {
        if (status == IR_OK) {
            status = read_entry(turtle, path, entries[i]->d_name, error);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

ir_status_t ir_registry_read_files(ir_turtle_t *turtle, const char *paths, ir_error_t *error) {
    ir_status_t status = IR_OK;
    char path[PATH_MAX];
    do {
        const size_t size = strcspn(paths, ",");
        if (size == 0 || size >= sizeof path) {
            return ir_error_set(error, IR_ERR_USAGE,
                                "registry: %s; give files or folders, separated by commas",
                                size == 0 ? "a path is empty" : "a path is too long");
        }
        memcpy(path, paths, size);
        path[size] = '\0';
        struct stat facts;
        const bool folder = stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
        status = folder ? read_folder(turtle, path, error) : read_file(turtle, path, error);
        paths += size;
    } while (status == IR_OK && *paths++ == ',');
    return status;
}
