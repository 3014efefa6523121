#include "store/time_hint.h"

#include <stdbool.h>

/* Below 2^28 a SenML time is relative (RFC 8428, section 4.5.3). */
#define FIRST (INT64_C(1) << 28)
#define LAST (INT64_C(1) << 36)

enum {
    CBOR_BASE_TIME = 0x22, /* label -3 */
    CBOR_TIME = 0x06,
    CBOR_UINT32 = 0x1a,
    CBOR_UINT64 = 0x1b,
    CBOR_DOUBLE = 0xfb
};

static int64_t absolute(int64_t seconds) {
    return seconds >= FIRST && seconds < LAST ? seconds : 0;
}

/* The number behind `t":`, its whole seconds. */
static int64_t read_decimal(const unsigned char *at, const unsigned char *end) {
    int64_t seconds = 0;
    while (at < end && *at == ' ') {
        at++;
    }
    while (at < end && *at >= '0' && *at <= '9' && seconds < LAST) {
        seconds = seconds * 10 + (*at++ - '0');
    }
    return absolute(seconds);
}

static int64_t json_hint(ir_view_t body) {
    static const char mark[] = "t\":";
    const char *end = body.data + body.size;
    const char *at = body.data;
    while ((at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) != NULL) {
        at += sizeof mark - 1;
        const int64_t seconds = read_decimal((const unsigned char *)at, (const unsigned char *)end);
        if (seconds != 0) {
            return seconds;
        }
    }
    return 0;
}

/* `size` bytes, most significant first. */
static uint64_t read_bytes(const unsigned char *at, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static int64_t read_item(const unsigned char *at, const unsigned char *end) {
    const unsigned size = *at == CBOR_UINT32 ? 4 : 8;
    const bool known = *at == CBOR_UINT32 || *at == CBOR_UINT64 || *at == CBOR_DOUBLE;
    if (!known || (size_t)(end - at) <= size) {
        return 0;
    }
    const uint64_t bits = read_bytes(at + 1, size);
    if (*at != CBOR_DOUBLE) {
        return bits < (uint64_t)LAST ? absolute((int64_t)bits) : 0;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value >= (double)FIRST && value < (double)LAST ? (int64_t)value : 0;
}

static int64_t cbor_hint(ir_view_t body) {
    const unsigned char *at = (const unsigned char *)body.data;
    const unsigned char *end = at + body.size;
    for (; end - at > 1; at++) {
        const int64_t seconds =
            *at == CBOR_BASE_TIME || *at == CBOR_TIME ? read_item(at + 1, end) : 0;
        if (seconds != 0) {
            return seconds;
        }
    }
    return 0;
}

int64_t ir_time_hint(ir_view_t body) {
    if (body.size == 0) {
        return 0;
    }
    /* Text has no bytes of a CBOR array's head. */
    const unsigned char first = (unsigned char)body.data[0];
    return first >= 0x80 ? cbor_hint(body) : json_hint(body);
}
