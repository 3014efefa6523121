/* SenML packs (RFC 8428), JSON and CBOR, to resolved records.
 *
 * All rules of the RFC hold: base fields persist until replaced and apply from the record that
 * carries them on; name = bn‖n, time = bt + t, value = bv + v, sum = bs + s, u over bu; a time
 * below 2^28 is relative; names are [A-Za-z0-9][A-Za-z0-9-:./_]*; JSON exponents in lower case;
 * CBOR integers, half/single/double floats, and decimal fractions (tag 4). A record of base fields
 * alone is no measurement. bver is a set of features (RFC 9100), of which secondary units (RFC
 * 8798) are known. Times are whole microseconds: what a double of today's seconds holds, so that a
 * time that is written as one is read back.
 *
 * Beyond the RFC, JSON may have what writers leave there: a byte order mark in front, NULs behind
 * (of a C string, or of its buffer), and the numbers nan and inf, which refuse their record. */
#ifndef IR_OBSERVATION_SENML_SENML_H
#define IR_OBSERVATION_SENML_SENML_H

#include "common/arena.h"
#include "common/status.h"
#include "common/view.h"
#include "observation/reason.h"
#include "observation/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ir_media {
    IR_MEDIA_UNKNOWN,
    IR_MEDIA_SENML_JSON, /* application/senml+json, application/json */
    IR_MEDIA_SENML_CBOR, /* application/senml+cbor, application/cbor */
    IR_MEDIA_OPEN        /* what clients send by default, and no type at all (MQTT 3.1.1 has none):
                            text/plain, application/octet-stream, … */
} ir_media_t;

/* By the content type alone. Compares without case, passes over parameters ("; charset=utf-8"). */
ir_media_t ir_media_parse(ir_view_t content_type);

/* The same; an open one is told from the body's first byte: a JSON array or a CBOR array. UNKNOWN
 * for anything else. */
ir_media_t ir_media_of(ir_view_t content_type, ir_view_t body);
const char *ir_media_text(ir_media_t media); /* that SenML has; of an open one: "unknown" */

typedef struct ir_senml_limits {
    size_t bytes;      /* of the body */
    unsigned depth;    /* of nesting, the pack itself counts 1 */
    unsigned records;  /* in one pack */
    int64_t future_ns; /* how far after the arrival a time may lie */
} ir_senml_limits_t;

/* 1 MiB, depth 16, 10,000 records, one day. */
extern const ir_senml_limits_t ir_senml_limits_default;

/* The highest bver that is taken, and that of a pack with secondary units: 10 + 2^4. */
#define IR_SENML_VERSION 26U

#define IR_NAME_SIZE_MAX 255
#define IR_UNIT_SIZE_MAX 31

typedef struct ir_senml_record {
    ir_view_t name;   /* full name, 1 … IR_NAME_SIZE_MAX bytes, in the arena */
    ir_view_t unit;   /* empty: none was given */
    ir_value_t value; /* as sent, resolved */
    bool has_sum;
    double sum;
    bool has_update; /* ut */
    double update_seconds;
    int64_t time_ns;
    bool relative; /* time_ns counts from the arrival, or from when it was sent */
    int position;  /* in the pack, from 0 */
} ir_senml_record_t;

typedef struct ir_senml_pack {
    ir_senml_record_t *records;
    size_t n_records;
    ir_refusal_t *refusals; /* of records, in order; or one with record -1: then n_records is 0.
                             * Only the first IR_REFUSALS_LISTED and one more have a detail */
    size_t n_refusals;
    /* What the raw id depends on (identity.h): all records that are valid SenML, also those that
     * are refused because they lie too far in the future. */
    size_t n_valid;
    bool relative;    /* one of them at least */
    int64_t first_ns; /* the time of the first */
} ir_senml_pack_t;

/* When a message arrived, and when its sender says that it was sent (0: unknown). Relative times
 * count from the latter if it is known; what is too far in the future is told by the former. */
typedef struct ir_senml_clock {
    int64_t arrival_ns;
    int64_t sent_ns;
} ir_senml_clock_t;

/* Decodes one body. Everything in `pack` lives in `arena`. What is wrong with the input is not an
 * error of this call but stands in `pack->refusals`; a bad base field, bver or a label ending in
 * '_' refuses the whole pack, any other fault its record only (its valid base fields still hold).
 * IR_ERR_MEMORY when memory is out; then `pack` is untouched. Any thread; nothing is kept. */
ir_status_t ir_senml_decode(ir_media_t media, ir_view_t body, ir_senml_clock_t clock,
                            const ir_senml_limits_t *limits, ir_arena_t *arena,
                            ir_senml_pack_t *pack);

#endif
