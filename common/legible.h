/* Bytes that a stranger chose (a routing key, a content type, a name), as text that every reader
 * takes, and back. Well-formed UTF-8 stays what it is; a backslash, a control character and each
 * byte that is part of no well-formed sequence become \xHH, two lower-case hexadecimal digits. So
 * different bytes are different texts, and the bytes can be had again. ingest/take-aside.erl does
 * the same. Pure functions. */
#ifndef IR_COMMON_LEGIBLE_H
#define IR_COMMON_LEGIBLE_H

#include "common/arena.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

/* The text, in the arena, or the very same view when nothing of it changes; data is NULL when
 * memory is out. */
ir_view_t ir_legible_text(ir_arena_t *arena, ir_view_t bytes);

/* The bytes of such a text, in the same way; false when memory is out. What is no \xHH stays, so
 * that texts from before this rule are their own bytes. */
bool ir_legible_bytes(ir_arena_t *arena, ir_view_t text, ir_view_t *bytes);

/* A line for people: the same, but a backslash stays. Writes at most `size` - 1 bytes and a NUL;
 * what does not fit is cut off between characters. Returns how many it wrote. */
size_t ir_legible_line(char *out, size_t size, ir_view_t bytes);

#endif
