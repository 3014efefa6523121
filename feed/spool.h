/* Messages on disk, one a line, until they are sent: a folder of segments, "0000000001.jsonl" and
 * so on, each read like any other file and removed by its reader when it is confirmed and no longer
 * the last. The whole is bounded. Written by one thread. */
#ifndef IR_FEED_SPOOL_H
#define IR_FEED_SPOOL_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_SPOOL_SUFFIX ".jsonl"

typedef struct ir_spool ir_spool_t;

/* Makes the folder when it is not there, and begins a new segment: the line that a crash cut short
 * stays the last of its own. `limit`: bytes of all segments. */
ir_status_t ir_spool_open(const char *folder, int64_t limit, ir_spool_t **spool, ir_error_t *error);
void ir_spool_close(ir_spool_t *spool);

/* Whether a message of the longest kind still fits. */
bool ir_spool_has_room(ir_spool_t *spool);

/* Appends a message, its line ends made into spaces; durable after the next ir_spool_sync. After an
 * error nothing more is taken: part of a line may stand at the end. */
ir_status_t ir_spool_append(ir_spool_t *spool, ir_view_t message, ir_error_t *error);
ir_status_t ir_spool_sync(ir_spool_t *spool, ir_error_t *error);

#endif
