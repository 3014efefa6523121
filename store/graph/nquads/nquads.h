/* N-Quads files in a directory. Each writer has its own segment (segment.h). Observations that may
 * have been written before are looked up in all segments (segments.h).
 *
 * Two writers can have the same observation if the broker delivered it to a second one while the
 * first was disconnected. The document store reports it as new to one of them and as a duplicate to
 * the other. The latter looks it up and, if it is missing, writes it, while it is the only writer
 * in the directory. It then makes a claim: it appends one byte to the file `claims`, to record that
 * it wrote in place of the first. Every writer watches that file. After it grew, the writer also
 * looks up observations that it considers new. */
#ifndef IR_STORE_GRAPH_NQUADS_NQUADS_H
#define IR_STORE_GRAPH_NQUADS_NQUADS_H

#include "store/graph/backend.h"
#include "store/graph/nquads/load.h"
#include "store/graph/nquads/seal_request.h"
#include "store/graph/nquads/segment.h"
#include "store/graph/nquads/segments.h"
#include "store/presence.h"

typedef struct ir_nquads {
    char *directory;
    char *writer;
    int64_t segment_bytes, timeout_ns;
    ir_format_options_t format;
    int lock;   /* -1: not attached yet */
    int claims; /* file whose size is the number of claims */
    int64_t claims_seen;
    ir_seal_request_t seals;
    ir_file_presence_t place; /* the directory */
    bool lost;                /* the directory was set up before, and this program has not opened it
                               * since then */
    uint64_t stored;          /* picks since the directory was opened */
    int64_t since_ns;
    unsigned wary; /* number of puts that must still look up everything */
    ir_segment_t *segment;
    ir_segments_t *segments;
    ir_buffer_t lines;
    ir_buffer_t ids;
    bool claiming;          /* the lines contain observations that another writer may already have
                             * written */
    ir_nquads_load_t *load; /* a restore; or NULL */
} ir_nquads_t;

ir_status_t ir_nquads_out_of_memory(ir_error_t *error);

/* ---- directory.c ---- */

/* Opens the directory unless it is open, and seals segments that dead writers left. */
ir_status_t ir_nquads_attach(ir_nquads_t *graph, ir_error_t *error);

/* Opens a directory that was set up: one without the registry is refused. */
ir_status_t ir_nquads_attach_again(ir_nquads_t *graph, ir_error_t *error);

/* Checks that everything open is still where others look for it. If not, closes it:
 * IR_ERR_VANISHED. */
ir_status_t ir_nquads_check_presence(ir_nquads_t *graph, ir_error_t *error);

/* The number of claims so far. */
ir_status_t ir_nquads_claims(const ir_nquads_t *graph, int64_t *size, ir_error_t *error);

/* ---- put.c, read.c, purge.c: see store/graph/backend.h ---- */

ir_outcome_t ir_nquads_put(void *store, const ir_graph_pick_t *picks, size_t count,
                           ir_answer_t *answer);

/* Called while there is nothing to put. Seals the segment if another process has requested it. */
ir_status_t ir_nquads_seal_as_asked(ir_nquads_t *graph, ir_error_t *error);

ir_status_t ir_nquads_count(void *store, uint64_t *observations, uint64_t *triples,
                            ir_error_t *error);
ir_status_t ir_nquads_each_id(void *store, ir_document_kind_t kind, ir_each_id_fn each,
                              void *context, ir_error_t *error);
ir_status_t ir_nquads_export(void *store, ir_each_line_fn each, void *context, ir_error_t *error);

/* Checks that the ids in the files have this release's format. */
ir_status_t ir_nquads_check_ids(ir_nquads_t *graph, ir_error_t *error);

ir_status_t ir_nquads_purge(void *store, const ir_id_t *ids, size_t count, ir_error_t *error);
ir_status_t ir_nquads_retire(void *store, ir_graph_retirement_t *retirement, ir_error_t *error);

#endif
