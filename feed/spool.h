/* Keeps messages on disk, one per line, until they are sent: a folder of segments,
 * "0000000001.jsonl" and so on. Segments are read like other files; the reader removes a segment
 * that is confirmed and no longer the last. The total size is bounded. One thread writes. */
#ifndef IR_FEED_SPOOL_H
#define IR_FEED_SPOOL_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_SPOOL_SUFFIX ".jsonl"

typedef struct ir_spool ir_spool_t;

/* Creates the folder if necessary and begins a new segment, so that a line truncated by a crash
 * stays the last of its own segment. `limit`: total bytes of all segments. */
ir_status_t ir_spool_open(const char *folder, int64_t limit, ir_spool_t **spool, ir_error_t *error);
void ir_spool_close(ir_spool_t *spool);

/* Whether a message of maximum size still fits. */
bool ir_spool_has_room(ir_spool_t *spool);

/* Appends a message with its line ends replaced by spaces; durable after the next ir_spool_sync.
 * After an error it accepts nothing more, because the last line may be incomplete. */
ir_status_t ir_spool_append(ir_spool_t *spool, ir_view_t message, ir_error_t *error);
ir_status_t ir_spool_sync(ir_spool_t *spool, ir_error_t *error);

#endif
