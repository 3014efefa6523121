/* One segment of an N-Quads directory: a file that one writer appends batches to and then seals.
 *
 * NAME-SEQ.nq.open   being written; its writer holds a flock on it. Whoever gets that lock knows
 *                    that the writer is dead, cuts off what stands behind the last mark, and seals
 * NAME-SEQ.nq        sealed
 * NAME-SEQ.nq.ids    the sorted 16-byte ids of a sealed segment's observations and revisions
 *
 * Every batch ends with a comment line "# batch N", the mark; what stands behind the last mark was
 * never finished and does not count. One thread at a time. */
#ifndef IR_STORE_SEGMENT_H
#define IR_STORE_SEGMENT_H

#include "common/buffer.h"
#include "common/status.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_SEGMENT_OPEN ".nq.open"
#define IR_SEGMENT_SEALED ".nq"
#define IR_SEGMENT_IDS ".nq.ids"

typedef struct ir_segment ir_segment_t;

/* A new segment NAME-SEQ in the directory, with the first free SEQ. NAME is `writer` with anything
 * but letters, digits, '.', '_' and '-' made '_'. The caller keeps others from repairing the
 * directory meanwhile. */
ir_status_t ir_segment_create(const char *directory, const char *writer, ir_segment_t **segment,
                              ir_error_t *error);

/* Closes it and leaves it as it is. Takes NULL. */
void ir_segment_close(ir_segment_t *segment);

/* Appends `lines` (whole lines, consumed: the mark is appended to them) and makes them durable.
 * On failure the file is as before; when even that failed, ir_segment_broken says so and the
 * segment can only be closed. */
ir_status_t ir_segment_append(ir_segment_t *segment, ir_buffer_t *lines, const ir_id_t *ids,
                              size_t n_ids, ir_error_t *error);
bool ir_segment_broken(const ir_segment_t *segment);

/* Whether what was appended is still where it was put: IR_ERR_VANISHED says what happened to the
 * file. */
ir_status_t ir_segment_present(const ir_segment_t *segment, ir_error_t *error);

int64_t ir_segment_size(const ir_segment_t *segment);
bool ir_segment_has(const ir_segment_t *segment, const ir_id_t *id);

/* The file's name without its ending. */
const char *ir_segment_stem(const ir_segment_t *segment);

/* Seals and frees it; on failure it stays and is as before. */
ir_status_t ir_segment_seal(ir_segment_t *segment, ir_error_t *error);

/* If the writer of STEM.nq.open is dead: cuts off its torn end and seals it, or removes it when it
 * is empty. *alive says whether the writer lives. A file that is gone is no error. */
ir_status_t ir_segment_repair(const char *directory, const char *stem, bool *alive,
                              ir_error_t *error);

/* Writes the ids of a sealed segment that lacks them. */
ir_status_t ir_segment_index(const char *directory, const char *stem, ir_error_t *error);

/* Makes the names in a directory durable. */
ir_status_t ir_directory_sync(const char *directory, ir_error_t *error);

/* Writes a whole file by way of a temporary one, durably. */
ir_status_t ir_file_replace(const char *path, ir_view_t content, ir_error_t *error);

#endif
