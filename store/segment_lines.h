/* Reading a segment's lines, up to the mark of its last whole batch. One thread at a time. */
#ifndef IR_STORE_SEGMENT_LINES_H
#define IR_STORE_SEGMENT_LINES_H

#include "common/buffer.h"
#include "common/status.h"
#include "observation/identity.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_SEGMENT_MARK "# batch "

/* Where the last whole batch ends: behind the last mark; 0 when there is none. `path` is for the
 * error's text. */
ir_status_t ir_segment_end(int fd, const char *path, int64_t *end, ir_error_t *error);

typedef struct ir_segment_lines {
    int fd;
    const char *path;
    int64_t next, end;  /* bytes of the file still to be read */
    ir_buffer_t buffer; /* what was read */
    size_t at;          /* in it */
} ir_segment_lines_t;

/* The lines from `begin` (the start of one) to `end`. `fd` and `path` must outlive it. */
void ir_segment_lines_begin(ir_segment_lines_t *lines, int fd, const char *path, int64_t begin,
                            int64_t end);

/* The next line without its newline, valid until the next call; `more` is false behind the last. */
ir_status_t ir_segment_lines_next(ir_segment_lines_t *lines, ir_view_t *line, bool *more,
                                  ir_error_t *error);

void ir_segment_lines_free(ir_segment_lines_t *lines);

typedef enum ir_segment_subject {
    IR_SUBJECT_NONE,        /* not the line that gives an observation or a revision its type */
    IR_SUBJECT_OBSERVATION, /* a sosa:Observation */
    IR_SUBJECT_OTHER        /* a revision */
} ir_segment_subject_t;

/* Whether the line is the last of an observation or a revision, and whose. */
ir_segment_subject_t ir_segment_subject(ir_view_t line, ir_id_t *id);

/* Whether the line is a statement, not a comment and not empty. */
bool ir_segment_statement(ir_view_t line);

#endif
