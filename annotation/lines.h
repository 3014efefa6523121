/* Lines of a file or pipe, each bounded: what is longer is told, not read into memory. */
#ifndef IR_ANNOTATION_LINES_H
#define IR_ANNOTATION_LINES_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_lines ir_lines_t;

/* Reads `fd`, which stays the caller's. NULL when memory is out. */
ir_lines_t *ir_lines_new(int fd, size_t longest);
void ir_lines_free(ir_lines_t *lines);

typedef struct ir_line {
    ir_view_t text;       /* without its end (LF or CR LF); lives until the next call */
    unsigned long number; /* from 1 */
    bool too_long;        /* `text` is empty */
} ir_line_t;

/* IR_OK, IR_ERR_NOT_FOUND at the end, IR_ERR_IO with errno set. */
ir_status_t ir_lines_next(ir_lines_t *lines, ir_line_t *line);

#endif
