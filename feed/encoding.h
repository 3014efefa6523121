/* Text of a file in its own encoding, as UTF-8. Files are split into rows and fields before they
 * are converted, so only encodings qualify in which the bytes below 0x80 are ASCII: UTF-8, ISO
 * 8859, the Windows code pages, KOI8, EUC, and not UTF-16. One thread. */
#ifndef IR_FEED_ENCODING_H
#define IR_FEED_ENCODING_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>

typedef struct ir_encoding ir_encoding_t;

/* Any name that iconv knows, and "latin-N" (ISO 8859-1, -2, -15 for 1, 2, 9). IR_ERR_USAGE: not
 * known, or not of this kind. */
ir_status_t ir_encoding_open(const char *name, ir_encoding_t **encoding, ir_error_t *error);
void ir_encoding_close(ir_encoding_t *encoding);

/* Replaces what is in `out` by the text as UTF-8. False when it is not in this encoding, or memory
 * is out. */
bool ir_encoding_utf8(ir_encoding_t *encoding, ir_view_t text, ir_buffer_t *out);

#endif
