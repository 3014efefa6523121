/* A growing byte buffer for output. After a failed allocation all later appends do nothing and
 * ir_buffer_ok() returns false, so a writer needs to check only once, at the end. */
#ifndef IR_COMMON_BUFFER_H
#define IR_COMMON_BUFFER_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_buffer {
    char *data; /* not NUL-terminated */
    size_t size;
    size_t capacity;
    bool failed;
} ir_buffer_t;

/* Makes an empty buffer; allocates nothing. */
void ir_buffer_init(ir_buffer_t *buffer);

/* Frees the bytes and leaves the buffer as after ir_buffer_init. */
void ir_buffer_free(ir_buffer_t *buffer);

/* Empties the buffer and clears its failure; keeps its memory. */
void ir_buffer_clear(ir_buffer_t *buffer);

/* Ensures room for `extra` more bytes. Returns false (and marks the buffer failed) when memory is
 * exhausted. */
bool ir_buffer_reserve(ir_buffer_t *buffer, size_t extra);

void ir_buffer_append(ir_buffer_t *buffer, const void *data, size_t size);
void ir_buffer_append_text(ir_buffer_t *buffer, const char *text);
void ir_buffer_append_view(ir_buffer_t *buffer, ir_view_t view);
void ir_buffer_append_char(ir_buffer_t *buffer, char c);
void ir_buffer_append_int(ir_buffer_t *buffer, int64_t value);
void ir_buffer_append_uint(ir_buffer_t *buffer, uint64_t value);

/* Appends the shortest decimal that reads back as the same double (see number.h). */
void ir_buffer_append_double(ir_buffer_t *buffer, double value);

void ir_buffer_append_format(ir_buffer_t *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends a JSON string with its quotes (RFC 8259, section 7). The view must be valid UTF-8; every
 * decoder of this project guarantees that. */
void ir_buffer_append_json_string(ir_buffer_t *buffer, ir_view_t text);

static inline bool ir_buffer_ok(const ir_buffer_t *buffer) {
    return !buffer->failed;
}

static inline ir_view_t ir_buffer_view(const ir_buffer_t *buffer) {
    return (ir_view_t){buffer->data, buffer->size};
}

#endif
