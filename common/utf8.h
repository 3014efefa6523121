/* Checks that bytes are UTF-8 text. */
#ifndef IR_COMMON_UTF8_H
#define IR_COMMON_UTF8_H

#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

/* The size of the text's first character in bytes, 1 to 4; 0 when it is malformed or NUL, or when
 * the text is empty. */
size_t ir_utf8_length(ir_view_t text);

/* True for well-formed UTF-8 without NUL (RFC 3629: shortest forms only, no surrogates, at most
 * U+10FFFF). */
bool ir_utf8_valid(ir_view_t text);

#endif
