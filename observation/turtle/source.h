/* A Turtle file, read byte by byte. Private to this folder. */
#ifndef IR_OBSERVATION_TURTLE_SOURCE_H
#define IR_OBSERVATION_TURTLE_SOURCE_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define IR_TURTLE_LINE_KEPT 512 /* bytes kept of a line, in case it cannot be read */

/* serd does not report the line of a statement. So the source passes single bytes to serd and
 * counts the lines. serd reads one byte ahead, so a line end that it has read as white space does
 * not count yet. */
typedef struct ir_turtle_source {
    FILE *file;
    size_t bytes;
    unsigned line;       /* line of the last byte */
    unsigned token_line; /* line of the last byte that was not white space */
    bool too_large, has_nul;
    int last;                       /* the last byte */
    char text[IR_TURTLE_LINE_KEPT]; /* how its line begins */
    size_t text_size;
} ir_turtle_source_t;

/* Opens a file; the caller closes `source->file`. IR_ERR_NOT_FOUND, IR_ERR_IO; IR_ERR_RANGE when it
 * is larger than IR_TURTLE_SIZE_MAX. */
ir_status_t ir_turtle_source_open(ir_turtle_source_t *source, const char *path, ir_error_t *error);

/* Returns the next byte, or EOF at the end of the file or above IR_TURTLE_SIZE_MAX. */
int ir_turtle_source_byte(ir_turtle_source_t *source);

/* serd's callbacks; `context` is the source. */
size_t ir_turtle_source_read(void *out, size_t size, size_t count, void *context);
int ir_turtle_source_failed(void *context);

/* What was wrong after reading: too large, or not readable. IR_OK: nothing. */
ir_status_t ir_turtle_source_check(const ir_turtle_source_t *source, const char *path,
                                   ir_error_t *error);

#endif
