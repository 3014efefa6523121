/* Converts bytes that a sender chose (a routing key, a content type, a name) to text that every
 * reader accepts, and back. Well-formed UTF-8 is kept. A backslash, a control character, and each
 * byte outside of a well-formed sequence become \xHH, with two lower-case hexadecimal digits. So
 * different bytes give different texts, and the bytes can be restored. ingest/take-aside.erl does
 * the same. Pure functions. */
#ifndef IR_COMMON_LEGIBLE_H
#define IR_COMMON_LEGIBLE_H

#include "common/arena.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

/* Converts bytes to text. The result is in the arena, or is the same view when nothing changes.
 * `data` is NULL when memory is exhausted. */
ir_view_t ir_legible_text(ir_arena_t *arena, ir_view_t bytes);

/* Converts text back to bytes, in the same way. Returns false when memory is exhausted. Anything
 * that is not \xHH is kept, so a text that was stored before this rule existed gives its bytes
 * unchanged. */
bool ir_legible_bytes(ir_arena_t *arena, ir_view_t text, ir_view_t *bytes);

/* Converts bytes to a line for people, in the same way except that a backslash is kept. Writes at
 * most `size` - 1 bytes and a NUL; cuts between characters. Returns the number of bytes written. */
size_t ir_legible_line(char *out, size_t size, ir_view_t bytes);

#endif
