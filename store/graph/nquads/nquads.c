/* N-Quads files in a directory. Each writer has its own segment (segment.h). Observations that may
 * have been written before are looked up in all segments (segments.h).
 *
 * Two writers can have the same observation when the broker gave it to a second one while the first
 * was cut off. The document store calls it new for one of them and a duplicate for the other. The
 * latter looks it up and, if it is missing, writes it, alone in the directory. It then appends one
 * byte to the file `claims`, to note that it wrote in place of the first. Every writer watches that
 * file; after it grew, the writer also looks up what it considers new. */
#include "common/clock.h"
#include "common/messages.h"
#include "store/graph/backend.h"
#include "store/graph/nquads/directory_lock.h"
#include "store/graph/nquads/load.h"
#include "store/graph/nquads/registry.h"
#include "store/graph/nquads/seal_request.h"
#include "store/graph/nquads/segment.h"
#include "store/graph/nquads/segment_lines.h"
#include "store/graph/nquads/segments.h"
#include "store/id_set.h"
#include "store/presence.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
#define SEAL_POLL_NS (50 * IR_MILLISECOND_NS)

/* For how many puts after another writer's claim everything is looked up. It is more than the
 * number of batches that a worker may have in progress which were called new before the claim. */
#define WARY_PUTS 1024

typedef struct nquads {
    char *directory;
    char *writer;
    int64_t segment_bytes, timeout_ns;
    ir_format_options_t format;
    int lock;   /* -1: not attached yet */
    int claims; /* file whose size is the number of claims */
    int64_t claims_seen;
    ir_seal_request_t seals;
    ir_file_presence_t place; /* the directory */
    bool lost;                /* it was set up, and was not opened since (again) */
    uint64_t stored;          /* picks since the directory was opened */
    int64_t since_ns;
    unsigned wary; /* number of further puts that look up everything */
    ir_segment_t *segment;
    ir_segments_t *segments;
    ir_buffer_t lines;
    ir_buffer_t ids;
    bool claiming;          /* the lines contain something known */
    ir_nquads_load_t *load; /* a restore; or NULL */
} nquads_t;

/* ---- opening ---- */

static ir_status_t out_of_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
}

/* If it cannot be sealed now, the process that next opens the directory seals it. */
static void close_segment(nquads_t *graph) {
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
    nquads_t *graph = store;
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

/* A directory with blanks or commas, which part the stores of a list, has them as %XX (RFC 3986).
 */
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
    nquads_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return out_of_memory(error);
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
        return out_of_memory(error);
    }
    *store = made;
    return IR_OK;
}

static ir_status_t open_file(const nquads_t *graph, const char *name, int flags, int *fd,
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
static ir_status_t repair(nquads_t *graph, ir_error_t *error) {
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

static ir_status_t look_at_claims(const nquads_t *graph, int64_t *size, ir_error_t *error) {
    struct stat facts;
    if (fstat(graph->claims, &facts) != 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot read %s/claims: %s", graph->directory,
                            strerror(errno));
    }
    *size = facts.st_size;
    return IR_OK;
}

static void detach(nquads_t *graph) {
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

/* It was set up before: a directory without the registry was made by hand, or is a mount
 * point without its disk. */
static ir_status_t is_set_up(const nquads_t *graph, ir_error_t *error) {
    int fd = -1;
    const ir_status_t status = open_file(graph, IR_NQUADS_INDEX, O_RDONLY, &fd, error);
    if (status == IR_OK) {
        close(fd);
    }
    return status;
}

static ir_status_t attach(nquads_t *graph, ir_error_t *error) {
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
            status = look_at_claims(graph, &graph->claims_seen, error);
        }
        ir_directory_unlock(graph->lock);
    }
    if (status != IR_OK) {
        detach(graph);
    }
    return status;
}

static ir_status_t attach_again(nquads_t *graph, ir_error_t *error) {
    ir_status_t status = graph->lost ? is_set_up(graph, error) : IR_OK;
    if (status == IR_OK) {
        status = attach(graph, error);
        graph->lost = graph->lost && status != IR_OK;
    }
    return status;
}

static ir_status_t check_ids(nquads_t *graph, ir_error_t *error);

static ir_status_t nquads_ready(void *store, ir_error_t *error) {
    const ir_status_t status = attach_again(store, error);
    return status == IR_OK ? check_ids(store, error) : status;
}

/* ---- whether it is still there ---- */

static const char *file_missing(const nquads_t *graph, const char *name, int fd) {
    char path[PATH_MAX];
    ir_file_presence_t opened;
    ir_presence_note_open(&opened, fd);
    snprintf(path, sizeof path, "%s/%s", graph->directory, name);
    return ir_presence_missing(&opened, path, NULL);
}

/* Closes everything: none of it is where others look for it. A moved segment is sealed by the
 * process that next opens its directory. */
static ir_status_t vanished(nquads_t *graph, const char *what, ir_error_t *error) {
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

static ir_status_t check_presence(nquads_t *graph, ir_error_t *error) {
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

/* While there is nothing to put. A broken segment waits for the next put. */
static ir_status_t seal_as_asked(nquads_t *graph, ir_error_t *error) {
    if (graph->segment == NULL || ir_segment_broken(graph->segment) ||
        !ir_seal_asked(&graph->seals)) {
        return IR_OK;
    }
    ir_status_t status =
        ir_directory_lock(graph->lock, graph->directory, false, graph->timeout_ns, error);
    if (status == IR_OK) {
        status = ir_segment_seal(graph->segment, error);
        ir_directory_unlock(graph->lock);
    }
    if (status == IR_OK) {
        graph->segment = NULL;
        ir_seal_met(&graph->seals);
    }
    return status;
}

static ir_status_t nquads_present(void *store, ir_error_t *error) {
    nquads_t *graph = store;
    ir_status_t status = attach_again(graph, error);
    if (status == IR_OK) {
        status = check_presence(graph, error);
    }
    return status == IR_OK ? seal_as_asked(graph, error) : status;
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
    nquads_t *graph = store;
    ir_status_t status = make_directory(graph->directory, error);
    if (status == IR_OK) {
        status = attach(graph, error);
    }
    if (status == IR_OK) {
        status = check_ids(graph, error);
    }
    return status == IR_OK ? ir_nquads_registry_write(graph->directory, registry, of, error)
                           : status;
}

/* ---- putting ---- */

/* Whether the batch must be looked up: it contains something known, or another writer made a
 * claim. */
static ir_status_t must_look(nquads_t *graph, bool known, bool *look, ir_error_t *error) {
    int64_t size = 0;
    const ir_status_t status = look_at_claims(graph, &size, error);
    if (status != IR_OK) {
        return status;
    }
    if (size != graph->claims_seen) {
        graph->claims_seen = size;
        graph->wary = WARY_PUTS;
    }
    *look = known || graph->wary > 0;
    return IR_OK;
}

static ir_status_t write_claim(nquads_t *graph, ir_error_t *error) {
    if (!graph->claiming) {
        return IR_OK;
    }
    /* It need not be durable: the claim is for writers that are alive. */
    const ssize_t written = write(graph->claims, "+", 1);
    if (written != 1) {
        return ir_error_set(error, IR_ERR_IO, "cannot write %s/claims: %s", graph->directory,
                            written < 0 ? strerror(errno) : "the disk is full");
    }
    graph->claims_seen += written;
    return IR_OK;
}

static bool is_there(const nquads_t *graph, const ir_id_set_t *batch, const ir_id_t *id) {
    return ir_segment_has(graph->segment, id) || ir_segments_has(graph->segments, id) ||
           ir_id_set_has(batch, id);
}

/* Writes the lines of missing observations into the buffer. An observation that was sent twice may
 * be in one batch twice. */
static bool collect(nquads_t *graph, const ir_graph_pick_t *picks, size_t count, bool look) {
    ir_buffer_clear(&graph->lines);
    ir_buffer_clear(&graph->ids);
    graph->claiming = false;
    ir_id_set_t batch = {NULL, 0, 0};
    const ir_graph_pick_t *previous = NULL;
    const bool room = !look || ir_id_set_reserve(&batch, count);
    for (size_t i = 0; i < count && room; i++) {
        const ir_id_t *id = ir_graph_pick_id(&picks[i]);
        if (look && is_there(graph, &batch, id)) {
            continue;
        }
        if (look) {
            ir_id_set_add(&batch, id);
        }
        ir_graph_pick_append(&graph->lines, &picks[i], previous, &graph->format, true);
        previous = &picks[i];
        ir_buffer_append(&graph->ids, id, sizeof *id);
        graph->claiming = graph->claiming || picks[i].known;
    }
    ir_id_set_free(&batch);
    return room && ir_buffer_ok(&graph->lines) && ir_buffer_ok(&graph->ids);
}

/* Closes a segment with an unrepairable failure, seals one that is large enough or is to be sealed,
 * and makes a new one. */
static ir_status_t have_segment(nquads_t *graph, ir_error_t *error) {
    if (graph->segment != NULL && ir_segment_broken(graph->segment)) {
        ir_segment_close(graph->segment);
        graph->segment = NULL;
    }
    if (graph->segment != NULL &&
        (ir_segment_size(graph->segment) >= graph->segment_bytes || ir_seal_asked(&graph->seals))) {
        const ir_status_t status = ir_segment_seal(graph->segment, error);
        if (status != IR_OK) {
            return status;
        }
        graph->segment = NULL;
    }
    if (graph->segment != NULL) {
        return IR_OK;
    }
    ir_seal_met(&graph->seals);
    return ir_segment_create(graph->directory, graph->writer, &graph->segment, error);
}

static ir_status_t put_locked(nquads_t *graph, const ir_graph_pick_t *picks, size_t count,
                              bool look, ir_error_t *error) {
    ir_status_t status = have_segment(graph, error);
    if (status == IR_OK && look) {
        status = ir_segments_refresh(graph->segments, ir_segment_stem(graph->segment), error);
    }
    if (status != IR_OK) {
        return status;
    }
    if (!collect(graph, picks, count, look)) {
        return out_of_memory(error);
    }
    if (graph->lines.size == 0) {
        return IR_OK;
    }
    /* The claim is written first: a claim without lines only costs a look-up. */
    status = write_claim(graph, error);
    if (status != IR_OK) {
        return status;
    }
    return ir_segment_append(graph->segment, &graph->lines, (const ir_id_t *)graph->ids.data,
                             graph->ids.size / sizeof(ir_id_t), error);
}

static ir_status_t put(nquads_t *graph, const ir_graph_pick_t *picks, size_t count,
                       ir_error_t *error) {
    if (graph->lock < 0) {
        graph->wary = WARY_PUTS; /* claims may be older than this first look */
    }
    ir_status_t status = attach_again(graph, error);
    if (status == IR_OK) {
        status = check_presence(graph, error);
    }
    bool known = false;
    for (size_t i = 0; i < count && !known; i++) {
        known = picks[i].known;
    }
    if (status == IR_OK) {
        status = ir_directory_lock(graph->lock, graph->directory, known, graph->timeout_ns, error);
    }
    if (status != IR_OK) {
        return status;
    }
    bool look = false;
    status = must_look(graph, known, &look, error);
    if (status == IR_OK) {
        status = put_locked(graph, picks, count, look, error);
    }
    if (status == IR_OK && graph->wary > 0) {
        graph->wary--;
    }
    ir_directory_unlock(graph->lock);
    if (status == IR_OK) {
        graph->stored += count;
        status = check_presence(graph, error);
    }
    return status;
}

static ir_outcome_t nquads_put(void *store, const ir_graph_pick_t *picks, size_t count,
                               ir_answer_t *answer) {
    return put(store, picks, count, &answer->why) == IR_OK ? IR_OUTCOME_OK : IR_OUTCOME_RETRY;
}

/* ---- reading ---- */

static ir_status_t read_segment(const nquads_t *graph, const ir_segment_name_t *name,
                                ir_each_line_fn each, void *context, ir_error_t *error) {
    int fd = -1;
    ir_status_t status = ir_segment_list_open(graph->directory, name, &fd, error);
    if (status != IR_OK) {
        return status == IR_ERR_NOT_FOUND ? IR_OK : status;
    }
    int64_t end = 0;
    status = ir_segment_end(fd, name->stem, &end, error);
    if (status == IR_OK) {
        status = ir_segment_each_line(fd, name->stem, 0, end, each, context, error);
    }
    close(fd);
    return status;
}

static ir_status_t read_segments(const nquads_t *graph, ir_each_line_fn each, void *context,
                                 ir_error_t *error) {
    ir_segment_list_t list;
    ir_status_t status = ir_segment_list_read(graph->directory, &list, error);
    if (status != IR_OK) {
        return status;
    }
    for (size_t i = 0; i < list.count && status == IR_OK; i++) {
        status = read_segment(graph, &list.names[i], each, context, error);
    }
    ir_segment_list_free(&list);
    return status;
}

typedef struct tally {
    uint64_t observations, triples;
} tally_t;

static ir_status_t count_line(void *context, ir_view_t line) {
    tally_t *tally = context;
    ir_id_t id;
    tally->triples++;
    tally->observations += ir_segment_subject(line, &id) == IR_SUBJECT_OBSERVATION;
    return IR_OK;
}

static ir_status_t nquads_count(void *store, uint64_t *observations, uint64_t *triples,
                                ir_error_t *error) {
    tally_t tally = {0, 0};
    const ir_status_t status = read_segments(store, count_line, &tally, error);
    if (status == IR_OK) {
        *observations = tally.observations;
        *triples = tally.triples;
    }
    return status;
}

typedef struct id_walk {
    ir_segment_subject_t subject; /* of what is wanted */
    ir_each_id_fn each;
    void *context;
} id_walk_t;

static ir_status_t walk_line(void *context, ir_view_t line) {
    const id_walk_t *walk = context;
    ir_id_t id;
    return ir_segment_subject(line, &id) == walk->subject ? walk->each(walk->context, &id) : IR_OK;
}

static ir_status_t nquads_each_id(void *store, ir_document_kind_t kind, ir_each_id_fn each,
                                  void *context, ir_error_t *error) {
    id_walk_t walk = {kind == IR_DOCUMENT_OBSERVATION ? IR_SUBJECT_OBSERVATION : IR_SUBJECT_OTHER,
                      each, context};
    return read_segments(store, walk_line, &walk, error);
}

static ir_status_t nquads_export(void *store, ir_each_line_fn each, void *context,
                                 ir_error_t *error) {
    const nquads_t *graph = store;
    const ir_status_t status = ir_nquads_registry_each_line(graph->directory, each, context, error);
    return status == IR_OK ? read_segments(graph, each, context, error) : status;
}

/* Keeps the first id and stops. */
static ir_status_t take_first(void *context, const ir_id_t *id) {
    *(ir_id_t *)context = *id;
    return IR_ERR_FULL;
}

static ir_status_t check_ids(nquads_t *graph, ir_error_t *error) {
    ir_id_t id;
    ir_error_t inner = {.status = IR_OK};
    const ir_status_t status =
        nquads_each_id(graph, IR_DOCUMENT_OBSERVATION, take_first, &id, &inner);
    if (status == IR_ERR_FULL) {
        return ir_graph_check_id(&id, graph->directory, error);
    }
    return status == IR_OK ? IR_OK : ir_error_set(error, status, "%s", inner.text);
}

/* ---- purging and archiving ---- */

/* With the lock alone. *open: the segment of `before` that still has a writer, or NULL. */
static ir_status_t look_for_open(const nquads_t *graph, const ir_segment_list_t *before,
                                 const char **open, ir_error_t *error) {
    ir_status_t status = IR_OK;
    *open = NULL;
    for (size_t i = 0; i < before->count && status == IR_OK && *open == NULL; i++) {
        bool written = false;
        if (before->names[i].open) {
            status = ir_segment_repair(graph->directory, before->names[i].stem, &written, error);
        }
        *open = written ? before->names[i].stem : NULL;
    }
    return status;
}

/* Workers seal their segments, and go on in new ones. */
static ir_status_t have_all_sealed(nquads_t *graph, ir_segment_list_t *list, ir_error_t *error) {
    const int64_t deadline_ns = ir_clock_monotonic() + graph->timeout_ns;
    const char *open = "";
    ir_status_t status = ir_segment_list_read(graph->directory, list, error);
    if (status == IR_OK) {
        status = ir_seal_ask(&graph->seals, error);
    }
    while (status == IR_OK && open != NULL) {
        status = ir_directory_lock(graph->lock, graph->directory, true, graph->timeout_ns, error);
        if (status == IR_OK) {
            status = look_for_open(graph, list, &open, error);
            ir_directory_unlock(graph->lock);
        }
        if (status == IR_OK && open != NULL && ir_clock_monotonic() >= deadline_ns) {
            return ir_error_set(error, IR_ERR_STATE,
                                "graph nquads:%s: a worker has %s open and does not seal it within "
                                "the time-out; stop the workers (make down), and start them again "
                                "afterwards",
                                graph->directory, open);
        }
        if (status == IR_OK && open != NULL) {
            ir_clock_sleep(SEAL_POLL_NS);
        }
    }
    return status;
}

/* Calls `each` for every segment that was there at the beginning, sealed now, with the lock alone.
 * Workers write in between. */
typedef ir_status_t (*each_sealed_fn)(const nquads_t *graph, const ir_segment_name_t *name,
                                      void *context, ir_error_t *error);
static ir_status_t each_sealed(nquads_t *graph, each_sealed_fn each, void *context,
                               ir_error_t *error) {
    ir_segment_list_t list = {NULL, 0, 0};
    ir_status_t status = attach_again(graph, error);
    if (status == IR_OK) {
        status = have_all_sealed(graph, &list, error);
    }
    for (size_t i = 0; i < list.count && status == IR_OK; i++) {
        status = ir_directory_lock(graph->lock, graph->directory, true, graph->timeout_ns, error);
        if (status == IR_OK) {
            status = each(graph, &list.names[i], context, error);
            ir_directory_unlock(graph->lock);
        }
    }
    ir_segment_list_free(&list);
    ir_segments_forget(graph->segments);
    return status == IR_OK ? ir_directory_sync(graph->directory, error) : status;
}

typedef struct purge {
    const ir_id_t *ids;
    size_t count;
} purge_t;

static ir_status_t purge_one(const nquads_t *graph, const ir_segment_name_t *name, void *context,
                             ir_error_t *error) {
    const purge_t *purge = context;
    return name->archived
               ? ir_segment_purge_ids(graph->directory, name->stem, purge->ids, purge->count, error)
               : ir_segment_purge(graph->directory, name->stem, graph->format.base_iri, purge->ids,
                                  purge->count, error);
}

static ir_status_t nquads_purge(void *store, const ir_id_t *ids, size_t count, ir_error_t *error) {
    purge_t purge = {ids, count};
    return each_sealed(store, purge_one, &purge, error);
}

static ir_status_t retire_one(const nquads_t *graph, const ir_segment_name_t *name, void *context,
                              ir_error_t *error) {
    ir_graph_retirement_t *retirement = context;
    return name->archived ? IR_OK
                          : ir_segment_retire(graph->directory, name->stem, retirement, error);
}

static ir_status_t nquads_retire(void *store, ir_graph_retirement_t *retirement,
                                 ir_error_t *error) {
    return retirement->archive == NULL
               ? ir_error_set(error, IR_ERR_USAGE,
                              "purge --what=graph needs --archive=DIR for segments of N-Quads")
               : each_sealed(store, retire_one, retirement, error);
}

/* ---- restoring ---- */

static ir_status_t nquads_load(void *store, ir_view_t lines, ir_error_t *error) {
    nquads_t *graph = store;
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
    nquads_t *graph = store;
    ir_status_t status = graph->load != NULL ? attach(graph, error) : IR_OK;
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

static const char *const schemes[] = {SCHEME, NULL};

const ir_graph_backend_t ir_graph_nquads = {.schemes = schemes,
                                            .open = nquads_open,
                                            .close = nquads_close,
                                            .init = nquads_init,
                                            .ready = nquads_ready,
                                            .present = nquads_present,
                                            .put = nquads_put,
                                            .count = nquads_count,
                                            .each_id = nquads_each_id,
                                            .purge = nquads_purge,
                                            .retire = nquads_retire,
                                            .export = nquads_export,
                                            .load = nquads_load,
                                            .loaded = nquads_loaded};
