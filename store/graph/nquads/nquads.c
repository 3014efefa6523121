#include "store/graph/nquads/nquads.h"

#include "store/graph/nquads/directory_lock.h"
#include "store/graph/nquads/registry.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEME "nquads:"
#define SEGMENT_BYTES_DEFAULT ((int64_t)64 * 1024 * 1024)
#define TIMEOUT_DEFAULT_NS INT64_C(10000000000)
#define CLOSE_WAIT_NS INT64_C(1000000000)

/* ---- opening ---- */

ir_status_t ir_nquads_out_of_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
}

/* If the segment cannot be sealed now, the next process that opens the directory will seal it. */
static void close_segment(ir_nquads_t *graph) {
    ir_segment_t *segment = graph->segment;
    graph->segment = NULL;
    if (segment == NULL || ir_segment_broken(segment) ||
        ir_directory_lock(graph->lock, graph->directory, false, CLOSE_WAIT_NS, NULL) != IR_OK) {
        ir_segment_close(segment);
        return;
    }
    if (ir_segment_seal(segment, NULL) != IR_OK) {
        ir_segment_close(segment);
    }
    ir_directory_unlock(graph->lock);
}

static void nquads_close(void *store) {
    ir_nquads_t *graph = store;
    if (graph == NULL) {
        return;
    }
    close_segment(graph);
    ir_segments_free(graph->segments);
    ir_nquads_load_free(graph->load);
    if (graph->lock >= 0) {
        close(graph->lock);
    }
    if (graph->claims >= 0) {
        close(graph->claims);
    }
    if (graph->seals.fd >= 0) {
        close(graph->seals.fd);
    }
    ir_buffer_free(&graph->lines);
    ir_buffer_free(&graph->ids);
    free(graph->directory);
    free(graph->writer);
    free(graph);
}

static char *default_writer(void) {
    char name[32];
    snprintf(name, sizeof name, "writer-%ld", (long)getpid());
    return strdup(name);
}

/* In the directory's name, blanks and commas, which separate stores in a list, are written as %XX
 * (RFC 3986). */
static char *decode(const char *text) {
    char *out = malloc(strlen(text) + 1);
    char *end = out;
    unsigned byte = 0;
    for (; out != NULL && *text != '\0'; text++) {
        if (text[0] == '%' && isxdigit((unsigned char)text[1]) &&
            isxdigit((unsigned char)text[2]) && sscanf(text + 1, "%2x", &byte) == 1 && byte != 0) {
            *end++ = (char)byte;
            text += 2;
        } else {
            *end++ = *text;
        }
    }
    if (out != NULL) {
        *end = '\0';
    }
    return out;
}

static ir_status_t nquads_open(const ir_graph_options_t *options, void **store, ir_error_t *error) {
    const char *directory = options->uris + strlen(SCHEME);
    if (*directory == '\0') {
        return ir_error_set(error, IR_ERR_USAGE,
                            "graph: nquads: needs a directory, as in nquads:graph");
    }
    ir_nquads_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_nquads_out_of_memory(error);
    }
    made->lock = made->claims = made->seals.fd = -1;
    made->format = options->format;
    made->lost = options->set_up;
    made->segment_bytes =
        options->segment_bytes > 0 ? options->segment_bytes : SEGMENT_BYTES_DEFAULT;
    made->timeout_ns = options->timeout_ns > 0 ? options->timeout_ns : TIMEOUT_DEFAULT_NS;
    made->directory = decode(directory);
    made->writer = options->writer != NULL && *options->writer != '\0' ? strdup(options->writer)
                                                                       : default_writer();
    made->segments = made->directory != NULL ? ir_segments_new(made->directory) : NULL;
    if (made->directory == NULL || made->writer == NULL || made->segments == NULL) {
        nquads_close(made);
        return ir_nquads_out_of_memory(error);
    }
    *store = made;
    return IR_OK;
}

static ir_status_t nquads_ready(void *store, ir_error_t *error) {
    const ir_status_t status = ir_nquads_attach_again(store, error);
    return status == IR_OK ? ir_nquads_check_ids(store, error) : status;
}

static ir_status_t nquads_present(void *store, ir_error_t *error) {
    ir_nquads_t *graph = store;
    ir_status_t status = ir_nquads_attach_again(graph, error);
    if (status == IR_OK) {
        status = ir_nquads_check_presence(graph, error);
    }
    return status == IR_OK ? ir_nquads_seal_as_asked(graph, error) : status;
}

/* ---- init ---- */

static ir_status_t make_directory(const char *directory, ir_error_t *error) {
    char path[PATH_MAX];
    const size_t size = strlen(directory);
    if (size >= sizeof path) {
        return ir_error_set(error, IR_ERR_USAGE, "the path %s is too long", directory);
    }
    memcpy(path, directory, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        const char kept = path[i];
        path[i] = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            return ir_error_set(error, IR_ERR_IO, "cannot make the graph directory %s: %s", path,
                                strerror(errno));
        }
        path[i] = kept;
    }
    return IR_OK;
}

static ir_status_t nquads_init(void *store, ir_view_t registry, const ir_registry_graph_t *of,
                               ir_error_t *error) {
    ir_nquads_t *graph = store;
    ir_status_t status = make_directory(graph->directory, error);
    if (status == IR_OK) {
        status = ir_nquads_attach(graph, error);
    }
    if (status == IR_OK) {
        status = ir_nquads_check_ids(graph, error);
    }
    return status == IR_OK ? ir_nquads_registry_write(graph->directory, registry, of, error)
                           : status;
}

/* ---- restoring ---- */

static ir_status_t nquads_load(void *store, ir_view_t lines, ir_error_t *error) {
    ir_nquads_t *graph = store;
    ir_status_t status = IR_OK;
    if (graph->load == NULL) {
        status = make_directory(graph->directory, error);
        if (status == IR_OK) {
            status =
                ir_nquads_load_begin(graph->directory, graph->segment_bytes, &graph->load, error);
        }
    }
    return status == IR_OK ? ir_nquads_load_lines(graph->load, lines, error) : status;
}

static ir_status_t nquads_loaded(void *store, ir_error_t *error) {
    ir_nquads_t *graph = store;
    ir_status_t status = graph->load != NULL ? ir_nquads_attach(graph, error) : IR_OK;
    if (status == IR_OK && graph->load != NULL) {
        status = ir_directory_lock(graph->lock, graph->directory, true, graph->timeout_ns, error);
        if (status == IR_OK) {
            status = ir_nquads_load_end(graph->load, error);
            ir_directory_unlock(graph->lock);
        }
    }
    ir_nquads_load_free(graph->load);
    graph->load = NULL;
    return status;
}

static const char *const prefixes[] = {SCHEME, NULL};

const ir_graph_backend_t ir_graph_nquads = {.scheme = {SCHEME "DIR", prefixes},
                                            .open = nquads_open,
                                            .close = nquads_close,
                                            .init = nquads_init,
                                            .ready = nquads_ready,
                                            .present = nquads_present,
                                            .put = ir_nquads_put,
                                            .count = ir_nquads_count,
                                            .each_id = ir_nquads_each_id,
                                            .purge = ir_nquads_purge,
                                            .retire = ir_nquads_retire,
                                            .export = ir_nquads_export,
                                            .load = nquads_load,
                                            .loaded = nquads_loaded};
