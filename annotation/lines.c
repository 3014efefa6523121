#include "annotation/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE ((size_t)256 * 1024)

struct ir_lines {
    int fd;
    size_t longest;
    unsigned long number;
    bool ended;
    bool skipping;     /* inside a line that is too long */
    size_t begin, end; /* bytes read but not returned yet */
    size_t searched;   /* how many of these hold no line feed */
    size_t capacity;
    char buffer[];
};

ir_lines_t *ir_lines_new(int fd, size_t longest) {
    const size_t capacity = longest + READ_SIZE;
    ir_lines_t *lines = calloc(1, sizeof *lines + capacity);
    if (lines != NULL) {
        lines->fd = fd;
        lines->longest = longest;
        lines->capacity = capacity;
    }
    return lines;
}

void ir_lines_free(ir_lines_t *lines) {
    free(lines);
}

static ir_status_t fill(ir_lines_t *lines) {
    if (lines->begin > 0) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    ssize_t got = 0;
    do {
        got = read(lines->fd, lines->buffer + lines->end, lines->capacity - lines->end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return IR_ERR_IO;
    }
    lines->ended = got == 0;
    lines->end += (size_t)got;
    return IR_OK;
}

/* Returns `size` bytes as a line and skips them and the line feed after them. */
static void take(ir_lines_t *lines, size_t size, size_t feed, ir_line_t *line) {
    size_t shown = size;
    if (shown > 0 && lines->buffer[lines->begin + shown - 1] == '\r') {
        shown--;
    }
    line->too_long = lines->skipping || size > lines->longest;
    line->text =
        line->too_long ? (ir_view_t){NULL, 0} : ir_view(lines->buffer + lines->begin, shown);
    line->number = ++lines->number;
    lines->begin += size + feed;
    lines->searched = 0;
    lines->skipping = false;
}

ir_status_t ir_lines_next(ir_lines_t *lines, ir_line_t *line) {
    for (;;) {
        const char *at = lines->buffer + lines->begin;
        const size_t size = lines->end - lines->begin;
        const char *feed = memchr(at + lines->searched, '\n', size - lines->searched);
        if (feed != NULL) {
            take(lines, (size_t)(feed - at), 1, line);
            return IR_OK;
        }
        if (lines->ended && (size > 0 || lines->skipping)) {
            take(lines, size, 0, line);
            return IR_OK;
        }
        if (lines->ended) {
            return IR_ERR_NOT_FOUND;
        }
        if (size > lines->longest + 1) {
            lines->skipping = true;
            lines->begin = lines->end;
        }
        lines->searched = lines->end - lines->begin;
        if (fill(lines) != IR_OK) {
            return IR_ERR_IO;
        }
    }
}
