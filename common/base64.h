/* Base64 (RFC 4648): SenML's data values are base64url without padding, RDF's are plain. */
#ifndef IR_COMMON_BASE64_H
#define IR_COMMON_BASE64_H

#include "common/buffer.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends `bytes` encoded: with `url`, the URL alphabet without padding; else the plain one,
 * padded. */
void ir_base64_append(ir_buffer_t *out, ir_view_t bytes, bool url);

/* Decodes base64url (padding optional) into `out`, which has room for text.size bytes; *size is the
 * number written. False when a character or the length is illegal. */
bool ir_base64url_decode(ir_view_t text, char *out, size_t *size);

#endif
