/* The fields of one SenML record as a decoder found them, and the resolution that JSON and CBOR
 * share (RFC 8428, sections 4.1–4.6). Private to this folder: senml.c and the two decoders use it.
 */
#ifndef IR_OBSERVATION_SENML_FIELDS_H
#define IR_OBSERVATION_SENML_FIELDS_H

#include "observation/senml/senml.h"

#include <stdbool.h>
#include <stdint.h>

/* Base fields first. */
typedef enum ir_label {
    IR_LABEL_BVER,
    IR_LABEL_BN,
    IR_LABEL_BT,
    IR_LABEL_BU,
    IR_LABEL_BV,
    IR_LABEL_BS,
    IR_LABEL_N,
    IR_LABEL_U,
    IR_LABEL_T,
    IR_LABEL_UT,
    IR_LABEL_S,
    IR_LABEL_V,
    IR_LABEL_VS,
    IR_LABEL_VB,
    IR_LABEL_VD,
    IR_LABEL_COUNT,
    IR_LABEL_UNKNOWN = IR_LABEL_COUNT /* any other label, which is ignored */
} ir_label_t;

typedef struct ir_senml_fields {
    uint32_t present; /* bit (1 << label) */
    ir_value_t values[IR_LABEL_COUNT];
    ir_refusal_t fault; /* the record's first fault, or reason NONE */
    bool wordless;      /* enough records are already refused, so its detail is not needed */
} ir_senml_fields_t;

typedef struct ir_resolver {
    ir_arena_t *arena;
    const ir_senml_limits_t *limits;
    ir_senml_clock_t clock;
    ir_senml_pack_t pack;
    ir_refusal_t whole; /* the fault because of which the whole pack is refused, or reason NONE */
    bool out_of_memory;
    /* current base values */
    ir_view_t base_name, base_unit;
    double base_time, base_value, base_sum;
    bool has_base_sum;
    double version; /* 0: not given yet */
} ir_resolver_t;

/* Finds a label by its JSON name, or IR_LABEL_UNKNOWN. */
ir_label_t ir_label_find(ir_view_t name);

/* By CBOR integer. */
ir_label_t ir_label_find_number(int64_t number);

/* The JSON name. */
const char *ir_label_text(ir_label_t label);

/* Whether an unknown label must be refused because it ends in '_'. */
bool ir_label_must_understand(ir_view_t name);

void ir_senml_fields_clear(ir_senml_fields_t *fields);

/* Records the record's first fault; ignores later ones. */
void ir_senml_fields_fault(ir_senml_fields_t *fields, ir_reason_t reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Processes one field. A repeated label or a value of the wrong type is a fault of the record; for
 * a base field, of the pack. `value.kind` NONE: a type that no label has. For VD the JSON decoder
 * passes the decoded bytes. */
void ir_resolver_set(ir_resolver_t *resolver, ir_senml_fields_t *fields, ir_label_t label,
                     const ir_value_t *value, int position);

/* Refuses the whole pack; the first refusal stays. */
void ir_resolver_refuse(ir_resolver_t *resolver, ir_reason_t reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool ir_resolver_refused(const ir_resolver_t *resolver);

/* Allocates room for `n_records`; refuses an empty pack and one with too many records. False when
 * refused or out of memory. */
bool ir_resolver_begin(ir_resolver_t *resolver, size_t n_records);

/* Resolves one record and appends it, or its refusal, to the pack. */
void ir_resolver_take(ir_resolver_t *resolver, const ir_senml_fields_t *found, int position);

/* The decoders call ir_resolver_begin once and _take for every record. */
void ir_senml_decode_json(ir_resolver_t *resolver, ir_view_t body);
void ir_senml_decode_cbor(ir_resolver_t *resolver, ir_view_t body);

#endif
