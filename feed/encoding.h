/* Converts a file's text to UTF-8. Rows and fields are split before the conversion, so bytes below
 * 0x80 must be ASCII: UTF-8, ISO 8859, Windows code pages, KOI8 and EUC are possible, UTF-16 is
 * not. One thread. */
#ifndef IR_FEED_ENCODING_H
#define IR_FEED_ENCODING_H

#include "common/buffer.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>

typedef struct ir_encoding ir_encoding_t;

/* Accepts any name that iconv knows, and "latin-N" (ISO 8859-1, -2, -15 for 1, 2, 9). IR_ERR_USAGE:
 * the encoding is unknown or does not extend ASCII. */
ir_status_t ir_encoding_open(const char *name, ir_encoding_t **encoding, ir_error_t *error);
void ir_encoding_close(ir_encoding_t *encoding);

/* Replaces the content of `out` with the text in UTF-8. False if the text is not valid in this
 * encoding, or when out of memory. */
bool ir_encoding_utf8(ir_encoding_t *encoding, ir_view_t text, ir_buffer_t *out);

#endif
