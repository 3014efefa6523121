/* Reads a file descriptor row by row, with a bounded buffer. An incomplete row (no line end, or an
 * open quote) is not returned until its rest has been written. One thread. */
#ifndef IR_FEED_ROWS_H
#define IR_FEED_ROWS_H

#include "common/status.h"
#include "feed/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest row, in bytes. */
#define IR_ROW_BYTES_MAX (256 * 1024)

/* The beginning of a row: byte offset and line number (from 1) in the file. */
typedef struct ir_row_place {
    int64_t offset;
    uint64_t line;
} ir_row_place_t;

typedef struct ir_row {
    const char *data; /* lives until the next call */
    size_t size;
    ir_row_place_t begin;
    ir_row_place_t
        end; /* where reading may continue later; equals `begin` if the line has no end yet */
} ir_row_t;

typedef enum ir_rows_result {
    IR_ROWS_ROW,
    IR_ROWS_END,  /* no complete row is available now */
    IR_ROWS_LONG, /* the row is longer than the bound; its first line was skipped */
    IR_ROWS_FAILED
} ir_rows_result_t;

typedef struct ir_rows ir_rows_t;

/* Reads nothing yet. NULL when out of memory. */
ir_rows_t *ir_rows_new(void);
void ir_rows_free(ir_rows_t *rows);

/* Reads `fd` from now on; its current offset is `at`. The caller keeps it open. */
void ir_rows_begin(ir_rows_t *rows, int fd, ir_row_place_t at);

/* Sets `row` for ROW and LONG, `error` for FAILED. */
ir_rows_result_t ir_rows_next(ir_rows_t *rows, const ir_dialect_t *dialect, ir_row_t *row,
                              ir_error_t *error);

/* Makes the next call return the last row again. */
void ir_rows_back(ir_rows_t *rows, const ir_row_t *row);

/* Whether the current end of the file is reached; a pipe may deliver more. */
bool ir_rows_ended(const ir_rows_t *rows);

/* Whether bytes of an incomplete row remain. */
bool ir_rows_waits(const ir_rows_t *rows);

#endif
