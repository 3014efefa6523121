/* Fills a directory of N-Quads from a backup. The segments are made in its folder "restoring" and
 * moved to their places together, so that no reader sees only half of them, and an interrupted
 * restore starts again. They are named restored-SEQ; the same backup always gives the same
 * segments. One thread at a time. */
#ifndef IR_STORE_GRAPH_NQUADS_LOAD_H
#define IR_STORE_GRAPH_NQUADS_LOAD_H

#include "common/status.h"
#include "common/view.h"

#include <stdint.h>

typedef struct ir_nquads_load ir_nquads_load_t;

/* IR_ERR_STATE: the directory has segments that no restore made. */
ir_status_t ir_nquads_load_begin(const char *directory, int64_t segment_bytes,
                                 ir_nquads_load_t **load, ir_error_t *error);

/* Adds whole lines, durably. */
ir_status_t ir_nquads_load_lines(ir_nquads_load_t *load, ir_view_t lines, ir_error_t *error);

/* Puts all of them into their places. The caller has the directory's lock alone. IR_ERR_STATE as
 * above. */
ir_status_t ir_nquads_load_end(ir_nquads_load_t *load, ir_error_t *error);

/* NULL is allowed. */
void ir_nquads_load_free(ir_nquads_load_t *load);

#endif
