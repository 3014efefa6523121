#include "store/graph/nquads/registry.h"

#include "store/graph/nquads/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "registry."
#define SUFFIX ".ttl.nq"
#define HAS_PART "> <" IR_GRAPH_HAS_PART "> <"

/* ---- writing ---- */

static ir_status_t make_path(char *path, size_t size, const char *directory, const char *name,
                             ir_error_t *error) {
    const int length = snprintf(path, size, "%s/%s", directory, name);
    return length > 0 && length < (int)size
               ? IR_OK
               : ir_error_set(error, IR_ERR_USAGE, "the path %s/%s is too long", directory, name);
}

/* Turns N-Triples lines into quads: puts the graph before the " ." at the end of each line. */
static void append_quads(ir_buffer_t *out, ir_view_t triples, const char *graph) {
    while (triples.size > 0) {
        const char *stop = memchr(triples.data, '\n', triples.size);
        const size_t size = stop != NULL ? (size_t)(stop - triples.data) : triples.size;
        size_t end = size;
        while (end > 0 && (triples.data[end - 1] == '.' || triples.data[end - 1] == ' ' ||
                           triples.data[end - 1] == '\r')) {
            end--;
        }
        if (end > 0 && triples.data[0] != '#') {
            ir_buffer_append(out, triples.data, end);
            ir_buffer_append_format(out, " <%s> .\n", graph);
        }
        triples.data += size + (stop != NULL);
        triples.size -= size + (stop != NULL);
    }
}

static ir_status_t replace(const char *directory, const char *name, const ir_buffer_t *lines,
                           ir_error_t *error) {
    char path[PATH_MAX];
    if (!ir_buffer_ok(lines)) {
        return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
    }
    const ir_status_t status = make_path(path, sizeof path, directory, name, error);
    return status == IR_OK ? ir_file_replace(path, ir_buffer_view(lines), error) : status;
}

/* Copies the index's lines, except the line of this graph and those of an earlier release, which
 * had one graph for everything. */
static ir_status_t append_others(ir_buffer_t *lines, const char *directory, const char *entry,
                                 ir_error_t *error) {
    char path[PATH_MAX];
    const ir_status_t status = make_path(path, sizeof path, directory, IR_NQUADS_INDEX, error);
    FILE *file = status == IR_OK ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return status != IR_OK || errno == ENOENT
                   ? status
                   : ir_error_set(error, IR_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    }
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0) {
        if (strstr(line, HAS_PART) != NULL && strcmp(line, entry) != 0) {
            ir_buffer_append_text(lines, line);
        }
    }
    const bool failed = ferror(file) != 0;
    free(line);
    fclose(file);
    return failed ? ir_error_set(error, IR_ERR_IO, "cannot read %s", path) : IR_OK;
}

static ir_status_t write_index(const char *directory, const ir_registry_graph_t *graph,
                               ir_error_t *error) {
    ir_buffer_t lines;
    ir_buffer_t entry;
    ir_buffer_init(&lines);
    ir_buffer_init(&entry);
    ir_buffer_append_format(&entry, "<%s" HAS_PART "%s> <%s> .\n%c", graph->index, graph->iri,
                            graph->index, '\0');
    ir_status_t status = IR_ERR_MEMORY;
    if (ir_buffer_ok(&entry)) {
        status = append_others(&lines, directory, entry.data, error);
        ir_buffer_append_text(&lines, entry.data);
    } else {
        ir_error_set(error, status, "graph: out of memory");
    }
    if (status == IR_OK) {
        status = replace(directory, IR_NQUADS_INDEX, &lines, error);
    }
    ir_buffer_free(&lines);
    ir_buffer_free(&entry);
    return status;
}

ir_status_t ir_nquads_registry_write(const char *directory, ir_view_t triples,
                                     const ir_registry_graph_t *graph, ir_error_t *error) {
    ir_buffer_t lines;
    char name[NAME_MAX + 1];
    if (snprintf(name, sizeof name, PREFIX "%s" SUFFIX, graph->name) >= (int)sizeof name) {
        return ir_error_set(error, IR_ERR_USAGE, "the registry's name %s is too long", graph->name);
    }
    ir_buffer_init(&lines);
    append_quads(&lines, triples, graph->iri);
    ir_status_t status = replace(directory, name, &lines, error);
    ir_buffer_free(&lines);
    if (status == IR_OK) {
        status = write_index(directory, graph, error);
    }
    return status == IR_OK ? ir_directory_sync(directory, error) : status;
}

/* ---- reading ---- */

static int is_registry_file(const struct dirent *entry) {
    const size_t size = strlen(entry->d_name);
    return size > strlen(PREFIX SUFFIX) && strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
           strcmp(entry->d_name + size - strlen(SUFFIX), SUFFIX) == 0;
}

static ir_status_t read_file(const char *directory, const char *name, ir_each_line_fn each,
                             void *context, ir_error_t *error) {
    char path[PATH_MAX];
    struct stat facts;
    ir_status_t status = make_path(path, sizeof path, directory, name, error);
    if (status != IR_OK) {
        return status;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &facts) != 0) {
        status = ir_error_set(error, errno == ENOENT ? IR_ERR_NOT_FOUND : IR_ERR_IO,
                              "cannot read %s: %s", path, strerror(errno));
    } else {
        status = ir_segment_each_line(fd, path, 0, facts.st_size, each, context, error);
    }
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

ir_status_t ir_nquads_registry_each_line(const char *directory, ir_each_line_fn each, void *context,
                                         ir_error_t *error) {
    struct dirent **entries = NULL;
    ir_status_t status = read_file(directory, IR_NQUADS_INDEX, each, context, error);
    const int count =
        status == IR_OK ? scandir(directory, &entries, is_registry_file, alphasort) : 0;
    if (count < 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot read %s: %s", directory, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        if (status == IR_OK) {
            status = read_file(directory, entries[i]->d_name, each, context, error);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}
