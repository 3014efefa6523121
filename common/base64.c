#include "common/base64.h"

#include <nettle/base64.h>

#include <string.h>

void ir_base64_append(ir_buffer_t *out, ir_view_t bytes, bool url) {
    struct base64_encode_ctx encoding;
    const size_t room = BASE64_ENCODE_LENGTH(bytes.size) + BASE64_ENCODE_FINAL_LENGTH;
    if (!ir_buffer_reserve(out, room)) {
        return;
    }
    if (url) {
        base64url_encode_init(&encoding);
    } else {
        base64_encode_init(&encoding);
    }
    char *at = out->data + out->size;
    size_t size =
        base64_encode_update(&encoding, at, bytes.size, (const unsigned char *)bytes.data);
    size += base64_encode_final(&encoding, at + size);
    while (url && size > 0 && at[size - 1] == '=') {
        size--;
    }
    out->size += size;
}

/* The library would skip white space and insist on correct padding; this decoder must do
 * neither. */
bool ir_base64url_decode(ir_view_t text, char *out, size_t *size) {
    struct base64_decode_ctx decoding;
    while (text.size > 0 && text.data[text.size - 1] == '=') {
        text.size--;
    }
    if (text.size % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] == '=') {
            return false;
        }
    }
    base64url_decode_init(&decoding);
    *size = text.size;
    return base64_decode_update(&decoding, size, (uint8_t *)out, text.size, text.data) == 1;
}
