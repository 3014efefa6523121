#include "store/graph/nquads/nquads.h"

#include "common/clock.h"
#include "common/messages.h"
#include "store/graph/nquads/directory_lock.h"
#include "store/graph/nquads/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ir_status_t open_file(const ir_nquads_t *graph, const char *name, int flags, int *fd,
                             ir_error_t *error) {
    char path[PATH_MAX];
    const int length = snprintf(path, sizeof path, "%s/%s", graph->directory, name);
    if (length < 0 || length >= (int)sizeof path) {
        return ir_error_set(error, IR_ERR_USAGE, "the path %s is too long", graph->directory);
    }
    *fd = open(path, flags | O_CLOEXEC, 0666);
    if (*fd >= 0) {
        return IR_OK;
    }
    if (errno == ENOENT) {
        return ir_error_set(error, IR_ERR_NOT_FOUND,
                            "the graph directory %s does not exist; run ir-store init",
                            graph->directory);
    }
    return ir_error_set(error, IR_ERR_IO, "cannot open %s: %s; %s", path, strerror(errno),
                        errno == ENOTDIR ? "name a directory"
                                         : "give this user the right to write there");
}

/* Seals segments that dead writers left. */
static ir_status_t repair(ir_nquads_t *graph, ir_error_t *error) {
    ir_segment_list_t list;
    ir_status_t status = ir_segment_list_read(graph->directory, &list, error);
    if (status != IR_OK) {
        return status;
    }
    for (size_t i = 0; i < list.count && status == IR_OK; i++) {
        bool alive = false;
        if (list.names[i].open) {
            status = ir_segment_repair(graph->directory, list.names[i].stem, &alive, error);
        }
    }
    ir_segment_list_free(&list);
    return status;
}

ir_status_t ir_nquads_claims(const ir_nquads_t *graph, int64_t *size, ir_error_t *error) {
    struct stat facts;
    if (fstat(graph->claims, &facts) != 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot read %s/claims: %s", graph->directory,
                            strerror(errno));
    }
    *size = facts.st_size;
    return IR_OK;
}

static void detach(ir_nquads_t *graph) {
    if (graph->claims >= 0) {
        close(graph->claims);
    }
    if (graph->lock >= 0) {
        close(graph->lock);
    }
    if (graph->seals.fd >= 0) {
        close(graph->seals.fd);
    }
    graph->lock = graph->claims = graph->seals.fd = -1;
}

/* The store was set up before. If the directory has no registry, somebody made it by hand, or it is
 * a mount point whose disk is not mounted. */
static ir_status_t is_set_up(const ir_nquads_t *graph, ir_error_t *error) {
    int fd = -1;
    const ir_status_t status = open_file(graph, IR_NQUADS_INDEX, O_RDONLY, &fd, error);
    if (status == IR_OK) {
        close(fd);
    }
    return status;
}

ir_status_t ir_nquads_attach(ir_nquads_t *graph, ir_error_t *error) {
    if (graph->lock >= 0) {
        return IR_OK;
    }
    ir_presence_note(&graph->place, graph->directory);
    graph->stored = 0;
    graph->since_ns = ir_clock_now();
    ir_status_t status = open_file(graph, "lock", O_RDWR | O_CREAT, &graph->lock, error);
    if (status == IR_OK) {
        status = open_file(graph, "claims", O_RDWR | O_CREAT | O_APPEND, &graph->claims, error);
    }
    if (status == IR_OK) {
        status = open_file(graph, IR_SEAL_REQUESTS, O_RDWR | O_CREAT | O_APPEND, &graph->seals.fd,
                           error);
    }
    if (status == IR_OK) {
        status = ir_directory_lock(graph->lock, graph->directory, true, graph->timeout_ns, error);
    }
    if (status == IR_OK) {
        status = repair(graph, error);
        if (status == IR_OK) {
            status = ir_nquads_claims(graph, &graph->claims_seen, error);
        }
        ir_directory_unlock(graph->lock);
    }
    if (status != IR_OK) {
        detach(graph);
    }
    return status;
}

ir_status_t ir_nquads_attach_again(ir_nquads_t *graph, ir_error_t *error) {
    ir_status_t status = graph->lost ? is_set_up(graph, error) : IR_OK;
    if (status == IR_OK) {
        status = ir_nquads_attach(graph, error);
        graph->lost = graph->lost && status != IR_OK;
    }
    return status;
}

/* ---- presence of the files ---- */

static const char *file_missing(const ir_nquads_t *graph, const char *name, int fd) {
    char path[PATH_MAX];
    ir_file_presence_t opened;
    ir_presence_note_open(&opened, fd);
    snprintf(path, sizeof path, "%s/%s", graph->directory, name);
    return ir_presence_missing(&opened, path, NULL);
}

/* Closes everything, because the files are no longer where others look for them. If a segment was
 * only moved, the next process that opens its directory seals it. */
static ir_status_t vanished(ir_nquads_t *graph, const char *what, ir_error_t *error) {
    char since[IR_TIME_SIZE];
    const size_t size = ir_clock_format(graph->since_ns, since);
    ir_error_set(error, IR_ERR_VANISHED, IR_TEXT_GRAPH_VANISHED, graph->directory, what,
                 graph->stored, (int)size, since);
    ir_segment_close(graph->segment);
    graph->segment = NULL;
    ir_segments_forget(graph->segments);
    detach(graph);
    graph->lost = true;
    return IR_ERR_VANISHED;
}

ir_status_t ir_nquads_check_presence(ir_nquads_t *graph, ir_error_t *error) {
    static const char *const names[] = {"lock", "claims", IR_SEAL_REQUESTS};
    const int fds[] = {graph->lock, graph->claims, graph->seals.fd};
    char what[PATH_MAX];
    const char *missing = ir_presence_missing(&graph->place, graph->directory, NULL);
    if (missing != NULL) {
        snprintf(what, sizeof what, "the directory %s while it was in use", missing);
        return vanished(graph, what, error);
    }
    ir_error_t why = {.status = IR_OK};
    if (graph->segment != NULL && ir_segment_present(graph->segment, &why) != IR_OK) {
        return vanished(graph, why.text, error);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        missing = file_missing(graph, names[i], fds[i]);
        if (missing != NULL) {
            snprintf(what, sizeof what, "the file %s %s while it was in use", names[i], missing);
            return vanished(graph, what, error);
        }
    }
    return IR_OK;
}
