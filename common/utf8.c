#include "common/utf8.h"

#include <stddef.h>
#include <stdint.h>

size_t ir_utf8_length(ir_view_t text) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text.data;
    if (text.size == 0) {
        return 0;
    }
    if (at[0] < 0x80) {
        return at[0] != 0 ? 1 : 0;
    }
    const size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || length > text.size) {
        return 0;
    }
    uint32_t code = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3f);
    }
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code >= least[length] && code <= 0x10ffff && !surrogate ? length : 0;
}

bool ir_utf8_valid(ir_view_t text) {
    for (size_t at = 0; at < text.size;) {
        const size_t length = ir_utf8_length(ir_view(text.data + at, text.size - at));
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}
