#include "store/graph/nquads/segment_lines.h"

#include "common/buffer.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_SIZE 16384
#define MARK_SIZE_MAX 64
#define READ_SIZE ((size_t)256 * 1024)
#define LINE_SIZE_MAX ((size_t)16 * 1024 * 1024)
#define SUBJECT "<urn:uuid:"
#define RESULT "result/"
#define TYPE "> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
#define OBSERVATION "<http://www.w3.org/ns/sosa/Observation> "

/* ---- the end ---- */

static ir_status_t read_at(int fd, const char *path, char *to, size_t size, int64_t at,
                           ir_error_t *error) {
    while (size > 0) {
        const ssize_t got = pread(fd, to, size, (off_t)at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return ir_error_set(error, IR_ERR_IO, "cannot read %s: %s", path,
                                got < 0 ? strerror(errno) : "it has become shorter");
        }
        to += got;
        size -= (size_t)got;
        at += got;
    }
    return IR_OK;
}

/* Returns the offset after the last complete mark line in the window, or 0. */
static size_t last_mark(const char *window, size_t size, bool at_start) {
    const char *stop = memrchr(window, '\n', size);
    while (stop != NULL) {
        const char *before = memrchr(window, '\n', (size_t)(stop - window));
        if (before == NULL && !at_start) {
            return 0;
        }
        const char *line = before != NULL ? before + 1 : window;
        if ((size_t)(stop - line) >= strlen(IR_SEGMENT_MARK) &&
            memcmp(line, IR_SEGMENT_MARK, strlen(IR_SEGMENT_MARK)) == 0) {
            return (size_t)(stop - window) + 1;
        }
        stop = before;
    }
    return 0;
}

ir_status_t ir_segment_end(int fd, const char *path, int64_t *end, ir_error_t *error) {
    struct stat facts;
    if (fstat(fd, &facts) != 0) {
        return ir_error_set(error, IR_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    }
    char window[WINDOW_SIZE];
    int64_t high = facts.st_size;
    while (high > 0) {
        const int64_t low = high > WINDOW_SIZE ? high - WINDOW_SIZE : 0;
        const ir_status_t status = read_at(fd, path, window, (size_t)(high - low), low, error);
        if (status != IR_OK) {
            return status;
        }
        const size_t found = last_mark(window, (size_t)(high - low), low == 0);
        if (found > 0) {
            *end = low + (int64_t)found;
            return IR_OK;
        }
        /* A mark that begins before this window ends within its first bytes. */
        high = low > 0 ? low + MARK_SIZE_MAX : 0;
    }
    *end = 0;
    return IR_OK;
}

/* ---- lines ---- */

typedef struct lines {
    int fd;
    const char *path;
    int64_t next, end;  /* range of the file that is still to be read */
    ir_buffer_t buffer; /* bytes read */
    size_t at;          /* position in the buffer */
} lines_t;

static ir_status_t read_more(lines_t *lines, ir_error_t *error) {
    ir_buffer_t *buffer = &lines->buffer;
    const size_t rest = buffer->size - lines->at;
    if (rest > LINE_SIZE_MAX) {
        return ir_error_set(error, IR_ERR_SYNTAX, "%s: a line is longer than %zu bytes",
                            lines->path, LINE_SIZE_MAX);
    }
    if (lines->at > 0) {
        memmove(buffer->data, buffer->data + lines->at, rest);
        buffer->size = rest;
        lines->at = 0;
    }
    const int64_t left = lines->end - lines->next;
    const size_t size = left < (int64_t)READ_SIZE ? (size_t)left : READ_SIZE;
    if (!ir_buffer_reserve(buffer, size)) {
        return ir_error_set(error, IR_ERR_MEMORY, "reading %s: out of memory", lines->path);
    }
    const ir_status_t status =
        read_at(lines->fd, lines->path, buffer->data + buffer->size, size, lines->next, error);
    if (status == IR_OK) {
        buffer->size += size;
        lines->next += (int64_t)size;
    }
    return status;
}

/* `more` becomes false after the last line. */
static ir_status_t next_line(lines_t *lines, ir_view_t *line, bool *more, ir_error_t *error) {
    size_t searched = 0;
    for (;;) {
        const size_t size = lines->buffer.size - lines->at;
        const char *start = lines->buffer.data + lines->at;
        const char *stop = size > searched ? memchr(start + searched, '\n', size - searched) : NULL;
        if (stop == NULL && lines->next < lines->end) {
            searched = size;
            const ir_status_t status = read_more(lines, error);
            if (status != IR_OK) {
                return status;
            }
            continue;
        }
        *more = size > 0;
        *line = ir_view(start, stop != NULL ? (size_t)(stop - start) : size);
        lines->at += line->size + (stop != NULL);
        return IR_OK;
    }
}

static bool is_statement(ir_view_t line) {
    return line.size > 0 && line.data[0] != '#';
}

ir_status_t ir_segment_each_line(int fd, const char *path, int64_t begin, int64_t end,
                                 ir_each_line_fn each, void *context, ir_error_t *error) {
    lines_t lines = {.fd = fd, .path = path, .next = begin, .end = end};
    ir_buffer_init(&lines.buffer);
    ir_view_t line;
    bool more = true;
    ir_status_t status = next_line(&lines, &line, &more, error);
    while (status == IR_OK && more) {
        status = is_statement(line) ? each(context, line) : IR_OK;
        if (status == IR_OK) {
            status = next_line(&lines, &line, &more, error);
        }
    }
    ir_buffer_free(&lines.buffer);
    return status;
}

/* ---- the content of a line ---- */

static bool starts(const char **at, const char *end, const char *text) {
    const size_t size = strlen(text);
    if ((size_t)(end - *at) < size || memcmp(*at, text, size) != 0) {
        return false;
    }
    *at += size;
    return true;
}

ir_segment_subject_t ir_segment_subject(ir_view_t line, ir_id_t *id) {
    if (line.size < strlen(SUBJECT) + IR_ID_TEXT_SIZE - 1) {
        return IR_SUBJECT_NONE;
    }
    const char *at = line.data;
    const char *end = line.data + line.size;
    if (!starts(&at, end, SUBJECT)) {
        return IR_SUBJECT_NONE;
    }
    const ir_view_t text = ir_view(at, IR_ID_TEXT_SIZE - 1);
    at += text.size;
    if (!starts(&at, end, TYPE) || !ir_id_parse(text, id)) {
        return IR_SUBJECT_NONE;
    }
    return starts(&at, end, OBSERVATION) ? IR_SUBJECT_OBSERVATION : IR_SUBJECT_OTHER;
}

bool ir_segment_line_id(ir_view_t line, const char *base_iri, ir_id_t *id) {
    const char *at = line.data;
    const char *end = line.data + line.size;
    const bool result =
        starts(&at, end, "<") && starts(&at, end, base_iri) && starts(&at, end, RESULT);
    if (!result) {
        at = line.data;
        if (!starts(&at, end, SUBJECT)) {
            return false;
        }
    }
    return (size_t)(end - at) >= IR_ID_TEXT_SIZE && at[IR_ID_TEXT_SIZE - 1] == '>' &&
           ir_id_parse(ir_view(at, IR_ID_TEXT_SIZE - 1), id);
}

typedef struct collection {
    ir_id_set_t *ids;
    ir_error_t *error;
} collection_t;

static ir_status_t collect(void *context, ir_view_t line) {
    const collection_t *to = context;
    ir_id_t id;
    if (ir_segment_subject(line, &id) == IR_SUBJECT_NONE) {
        return IR_OK;
    }
    if (!ir_id_set_reserve(to->ids, 1)) {
        return ir_error_set(to->error, IR_ERR_MEMORY, "graph: out of memory");
    }
    ir_id_set_add(to->ids, &id);
    return IR_OK;
}

ir_status_t ir_segment_read_ids(int fd, const char *path, int64_t begin, int64_t end,
                                ir_id_set_t *ids, ir_error_t *error) {
    collection_t to = {ids, error};
    return ir_segment_each_line(fd, path, begin, end, collect, &to, error);
}
