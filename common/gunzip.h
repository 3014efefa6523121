/* gzip (RFC 1952) with a bound on what comes out. */
#ifndef IR_COMMON_GUNZIP_H
#define IR_COMMON_GUNZIP_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"

#include <stddef.h>

/* Appends what `bytes` (one or more whole gzip members) expand to, at most `bound` bytes.
 * IR_ERR_SYNTAX: no gzip, or cut off; IR_ERR_FULL: it would be more than `bound`; IR_ERR_MEMORY.
 * What was appended until then stays. */
ir_status_t ir_gunzip(ir_view_t bytes, size_t bound, ir_buffer_t *out);

#endif
