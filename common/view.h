/* A view of bytes that another object owns. Not NUL-terminated. */
#ifndef IR_COMMON_VIEW_H
#define IR_COMMON_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct ir_view {
    const char *data; /* may be NULL when size is 0 */
    size_t size;
} ir_view_t;

/* The arguments for a "%.*s" conversion. */
#define IR_VIEW_ARG(view) (int)(view).size, (view).data ? (view).data : ""

static inline ir_view_t ir_view(const char *data, size_t size) {
    return (ir_view_t){data, size};
}

/* `text` must be NUL-terminated, or NULL for the empty view. */
static inline ir_view_t ir_view_text(const char *text) {
    return (ir_view_t){text, text ? strlen(text) : 0};
}

static inline bool ir_view_equal(ir_view_t a, ir_view_t b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
