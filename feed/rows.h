/* Reads a file descriptor row by row, in a buffer with a bound. A row that is not complete yet (no
 * line end, or an open quote) is not returned: it waits until the rest has been written. One
 * thread. */
#ifndef IR_FEED_ROWS_H
#define IR_FEED_ROWS_H

#include "common/status.h"
#include "feed/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest row, in bytes. */
#define IR_ROW_BYTES_MAX (256 * 1024)

/* Where a row begins: bytes and lines (from 1) from the beginning of the file. */
typedef struct ir_row_place {
    int64_t offset;
    uint64_t line;
} ir_row_place_t;

typedef struct ir_row {
    const char *data; /* lives until the next call */
    size_t size;
    ir_row_place_t begin;
    ir_row_place_t end; /* where reading may go on later; `begin` if the line has no end yet */
} ir_row_t;

typedef enum ir_rows_result {
    IR_ROWS_ROW,
    IR_ROWS_END,  /* no complete row is there at present */
    IR_ROWS_LONG, /* the row is longer than the bound; its first line was passed over */
    IR_ROWS_FAILED
} ir_rows_result_t;

typedef struct ir_rows ir_rows_t;

/* Reads nothing yet. NULL when memory is out. */
ir_rows_t *ir_rows_new(void);
void ir_rows_free(ir_rows_t *rows);

/* From now on `fd` (kept open by the caller) is read on from where it stands, which is `at`. */
void ir_rows_begin(ir_rows_t *rows, int fd, ir_row_place_t at);

/* `row` is filled for ROW and LONG; `error` for FAILED. */
ir_rows_result_t ir_rows_next(ir_rows_t *rows, const ir_dialect_t *dialect, ir_row_t *row,
                              ir_error_t *error);

/* Gives the row that came last once more with the next call. */
void ir_rows_back(ir_rows_t *rows, const ir_row_t *row);

/* Whether the file has ended, as far as it has been written; a pipe may bring more. */
bool ir_rows_ended(const ir_rows_t *rows);

/* Whether bytes of an incomplete row are left. */
bool ir_rows_waits(const ir_rows_t *rows);

#endif
