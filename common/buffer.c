#include "common/buffer.h"

#include "common/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256

void ir_buffer_init(ir_buffer_t *buffer) {
    *buffer = (ir_buffer_t){NULL, 0, 0, false};
}

void ir_buffer_free(ir_buffer_t *buffer) {
    free(buffer->data);
    ir_buffer_init(buffer);
}

void ir_buffer_clear(ir_buffer_t *buffer) {
    buffer->size = 0;
    buffer->failed = false;
}

static bool grow(ir_buffer_t *buffer, size_t needed) {
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed && capacity <= SIZE_MAX / 2) {
        capacity *= 2;
    }
    char *data = capacity >= needed ? realloc(buffer->data, capacity) : NULL;
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool ir_buffer_reserve(ir_buffer_t *buffer, size_t extra) {
    if (buffer->failed) {
        return false;
    }
    if (buffer->capacity - buffer->size >= extra) {
        return true;
    }
    if (extra > SIZE_MAX - buffer->size) {
        buffer->failed = true;
        return false;
    }
    return grow(buffer, buffer->size + extra);
}

void ir_buffer_append(ir_buffer_t *buffer, const void *data, size_t size) {
    if (size > 0 && ir_buffer_reserve(buffer, size)) {
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
    }
}

void ir_buffer_append_text(ir_buffer_t *buffer, const char *text) {
    ir_buffer_append(buffer, text, strlen(text));
}

void ir_buffer_append_view(ir_buffer_t *buffer, ir_view_t view) {
    ir_buffer_append(buffer, view.data, view.size);
}

void ir_buffer_append_char(ir_buffer_t *buffer, char c) {
    ir_buffer_append(buffer, &c, 1);
}

void ir_buffer_append_uint(ir_buffer_t *buffer, uint64_t value) {
    char digits[20];
    char *first = digits + sizeof digits;
    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    ir_buffer_append(buffer, first, (size_t)(digits + sizeof digits - first));
}

void ir_buffer_append_int(ir_buffer_t *buffer, int64_t value) {
    if (value < 0) {
        ir_buffer_append_char(buffer, '-');
    }
    ir_buffer_append_uint(buffer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void ir_buffer_append_double(ir_buffer_t *buffer, double value) {
    char text[IR_NUMBER_SIZE];
    ir_buffer_append(buffer, text, ir_number_format(value, text));
}

void ir_buffer_append_format(ir_buffer_t *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    const int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size > 0 && ir_buffer_reserve(buffer, (size_t)size + 1)) {
        vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

static void append_escaped(ir_buffer_t *buffer, unsigned char c) {
    static const char shorthand[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                     ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    if (c < sizeof shorthand && shorthand[c] != '\0') {
        ir_buffer_append(buffer, (char[]){'\\', shorthand[c]}, 2);
    } else {
        ir_buffer_append_format(buffer, "\\u%04x", c);
    }
}

void ir_buffer_append_json_string(ir_buffer_t *buffer, ir_view_t text) {
    ir_buffer_append_char(buffer, '"');
    size_t plain = 0;
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == '"' || c == '\\') {
            ir_buffer_append(buffer, text.data + plain, i - plain);
            append_escaped(buffer, c);
            plain = i + 1;
        }
    }
    ir_buffer_append(buffer, text.data + plain, text.size - plain);
    ir_buffer_append_char(buffer, '"');
}
