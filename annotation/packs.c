#include "annotation/packs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE ((size_t)256 * 1024)

struct ir_packs {
    int fd;
    size_t longest;
    bool ended;
    bool skipping;     /* inside a pack that is too long */
    size_t begin, end; /* bytes read but not returned yet */
    size_t searched;   /* how many of them were already searched */
    /* the state of the search */
    unsigned long line, first; /* the current line, and the first line of the pack */
    size_t depth;              /* number of open brackets */
    bool in_string, escaped, line_begins;
    size_t capacity;
    char buffer[];
};

ir_packs_t *ir_packs_new(int fd, size_t longest) {
    const size_t capacity = longest + READ_SIZE;
    ir_packs_t *packs = calloc(1, sizeof *packs + capacity);
    if (packs != NULL) {
        packs->fd = fd;
        packs->longest = longest;
        packs->capacity = capacity;
        packs->line = packs->first = 1;
    }
    return packs;
}

void ir_packs_free(ir_packs_t *packs) {
    free(packs);
}

static ir_status_t fill(ir_packs_t *packs) {
    if (packs->begin > 0) {
        memmove(packs->buffer, packs->buffer + packs->begin, packs->end - packs->begin);
        packs->end -= packs->begin;
        packs->begin = 0;
    }
    ssize_t got = 0;
    do {
        got = read(packs->fd, packs->buffer + packs->end, packs->capacity - packs->end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return IR_ERR_IO;
    }
    packs->ended = got == 0;
    packs->end += (size_t)got;
    return IR_OK;
}

/* ---- where a pack ends ---- */

static void follow_brackets(ir_packs_t *packs, char c) {
    if (packs->in_string) {
        packs->in_string = packs->escaped || c != '"';
        packs->escaped = !packs->escaped && c == '\\';
    } else if (c == '"') {
        packs->in_string = true;
    } else if (c == '[' || c == '{') {
        packs->depth++;
    } else if (c == ']' || c == '}') {
        packs->depth -= packs->depth > 0;
    }
}

/* Whether the pack ends with this byte, a line feed, or has ended before it. A JSON string cannot
 * contain a line feed, so a line feed also ends a broken string. */
static bool ends_at(ir_packs_t *packs, char c) {
    if (c == '\n') {
        packs->line++;
        packs->in_string = packs->escaped = false;
        packs->line_begins = true;
        return packs->depth == 0;
    }
    if (packs->line_begins && c == '[' && packs->depth > 0) {
        return true;
    }
    packs->line_begins = false;
    follow_brackets(packs, c);
    return false;
}

/* Searches for the end of the pack. Returns false when more bytes must be read. */
static bool search(ir_packs_t *packs) {
    const char *bytes = packs->buffer + packs->begin;
    const size_t size = packs->end - packs->begin;
    while (packs->searched < size) {
        const char c = bytes[packs->searched];
        if (ends_at(packs, c)) {
            packs->searched += c == '\n';
            return true;
        }
        packs->searched++;
    }
    return false;
}

/* Returns the bytes up to here as a pack. */
static void take(ir_packs_t *packs, ir_pack_text_t *pack) {
    const char *bytes = packs->buffer + packs->begin;
    size_t size = packs->searched;
    size -= size > 0 && bytes[size - 1] == '\n';
    pack->too_long = packs->skipping || size > packs->longest;
    size -= size > 0 && bytes[size - 1] == '\r';
    pack->text = pack->too_long ? (ir_view_t){NULL, 0} : ir_view(bytes, size);
    pack->line = packs->first;
    packs->first = packs->line;
    packs->begin += packs->searched;
    packs->searched = packs->depth = 0;
    packs->skipping = packs->line_begins = packs->in_string = packs->escaped = false;
}

ir_status_t ir_packs_next(ir_packs_t *packs, ir_pack_text_t *pack) {
    while (!search(packs)) {
        if (packs->ended && packs->searched == 0 && !packs->skipping) {
            return IR_ERR_NOT_FOUND;
        }
        if (packs->ended) {
            break;
        }
        if (packs->searched > packs->longest + 1) {
            packs->skipping = true;
            packs->begin = packs->end;
            packs->searched = 0;
        }
        if (fill(packs) != IR_OK) {
            return IR_ERR_IO;
        }
    }
    take(packs, pack);
    return IR_OK;
}
