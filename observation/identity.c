#include "observation/identity.h"

#include "common/base64.h"
#include "common/buffer.h"
#include "common/number.h"

#include <nettle/sha1.h>

#include <string.h>

#define ID_TIME_SIZE 24

/* The namespaces of identity.h as bytes; they differ in the last one. */
#define NAMESPACE(last)                                                                            \
    {                                                                                              \
        0x0b, 0x6a, 0x0e, 0x0e, 0x9d, 0x0c, 0x5f, 0x0a, 0x9c, 0x57, 0x2f, 0x8d, 0x0d, 0x1b, 0x6a,  \
            last                                                                                   \
    }

#define NAMESPACE_SIZE 16

static const uint8_t namespace_raw[NAMESPACE_SIZE] = NAMESPACE(0x01);
static const uint8_t namespace_observation[NAMESPACE_SIZE] = NAMESPACE(0x02);
static const uint8_t namespace_revision[NAMESPACE_SIZE] = NAMESPACE(0x03);

/* Hashes the parts with a line feed between each two (RFC 4122, section 4.3). */
static void generate(const uint8_t name_space[static NAMESPACE_SIZE], const ir_view_t *parts,
                     size_t n_parts, ir_id_t *id) {
    struct sha1_ctx hash;
    sha1_init(&hash);
    sha1_update(&hash, NAMESPACE_SIZE, name_space);
    for (size_t i = 0; i < n_parts; i++) {
        if (i > 0) {
            sha1_update(&hash, 1, (const uint8_t *)"\n");
        }
        if (parts[i].size > 0) {
            sha1_update(&hash, parts[i].size, (const uint8_t *)parts[i].data);
        }
    }
    sha1_digest(&hash, sizeof id->bytes, id->bytes);
    id->bytes[6] = (id->bytes[6] & 0x0f) | 0x50; /* version 5 */
    id->bytes[8] = (id->bytes[8] & 0x3f) | 0x80; /* variant of the RFC */
}

bool ir_id_raw(ir_view_t mote, ir_view_t body, ir_id_t *id) {
    const ir_view_t parts[] = {mote, body};
    generate(namespace_raw, parts, 2, id);
    return true;
}

static ir_view_t format_time(int64_t time_ns, char text[static ID_TIME_SIZE]) {
    char *first = text + ID_TIME_SIZE;
    uint64_t rest = time_ns < 0 ? 0 - (uint64_t)time_ns : (uint64_t)time_ns;
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (time_ns < 0) {
        *--first = '-';
    }
    return ir_view(first, (size_t)(text + ID_TIME_SIZE - first));
}

bool ir_id_observation(ir_view_t name, int64_t time_ns, const ir_value_t *value, ir_id_t *id) {
    char time_text[ID_TIME_SIZE];
    char number[IR_NUMBER_SIZE];
    ir_buffer_t data;
    ir_view_t parts[] = {name, format_time(time_ns, time_text), {NULL, 0}};
    ir_buffer_init(&data);
    switch (value->kind) {
    case IR_VALUE_NONE:
        break;
    case IR_VALUE_NUMBER:
        parts[2] = ir_view(number, ir_number_format(value->number, number));
        break;
    case IR_VALUE_BOOL:
        parts[2] = ir_view_text(value->boolean ? "true" : "false");
        break;
    case IR_VALUE_STRING:
        parts[2] = value->bytes;
        break;
    case IR_VALUE_DATA:
        ir_base64_append(&data, value->bytes, true);
        parts[2] = ir_buffer_view(&data);
        break;
    }
    const bool done = ir_buffer_ok(&data);
    if (done) {
        generate(namespace_observation, parts, 3, id);
    }
    ir_buffer_free(&data);
    return done;
}

bool ir_id_revision(const ir_id_t *observation, const char *test, int flag, ir_id_t *id) {
    char text[IR_ID_TEXT_SIZE];
    const char digit = (char)('0' + flag);
    const ir_view_t parts[] = {ir_view_text(ir_id_format(observation, text)), ir_view_text(test),
                               ir_view(&digit, 1)};
    generate(namespace_revision, parts, 3, id);
    return true;
}

char *ir_id_format(const ir_id_t *id, char text[static IR_ID_TEXT_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    char *at = text;
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = digits[id->bytes[i] >> 4];
        *at++ = digits[id->bytes[i] & 15];
    }
    *at = '\0';
    return text;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool ir_id_parse(ir_view_t text, ir_id_t *id) {
    if (text.size != IR_ID_TEXT_SIZE - 1) {
        return false;
    }
    ir_id_t parsed;
    size_t at = 0;
    for (size_t i = 0; i < sizeof parsed.bytes; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text.data[at++] != '-') {
            return false;
        }
        const int high = hex_digit(text.data[at]);
        const int low = hex_digit(text.data[at + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        parsed.bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    *id = parsed;
    return true;
}

int ir_id_compare(const ir_id_t *a, const ir_id_t *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}
