/* Reads lines of limited length from a file or pipe. A line over the limit is reported but not read
 * into memory. */
#ifndef IR_ANNOTATION_LINES_H
#define IR_ANNOTATION_LINES_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_lines ir_lines_t;

/* Reads from `fd`, which the caller still owns. Returns NULL when memory is exhausted. */
ir_lines_t *ir_lines_new(int fd, size_t longest);
void ir_lines_free(ir_lines_t *lines);

typedef struct ir_line {
    ir_view_t text;       /* without LF or CR LF; valid until the next call */
    unsigned long number; /* from 1 */
    bool too_long;        /* `text` is empty */
} ir_line_t;

/* IR_OK; IR_ERR_NOT_FOUND at the end of the input; IR_ERR_IO with errno set. */
ir_status_t ir_lines_next(ir_lines_t *lines, ir_line_t *line);

#endif
