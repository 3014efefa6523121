/* Reading a segment's lines, up to the mark of its last whole batch. One thread at a time. */
#ifndef IR_STORE_SEGMENT_LINES_H
#define IR_STORE_SEGMENT_LINES_H

#include "common/status.h"
#include "common/view.h"
#include "observation/identity.h"
#include "store/documents.h"
#include "store/id_set.h"

#include <stdint.h>

#define IR_SEGMENT_MARK "# batch "

/* Where the last whole batch ends: behind the last mark; 0 when there is none. `path` is for the
 * error's text. */
ir_status_t ir_segment_end(int fd, const char *path, int64_t *end, ir_error_t *error);

/* Calls `each` for the lines from `begin` (the start of one) to `end`, but for comments and empty
 * ones, without their newline; stops and returns its status when it does not return IR_OK. `path`
 * is for the error's text. */
ir_status_t ir_segment_each_line(int fd, const char *path, int64_t begin, int64_t end,
                                 ir_each_line_fn each, void *context, ir_error_t *error);

/* Adds whose last lines stand there (ir_segment_subject). */
ir_status_t ir_segment_read_ids(int fd, const char *path, int64_t begin, int64_t end,
                                ir_id_set_t *ids, ir_error_t *error);

typedef enum ir_segment_subject {
    IR_SUBJECT_NONE,        /* not the line that gives an observation or a revision its type */
    IR_SUBJECT_OBSERVATION, /* a sosa:Observation */
    IR_SUBJECT_OTHER        /* a revision */
} ir_segment_subject_t;

/* Whether the line is the last of an observation or a revision, and whose. */
ir_segment_subject_t ir_segment_subject(ir_view_t line, ir_id_t *id);

#endif
