#include "observation/identity.h"

#include "common/number.h"

#include <nettle/sha2.h>

#include <string.h>

#define NUMBER_SIZE 24
#define MILLISECOND_NS 1000000

/* The namespaces of identity.h as bytes; they differ only in the last one. */
#define NAMESPACE(last)                                                                            \
    {                                                                                              \
        0x0b, 0x6a, 0x0e, 0x0e, 0x9d, 0x0c, 0x5f, 0x0a, 0x9c, 0x57, 0x2f, 0x8d, 0x0d, 0x1b, 0x6a,  \
            last                                                                                   \
    }

#define NAMESPACE_SIZE 16

static const uint8_t namespace_raw[NAMESPACE_SIZE] = NAMESPACE(0x01);
static const uint8_t namespace_observation[NAMESPACE_SIZE] = NAMESPACE(0x02);
static const uint8_t namespace_revision[NAMESPACE_SIZE] = NAMESPACE(0x03);

/* ---- the hash and the time ---- */

/* Makes an id from a hash of the parts, separated by line feeds. Every bit comes from the hash,
 * except version and variant. */
static void generate(const uint8_t name_space[static NAMESPACE_SIZE], const ir_view_t *parts,
                     size_t n_parts, ir_id_t *id) {
    struct sha256_ctx hash;
    sha256_init(&hash);
    sha256_update(&hash, NAMESPACE_SIZE, name_space);
    for (size_t i = 0; i < n_parts; i++) {
        if (i > 0) {
            sha256_update(&hash, 1, (const uint8_t *)"\n");
        }
        if (parts[i].size > 0) {
            sha256_update(&hash, parts[i].size, (const uint8_t *)parts[i].data);
        }
    }
    sha256_digest(&hash, sizeof id->bytes, id->bytes);
    id->bytes[6] = (id->bytes[6] & 0x0f) | IR_ID_VERSION << 4;
    id->bytes[8] = (id->bytes[8] & 0x3f) | 0x80; /* variant of the RFC */
}

static void set_time(ir_id_t *id, int64_t time_ns) {
    uint64_t ms = time_ns > 0 ? (uint64_t)time_ns / MILLISECOND_NS : 0;
    for (size_t i = IR_ID_TIME_SIZE; i-- > 0; ms >>= 8) {
        id->bytes[i] = (uint8_t)ms;
    }
}

void ir_id_stretch(int64_t from_ns, int64_t to_ns, ir_id_t *least, ir_id_t *greatest) {
    memset(least->bytes, 0, sizeof least->bytes);
    memset(greatest->bytes, 0xff, sizeof greatest->bytes);
    set_time(least, from_ns);
    set_time(greatest, to_ns);
}

static ir_view_t format_number(uint64_t number, bool negative, char text[static NUMBER_SIZE]) {
    char *first = text + NUMBER_SIZE;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    if (negative) {
        *--first = '-';
    }
    return ir_view(first, (size_t)(text + NUMBER_SIZE - first));
}

static ir_view_t format_time(int64_t time_ns, char text[static NUMBER_SIZE]) {
    return format_number(time_ns < 0 ? 0 - (uint64_t)time_ns : (uint64_t)time_ns, time_ns < 0,
                         text);
}

/* ---- raw messages ---- */

ir_raw_key_t ir_raw_key(const ir_senml_pack_t *pack, ir_view_t mote, ir_view_t body, ir_view_t name,
                        int64_t arrival_ns) {
    ir_raw_key_t key = {.kind = IR_RAW_PLAIN, .mote = mote, .body = body};
    if (pack == NULL || pack->n_valid == 0) {
        return key;
    }
    if (!pack->relative) {
        key.kind = IR_RAW_ABSOLUTE;
        key.time_ns = pack->first_ns;
    } else if (name.size > 0) {
        key.kind = IR_RAW_NAMED;
        key.name = name;
    } else if (arrival_ns != 0) {
        key.kind = IR_RAW_ARRIVED;
        key.time_ns = arrival_ns;
    }
    return key;
}

/* Includes the size of the name, because the name may contain line feeds, too. */
void ir_id_raw(const ir_raw_key_t *key, ir_id_t *id) {
    static const char *const kinds[] = {[IR_RAW_ABSOLUTE] = "absolute",
                                        [IR_RAW_NAMED] = "named",
                                        [IR_RAW_ARRIVED] = "arrived",
                                        [IR_RAW_PLAIN] = "plain"};
    char number[NUMBER_SIZE];
    ir_view_t parts[5] = {ir_view_text(kinds[key->kind]), key->mote};
    size_t n_parts = 2;
    if (key->kind == IR_RAW_NAMED) {
        parts[n_parts++] = format_number(key->name.size, false, number);
        parts[n_parts++] = key->name;
    } else if (key->kind == IR_RAW_ARRIVED) {
        parts[n_parts++] = format_time(key->time_ns, number);
    }
    parts[n_parts++] = key->body;
    generate(namespace_raw, parts, n_parts, id);
    if (key->kind != IR_RAW_NAMED) {
        set_time(id, key->kind == IR_RAW_PLAIN ? 0 : key->time_ns);
    }
}

/* ---- observations ---- */

static void generate_observation(ir_view_t name, int64_t time_ns, const char *label,
                                 ir_view_t value, ir_id_t *id) {
    char time_text[NUMBER_SIZE];
    const ir_view_t parts[] = {name, format_time(time_ns, time_text), ir_view_text(label), value};
    generate(namespace_observation, parts, 4, id);
    set_time(id, time_ns);
}

void ir_id_observation_number(ir_view_t name, int64_t time_ns, ir_view_t number, ir_id_t *id) {
    generate_observation(name, time_ns, "v", number, id);
}

void ir_id_observation(ir_view_t name, int64_t time_ns, const ir_value_t *value, ir_id_t *id) {
    char number[IR_NUMBER_SIZE];
    switch (value->kind) {
    case IR_VALUE_NONE:
        generate_observation(name, time_ns, "", ir_view(NULL, 0), id);
        break;
    case IR_VALUE_NUMBER:
        ir_id_observation_number(name, time_ns,
                                 ir_view(number, ir_number_format(value->number, number)), id);
        break;
    case IR_VALUE_BOOL:
        generate_observation(name, time_ns, "vb", ir_view_text(value->boolean ? "true" : "false"),
                             id);
        break;
    case IR_VALUE_STRING:
        generate_observation(name, time_ns, "vs", value->bytes, id);
        break;
    case IR_VALUE_DATA:
        generate_observation(name, time_ns, "vd", value->bytes, id);
        break;
    }
}

void ir_id_revision(const ir_id_t *observation, const char *test, int flag,
                    const ir_id_t *superseded, ir_id_t *id) {
    char text[IR_ID_TEXT_SIZE];
    char other[IR_ID_TEXT_SIZE];
    const char digit = (char)('0' + flag);
    const ir_view_t parts[] = {
        ir_view_text(ir_id_format(observation, text)), ir_view_text(test), ir_view(&digit, 1),
        ir_view_text(superseded != NULL ? ir_id_format(superseded, other) : NULL)};
    generate(namespace_revision, parts, superseded != NULL ? 4 : 3, id);
    memcpy(id->bytes, observation->bytes, IR_ID_TIME_SIZE);
}

/* ---- text ---- */

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
