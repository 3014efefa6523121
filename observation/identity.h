/* The ids of raw messages, observations and revisions: UUIDs of version 8 (RFC 9562).
 *
 * The first 48 bits are milliseconds since 1970, big-endian as in version 7, so that an index by id
 * grows at its end. The other bits, except version and variant, come from the SHA-256 of a
 * namespace and a text (section B.2 of the RFC). LF is a line feed.
 *
 *   raw message   absolute LF MOTE LF BODY             the time of its first record
 *                 named LF MOTE LF SIZE LF NAME LF BODY    no time: all bits are hash
 *                 arrived LF MOTE LF ARRIVAL LF BODY   the arrival
 *                 plain LF MOTE LF BODY                0
 *   observation   NAME LF TIME LF LABEL LF VALUE       its time
 *   revision      OBSERVATION-ID LF TEST LF FLAG       that of the revised observation
 *     superseding OBSERVATION-ID LF TEST LF FLAG LF SUPERSEDED-ID    likewise
 *
 * TIME and ARRIVAL are decimal nanoseconds since the epoch; times before 1970 count as 0 in the 48
 * bits only. LABEL is the value's in SenML: v, vs, vb, vd. VALUE is the value as sent, before any
 * unit conversion: a number as number.h writes it, a string or data as they are, "true"/"false". So
 * a message that is delivered or sent twice keeps its ids, and a corrected value for the same time
 * is a new observation. */
#ifndef IR_OBSERVATION_IDENTITY_H
#define IR_OBSERVATION_IDENTITY_H

#include "common/view.h"
#include "observation/senml/senml.h"
#include "observation/value.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct ir_id {
    uint8_t bytes[16];
} ir_id_t;

#define IR_ID_TEXT_SIZE 37
#define IR_ID_VERSION 8
#define IR_ID_TIME_SIZE 6 /* size of the time at the beginning of an id */
#define IR_ID_HASH_AT 9   /* from this byte on, an id consists only of hash bits */

/* The namespaces, as UUID text, for docs and other programs. */
#define IR_NAMESPACE_RAW "0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a01"
#define IR_NAMESPACE_OBSERVATION "0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a02"
#define IR_NAMESPACE_REVISION "0b6a0e0e-9d0c-5f0a-9c57-2f8d0d1b6a03"

/* The data that identify a raw message. */
typedef enum ir_raw_kind {
    IR_RAW_ABSOLUTE, /* every record has an absolute time: only the content counts */
    IR_RAW_NAMED,    /* a time is relative, and the message has a name, which counts */
    IR_RAW_ARRIVED,  /* a time is relative: the arrival counts */
    IR_RAW_PLAIN     /* there is no valid record; or a time is relative, without a name or a known
                      * arrival */
} ir_raw_kind_t;

typedef struct ir_raw_key {
    ir_raw_kind_t kind;
    ir_view_t mote, body;
    ir_view_t name;  /* NAMED */
    int64_t time_ns; /* ABSOLUTE: time of the first valid record; ARRIVED: the arrival */
} ir_raw_key_t;

/* The key of a message. It does not depend on the registry, clocks or limits on future times, so a
 * message's id never changes. `pack` NULL: decoding failed. Empty `name`: no name; `arrival_ns` 0:
 * no stamp. Does not copy views. */
ir_raw_key_t ir_raw_key(const ir_senml_pack_t *pack, ir_view_t mote, ir_view_t body, ir_view_t name,
                        int64_t arrival_ns);

/* These functions are thread-safe and do not allocate. */
void ir_id_raw(const ir_raw_key_t *key, ir_id_t *id);
void ir_id_observation(ir_view_t name, int64_t time_ns, const ir_value_t *value, ir_id_t *id);
/* `superseded`: the verdict that it replaces, or NULL. */
void ir_id_revision(const ir_id_t *observation, const char *test, int flag,
                    const ir_id_t *superseded, ir_id_t *id);

/* The id of an observation with a number; `text` is the number's text (number.h). */
void ir_id_observation_number(ir_view_t name, int64_t time_ns, ir_view_t number, ir_id_t *id);

/* The smallest and the largest id that an item with a time in this period can have. */
void ir_id_stretch(int64_t from_ns, int64_t to_ns, ir_id_t *least, ir_id_t *greatest);

/* The UUID version in the id. */
static inline unsigned ir_id_version(const ir_id_t *id) {
    return id->bytes[6] >> 4;
}

/* For hash tables: uses only the hash bytes, because ids of one batch often share time, version and
 * variant. */
static inline size_t ir_id_hash(const ir_id_t *id) {
    uint64_t hash = 0;
    memcpy(&hash, id->bytes + IR_ID_HASH_AT, sizeof id->bytes - IR_ID_HASH_AT);
    return (size_t)hash;
}

/* Lower-case 8-4-4-4-12. Returns `text`. */
char *ir_id_format(const ir_id_t *id, char text[static IR_ID_TEXT_SIZE]);
bool ir_id_parse(ir_view_t text, ir_id_t *id);

static inline bool ir_id_equal(const ir_id_t *a, const ir_id_t *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* memcmp order. */
int ir_id_compare(const ir_id_t *a, const ir_id_t *b);

#endif
