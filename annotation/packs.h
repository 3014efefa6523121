/* Reads JSON packs from a file or pipe, each on one line or spread over several. Their size is
 * limited: a larger pack is reported but not read into memory.
 *
 * A pack ends with the line that closes its brackets, or before the next line that begins with '['.
 * So a truncated pack does not include the next one. */
#ifndef IR_ANNOTATION_PACKS_H
#define IR_ANNOTATION_PACKS_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_packs ir_packs_t;

/* Reads from `fd`, which the caller still owns. Returns NULL when memory is exhausted. */
ir_packs_t *ir_packs_new(int fd, size_t longest);
void ir_packs_free(ir_packs_t *packs);

typedef struct ir_pack_text {
    ir_view_t text;     /* without the last LF or CR LF; valid until the next call */
    unsigned long line; /* number of its first line, from 1 */
    bool too_long;      /* `text` is empty */
} ir_pack_text_t;

/* IR_OK; IR_ERR_NOT_FOUND at the end of the input; IR_ERR_IO with errno set. */
ir_status_t ir_packs_next(ir_packs_t *packs, ir_pack_text_t *pack);

#endif
