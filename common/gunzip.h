/* Expands gzip (RFC 1952) up to a limit. */
#ifndef IR_COMMON_GUNZIP_H
#define IR_COMMON_GUNZIP_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"

#include <stddef.h>

/* Appends the expansion of `bytes` (one or more complete gzip members), at most `bound` bytes.
 * IR_ERR_SYNTAX: not gzip, or truncated. IR_ERR_FULL: it would exceed `bound`. IR_ERR_MEMORY. On an
 * error, bytes appended so far remain. */
ir_status_t ir_gunzip(ir_view_t bytes, size_t bound, ir_buffer_t *out);

#endif
