/* Decodes SenML packs (RFC 8428), JSON and CBOR, into resolved records.
 *
 * All rules of the RFC apply: base fields apply from their record on until they are replaced; name
 * = bn‖n, time = bt + t, value = bv + v, sum = bs + s, u over bu; a time below 2^28 is relative;
 * names are [A-Za-z0-9][A-Za-z0-9-:./_]*; JSON exponents in lower case; CBOR integers,
 * half/single/double floats, and decimal fractions (tag 4). A record with only base fields is not a
 * measurement. bver is a set of features (RFC 9100), of which secondary units (RFC 8798) are
 * supported. Times are rounded to microseconds, the precision of a double for present times, so
 * that times survive writing and reading.
 *
 * Beyond the RFC, JSON may have a byte order mark before it, NULs after it (of a C string or its
 * buffer), and the numbers nan and inf, which refuse their record. */
#ifndef IR_OBSERVATION_SENML_SENML_H
#define IR_OBSERVATION_SENML_SENML_H

#include "common/arena.h"
#include "common/status.h"
#include "common/view.h"
#include "observation/reason.h"
#include "observation/senml/media.h"
#include "observation/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ir_senml_limits {
    size_t bytes;      /* limit for the size of the body */
    unsigned depth;    /* limit for the nesting; the pack itself counts as 1 */
    unsigned records;  /* limit for the records of one pack */
    int64_t future_ns; /* how far after the arrival a time may be */
} ir_senml_limits_t;

/* 1 MiB, depth 16, 10,000 records, one day. */
extern const ir_senml_limits_t ir_senml_limits_default;

/* The highest accepted bver, and the bver of a pack with secondary units: 10 + 2^4. */
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
    bool relative; /* time_ns is relative to the arrival or to the time of sending */
    int position;  /* position in the pack, from 0 */
} ir_senml_record_t;

typedef struct ir_senml_pack {
    ir_senml_record_t *records;
    size_t n_records;
    ir_refusal_t *refusals; /* in the order of the records; or only one, with record -1, and
                             * n_records is 0. Only the first IR_REFUSALS_LISTED + 1 have a
                             * detail */
    size_t n_refusals;
    /* The input for the raw id (identity.h): all records that are valid SenML, including those
     * refused because they are too far in the future. */
    size_t n_valid;
    bool relative;    /* whether a record has a relative time */
    int64_t first_ns; /* the time of the first record */
} ir_senml_pack_t;

/* When a message arrived, and when it was sent according to the sender (0: unknown). Relative times
 * count from the latter if known; the former decides what is too far in the future. */
typedef struct ir_senml_clock {
    int64_t arrival_ns;
    int64_t sent_ns;
} ir_senml_clock_t;

/* Decodes one body. Everything in `pack` lives in `arena`. Faults in the input are not errors of
 * this call; they are in `pack->refusals`. A bad base field, bver or a label ending in '_' refuses
 * the whole pack; any other fault refuses only its record, whose valid base fields still apply.
 * IR_ERR_MEMORY leaves `pack` unchanged. Any thread; keeps nothing. */
ir_status_t ir_senml_decode(ir_media_t media, ir_view_t body, ir_senml_clock_t clock,
                            const ir_senml_limits_t *limits, ir_arena_t *arena,
                            ir_senml_pack_t *pack);

#endif
