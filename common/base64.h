/* Base64 (RFC 4648). SenML data values use base64url without padding; RDF uses plain base64. */
#ifndef IR_COMMON_BASE64_H
#define IR_COMMON_BASE64_H

#include "common/buffer.h"
#include "common/view.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends the encoded `bytes`. With `url`: the URL alphabet, no padding. Otherwise: the standard
 * alphabet, padded. */
void ir_base64_append(ir_buffer_t *out, ir_view_t bytes, bool url);

/* Decodes base64url (padding optional) into `out`, which must hold text.size bytes; *size is the
 * number of bytes written. Returns false on an illegal character or length. */
bool ir_base64url_decode(ir_view_t text, char *out, size_t *size);

#endif
