/* Reads the lines of a segment, up to the mark of its last complete batch. One thread at a time. */
#ifndef IR_STORE_GRAPH_NQUADS_SEGMENT_LINES_H
#define IR_STORE_GRAPH_NQUADS_SEGMENT_LINES_H

#include "common/status.h"
#include "common/view.h"
#include "observation/id_set.h"
#include "observation/identity.h"
#include "store/graph/graph.h"

#include <stdint.h>

#define IR_SEGMENT_MARK "# batch "

/* Finds the end of the last complete batch: the position after the last mark, or 0 without one.
 * `path` is for the error text. */
ir_status_t ir_segment_end(int fd, const char *path, int64_t *end, ir_error_t *error);

/* Calls `each` for the lines from `begin` (the start of a line) to `end`, without their newline;
 * skips comments and empty lines. Stops when `each` does not return IR_OK, and returns its status.
 * `path` is for the error text. */
ir_status_t ir_segment_each_line(int fd, const char *path, int64_t begin, int64_t end,
                                 ir_each_line_fn each, void *context, ir_error_t *error);

/* Adds the ids of the observations and revisions whose last line is in that range
 * (ir_segment_subject). */
ir_status_t ir_segment_read_ids(int fd, const char *path, int64_t begin, int64_t end,
                                ir_id_set_t *ids, ir_error_t *error);

/* The id of the observation or revision that a line is about, its result included (full detail:
 * `base_iri` "result/ID"). False: it is about something else. */
bool ir_segment_line_id(ir_view_t line, const char *base_iri, ir_id_t *id);

typedef enum ir_segment_subject {
    IR_SUBJECT_NONE,        /* not the type statement of an observation or revision */
    IR_SUBJECT_OBSERVATION, /* a sosa:Observation */
    IR_SUBJECT_OTHER        /* a revision */
} ir_segment_subject_t;

/* Whether the line is the last of an observation or a revision, and of which. */
ir_segment_subject_t ir_segment_subject(ir_view_t line, ir_id_t *id);

#endif
