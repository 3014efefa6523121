/* One segment of an N-Quads directory: a file to which one writer appends batches, and which it
 * then seals.
 *
 * NAME-SEQ.nq.open   being written; its writer holds a flock on it. A process that gets the lock
 *                    knows that the writer is dead, cuts off everything after the last mark, and
 *                    seals the segment
 * NAME-SEQ.nq        sealed
 * NAME-SEQ.nq.ids    the sorted 16-byte ids of a sealed segment's observations and revisions; the
 *                    only file of an archived segment
 *
 * Every batch ends with a comment line "# batch N", the mark. What follows the last mark is
 * incomplete and does not count. One thread at a time. */
#ifndef IR_STORE_GRAPH_NQUADS_SEGMENT_H
#define IR_STORE_GRAPH_NQUADS_SEGMENT_H

#include "common/buffer.h"
#include "common/status.h"
#include "observation/identity.h"
#include "store/graph/graph.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_SEGMENT_OPEN ".nq.open"
#define IR_SEGMENT_SEALED ".nq"
#define IR_SEGMENT_IDS ".nq.ids"

typedef struct ir_segment ir_segment_t;

/* Makes a new segment NAME-SEQ in the directory, with the first free SEQ. NAME is `writer`, with
 * every character except letters, digits, '.', '_' and '-' replaced by '_'. The caller prevents
 * others from repairing the directory meanwhile. */
ir_status_t ir_segment_create(const char *directory, const char *writer, ir_segment_t **segment,
                              ir_error_t *error);

/* Closes the segment and leaves it unsealed. NULL is allowed. */
void ir_segment_close(ir_segment_t *segment);

/* Appends `lines` (complete lines; the mark is appended to the buffer) and makes them durable. On
 * failure the file is restored. If even that fails, ir_segment_broken returns true and the segment
 * can only be closed. */
ir_status_t ir_segment_append(ir_segment_t *segment, ir_buffer_t *lines, const ir_id_t *ids,
                              size_t n_ids, ir_error_t *error);
bool ir_segment_broken(const ir_segment_t *segment);

/* Checks that the appended data is still in its place. IR_ERR_VANISHED: it is not, and `error` says
 * what happened to the file. */
ir_status_t ir_segment_present(const ir_segment_t *segment, ir_error_t *error);

int64_t ir_segment_size(const ir_segment_t *segment);
bool ir_segment_has(const ir_segment_t *segment, const ir_id_t *id);

/* The file's name without its ending. */
const char *ir_segment_stem(const ir_segment_t *segment);

/* Seals and frees the segment. On failure it is unchanged. */
ir_status_t ir_segment_seal(ir_segment_t *segment, ir_error_t *error);

/* If the writer of STEM.nq.open is dead: cuts off its incomplete end and seals it, or removes it
 * when it is empty. *alive says whether the writer lives. A missing file is not an error. */
ir_status_t ir_segment_repair(const char *directory, const char *stem, bool *alive,
                              ir_error_t *error);

/* Writes the ids file of a sealed segment that lacks it. */
ir_status_t ir_segment_index(const char *directory, const char *stem, ir_error_t *error);

/* Writes a sealed segment again without the lines about these ids, which are sorted, or removes it
 * when nothing is left. The caller keeps writers out of the directory. */
ir_status_t ir_segment_purge(const char *directory, const char *stem, const char *base_iri,
                             const ir_id_t *ids, size_t count, ir_error_t *error);

/* Removes these ids from the ids of an archived segment. */
ir_status_t ir_segment_purge_ids(const char *directory, const char *stem, const ir_id_t *ids,
                                 size_t count, ir_error_t *error);

/* If everything in a sealed segment is older than retirement->before_ns: counts it, and unless it
 * is a dry run compresses it durably to ARCHIVE/STEM.nq.gz and removes it. Its ids file stays, so
 * that archived items are not written again. */
ir_status_t ir_segment_retire(const char *directory, const char *stem,
                              ir_graph_retirement_t *retirement, ir_error_t *error);

/* Makes the names in a directory durable. */
ir_status_t ir_directory_sync(const char *directory, ir_error_t *error);

/* Durably replaces a whole file, through a temporary one. */
ir_status_t ir_file_replace(const char *path, ir_view_t content, ir_error_t *error);

#endif
