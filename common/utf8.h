/* Whether bytes are text. */
#ifndef IR_COMMON_UTF8_H
#define IR_COMMON_UTF8_H

#include "common/view.h"

#include <stdbool.h>

/* Well-formed UTF-8 (RFC 3629: shortest forms only, no surrogates, at most U+10FFFF) without NUL.
 */
bool ir_utf8_valid(ir_view_t text);

#endif
