#include "feed/rows.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct ir_rows {
    int fd;
    bool ended, cut; /* `cut`: the rest of a line that was too long is being skipped */
    ir_row_place_t at;
    size_t begin, end; /* the buffered bytes that were not returned yet */
    char data[2 * IR_ROW_BYTES_MAX];
};

ir_rows_t *ir_rows_new(void) {
    return calloc(1, sizeof(ir_rows_t));
}

void ir_rows_free(ir_rows_t *rows) {
    free(rows);
}

void ir_rows_begin(ir_rows_t *rows, int fd, ir_row_place_t at) {
    rows->fd = fd;
    rows->at = at;
    rows->begin = rows->end = 0;
    rows->ended = rows->cut = false;
}

bool ir_rows_ended(const ir_rows_t *rows) {
    return rows->ended;
}

bool ir_rows_waits(const ir_rows_t *rows) {
    return rows->begin < rows->end;
}

void ir_rows_back(ir_rows_t *rows, const ir_row_t *row) {
    rows->begin -= row->size;
    rows->at = row->begin;
}

/* False: nothing more was read; errno has the reason, 0 for the end or an empty pipe. */
static bool read_more(ir_rows_t *rows) {
    struct pollfd polled = {.fd = rows->fd, .events = POLLIN};
    if (poll(&polled, 1, 0) == 0) {
        errno = 0;
        return false;
    }
    if (rows->begin > 0) {
        memmove(rows->data, rows->data + rows->begin, rows->end - rows->begin);
        rows->end -= rows->begin;
        rows->begin = 0;
    }
    const ssize_t got = read(rows->fd, rows->data + rows->end, sizeof rows->data - rows->end);
    errno = got >= 0 ? 0 : errno;
    rows->ended = got == 0;
    rows->end += got > 0 ? (size_t)got : 0;
    return got > 0 || errno == EINTR;
}

static void pass(ir_rows_t *rows, size_t size, size_t lines) {
    rows->begin += size;
    rows->at.offset += (int64_t)size;
    rows->at.line += lines;
}

static ir_view_t rest_of(const ir_rows_t *rows) {
    return ir_view(rows->data + rows->begin, rows->end - rows->begin);
}

static void pass_byte_order_mark(ir_rows_t *rows) {
    const size_t size = sizeof BYTE_ORDER_MARK - 1;
    if (rows->at.offset == 0 && rows->end - rows->begin >= size &&
        memcmp(rows->data + rows->begin, BYTE_ORDER_MARK, size) == 0) {
        pass(rows, size, 0);
    }
}

static ir_rows_result_t give(ir_rows_t *rows, size_t size, size_t lines, ir_row_t *row) {
    *row = (ir_row_t){.data = rows->data + rows->begin, .size = size, .begin = rows->at};
    pass(rows, size, lines);
    row->end = rows->at;
    return IR_ROWS_ROW;
}

/* Returns the first line of a row that is too long. If the line itself is too long, returns the
 * buffered part of it. */
static ir_rows_result_t give_long(ir_rows_t *rows, ir_row_t *row) {
    const ir_view_t rest = rest_of(rows);
    const char *end = memchr(rest.data, '\n', rest.size);
    rows->cut = end == NULL;
    (void)give(rows, end != NULL ? (size_t)(end - rest.data) + 1 : rest.size, end != NULL, row);
    row->end = rows->cut ? row->begin : row->end;
    return IR_ROWS_LONG;
}

static void pass_cut(ir_rows_t *rows) {
    const ir_view_t rest = rest_of(rows);
    const char *end = rest.size > 0 ? memchr(rest.data, '\n', rest.size) : NULL;
    rows->cut = end == NULL;
    pass(rows, end != NULL ? (size_t)(end - rest.data) + 1 : rest.size, end != NULL);
}

/* Recognises a file of 16-bit characters by its byte order mark. */
static bool is_utf16(const ir_rows_t *rows) {
    const char *data = rows->data + rows->begin;
    return rows->at.offset == 0 && rows->end - rows->begin >= 2 &&
           (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0);
}

/* The archive in which spreadsheets are kept: .xlsx, .ods. */
static bool is_archive(const ir_rows_t *rows) {
    return rows->at.offset == 0 && rows->end - rows->begin >= 4 &&
           memcmp(rows->data + rows->begin, "PK\003\004", 4) == 0;
}

static ir_rows_result_t refuse(const char *why, ir_error_t *error) {
    ir_error_set(error, IR_ERR_SYNTAX, "%s", why);
    return IR_ROWS_FAILED;
}

static ir_rows_result_t fail(ir_error_t *error) {
    ir_error_set(error, IR_ERR_IO, "cannot read: %s", strerror(errno));
    return IR_ROWS_FAILED;
}

ir_rows_result_t ir_rows_next(ir_rows_t *rows, const ir_dialect_t *dialect, ir_row_t *row,
                              ir_error_t *error) {
    for (;;) {
        size_t lines = 0;
        if (rows->cut) {
            pass_cut(rows);
        }
        pass_byte_order_mark(rows);
        if (is_utf16(rows)) {
            return refuse("is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 FILE > NEW",
                          error);
        }
        if (is_archive(rows)) {
            return refuse("is a spreadsheet or an archive; save the table as CSV", error);
        }
        const ir_view_t rest = rest_of(rows);
        const size_t size = rest.size > 0 ? ir_fields_end(rest, dialect, &lines) : 0;
        if (size > IR_ROW_BYTES_MAX || (size == 0 && rest.size > IR_ROW_BYTES_MAX)) {
            return give_long(rows, row);
        }
        if (size > 0) {
            return give(rows, size, lines, row);
        }
        if (!read_more(rows)) {
            return errno == 0 ? IR_ROWS_END : fail(error);
        }
    }
}
