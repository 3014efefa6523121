/* JSON packs of a file or pipe, one a line or printed over several, each bounded: what is longer is
 * told, not read into memory.
 *
 * A pack goes on to the line that closes its brackets, but not beyond a line that begins with '[':
 * so one that is cut off does not take the next one with it. */
#ifndef IR_ANNOTATION_PACKS_H
#define IR_ANNOTATION_PACKS_H

#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ir_packs ir_packs_t;

/* Reads `fd`, which stays the caller's. NULL when memory is out. */
ir_packs_t *ir_packs_new(int fd, size_t longest);
void ir_packs_free(ir_packs_t *packs);

typedef struct ir_pack_text {
    ir_view_t text; /* without the end of its last line (LF or CR LF); lives until the next call */
    unsigned long line; /* its first, from 1 */
    bool too_long;      /* `text` is empty */
} ir_pack_text_t;

/* IR_OK, IR_ERR_NOT_FOUND at the end, IR_ERR_IO with errno set. */
ir_status_t ir_packs_next(ir_packs_t *packs, ir_pack_text_t *pack);

#endif
