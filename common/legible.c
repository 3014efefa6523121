#include "common/legible.h"

#include "common/utf8.h"

#include <string.h>

#define ESCAPE_SIZE 4 /* \xHH */

/* Returns the size of the character at `at` that is kept; 0 if the byte there must become \xHH. */
static size_t kept(ir_view_t bytes, size_t at, bool backslash) {
    const unsigned char first = (unsigned char)bytes.data[at];
    if (first < 0x20 || first == 0x7f || (first == '\\' && !backslash)) {
        return 0;
    }
    return ir_utf8_length(ir_view(bytes.data + at, bytes.size - at));
}

static void escape(char out[static ESCAPE_SIZE], char byte) {
    static const char digits[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[(unsigned char)byte >> 4];
    out[3] = digits[(unsigned char)byte & 0xf];
}

/* The offset of the first byte that is not kept, or the size. */
static size_t first_escaped(ir_view_t bytes) {
    size_t at = 0;
    size_t length = 0;
    while (at < bytes.size && (length = kept(bytes, at, false)) > 0) {
        at += length;
    }
    return at;
}

/* Writes the characters that fit; returns their size. */
static size_t write_text(char *out, size_t room, ir_view_t bytes, bool backslash) {
    size_t size = 0;
    for (size_t at = 0; at < bytes.size;) {
        const size_t length = kept(bytes, at, backslash);
        const size_t needed = length > 0 ? length : ESCAPE_SIZE;
        if (needed > room - size) {
            break;
        }
        if (length > 0) {
            memcpy(out + size, bytes.data + at, length);
        } else {
            escape(out + size, bytes.data[at]);
        }
        size += needed;
        at += length > 0 ? length : 1;
    }
    return size;
}

ir_view_t ir_legible_text(ir_arena_t *arena, ir_view_t bytes) {
    if (first_escaped(bytes) == bytes.size) {
        return bytes;
    }
    const size_t room = bytes.size * ESCAPE_SIZE;
    char *text = ir_arena_alloc(arena, room);
    return text != NULL ? ir_view(text, write_text(text, room, bytes, false))
                        : (ir_view_t){NULL, 0};
}

static int digit_of(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at `at` represents, or -1. */
static int escaped_byte(ir_view_t text, size_t at) {
    if (text.size - at < ESCAPE_SIZE || text.data[at] != '\\' || text.data[at + 1] != 'x') {
        return -1;
    }
    const int high = digit_of(text.data[at + 2]);
    const int low = digit_of(text.data[at + 3]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool ir_legible_bytes(ir_arena_t *arena, ir_view_t text, ir_view_t *bytes) {
    *bytes = text;
    if (text.size == 0 || memchr(text.data, '\\', text.size) == NULL) {
        return true;
    }
    char *out = ir_arena_alloc(arena, text.size);
    if (out == NULL) {
        return false;
    }
    size_t size = 0;
    for (size_t at = 0; at < text.size; size++) {
        const int byte = escaped_byte(text, at);
        out[size] = byte >= 0 ? (char)byte : text.data[at];
        at += byte >= 0 ? ESCAPE_SIZE : 1;
    }
    *bytes = ir_view(out, size);
    return true;
}

size_t ir_legible_line(char *out, size_t size, ir_view_t bytes) {
    const size_t written = write_text(out, size - 1, bytes, true);
    out[written] = '\0';
    return written;
}
