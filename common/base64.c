#include "common/base64.h"

#include <stdint.h>

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

void ir_base64_append(ir_buffer_t *out, ir_view_t bytes, bool url) {
    const char *alphabet = url ? ALPHABET "-_" : ALPHABET "+/";
    const unsigned char *in = (const unsigned char *)bytes.data;
    for (size_t i = 0; i < bytes.size; i += 3) {
        const size_t left = bytes.size - i < 3 ? bytes.size - i : 3;
        const uint32_t word = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                              (left > 2 ? in[i + 2] : 0);
        char digits[4] = {alphabet[word >> 18], alphabet[word >> 12 & 63], alphabet[word >> 6 & 63],
                          alphabet[word & 63]};
        for (size_t pad = left + 1; pad < 4; pad++) {
            digits[pad] = '=';
        }
        ir_buffer_append(out, digits, url ? left + 1 : 4);
    }
}

static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool ir_base64url_decode(ir_view_t text, char *out, size_t *size) {
    while (text.size > 0 && text.data[text.size - 1] == '=') {
        text.size--;
    }
    if (text.size % 4 == 1) {
        return false;
    }
    uint32_t word = 0;
    unsigned bits = 0;
    size_t written = 0;
    for (size_t i = 0; i < text.size; i++) {
        const int digit = digit_of(text.data[i]);
        if (digit < 0) {
            return false;
        }
        word = (word << 6 | (uint32_t)digit) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[written++] = (char)(word >> bits & 0xff);
        }
    }
    *size = written;
    return true;
}
