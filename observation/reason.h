/* Why a message, record or document was refused. Dead letters, metrics, raw documents and
 * ir-annotate show the text. It is part of the interface: see docs/reference/formats.md. */
#ifndef IR_OBSERVATION_REASON_H
#define IR_OBSERVATION_REASON_H

#include "common/view.h"

#include <stdbool.h>

typedef enum ir_reason {
    IR_REASON_NONE = 0,
    /* the whole message */
    IR_REASON_NO_ROUTING_KEY, /* "no-routing-key": empty, or not ir.MOTE */
    IR_REASON_CONTENT_TYPE,   /* "content-type": neither SenML JSON nor SenML CBOR */
    IR_REASON_TOO_LARGE,      /* "too-large": the body or its expansion exceeds pack-bytes */
    IR_REASON_NOT_GZIP,       /* "not-gzip": begins like gzip, but is truncated or damaged */
    IR_REASON_NOT_JSON,       /* "not-json" */
    IR_REASON_NOT_CBOR,       /* "not-cbor" */
    IR_REASON_TOO_DEEP,       /* "too-deep": nesting over the bound */
    IR_REASON_NOT_SENML,  /* "not-senml": not an array of records, or a base field of wrong type */
    IR_REASON_EMPTY_PACK, /* "empty-pack" */
    IR_REASON_TOO_MANY_RECORDS, /* "too-many-records" */
    IR_REASON_VERSION,          /* "version": bver above 10, or changed within the pack */
    IR_REASON_UNKNOWN_LABEL,    /* "unknown-label": one that ends in '_' */
    IR_REASON_UNKNOWN_MOTE,     /* "unknown-mote" */
    /* one record */
    IR_REASON_BAD_FIELD,      /* "bad-field": n, u, t, v, … of the wrong type, or given twice */
    IR_REASON_BAD_NAME,       /* "bad-name": empty, illegal character, or too long */
    IR_REASON_NO_VALUE,       /* "no-value": none of v, vs, vb, vd, s */
    IR_REASON_MANY_VALUES,    /* "many-values" */
    IR_REASON_NOT_FINITE,     /* "not-finite": NaN or infinity */
    IR_REASON_OUT_OF_RANGE,   /* "out-of-range": a number or time that does not fit */
    IR_REASON_FUTURE,         /* "future": later than now + future-limit */
    IR_REASON_UNKNOWN_SENSOR, /* "unknown-sensor" */
    IR_REASON_FOREIGN_SENSOR, /* "foreign-sensor": a sensor of another mote */
    IR_REASON_UNIT,           /* "unit": unknown, or not convertible to the sensor's */
    IR_REASON_VALUE_TYPE,     /* "value-type": text for a sensor of numbers, only a sum, … */
    IR_REASON_DUPLICATE,      /* "duplicate": the same measurement twice in one pack */
    /* the store's own reason */
    IR_REASON_DOCUMENT_REFUSED, /* "document-refused" */
    IR_REASON_GRAPH_REFUSED,    /* "graph-refused" */
    /* the broker's own reason */
    IR_REASON_UNPUBLISHABLE, /* "unpublishable" */
    IR_REASON_COUNT
} ir_reason_t;

/* "unknown-mote"; "none" for IR_REASON_NONE. Never NULL. */
const char *ir_reason_text(ir_reason_t reason);

/* A refusal with its place. */
typedef struct ir_refusal {
    ir_reason_t reason;
    int record;       /* 0-based position in the pack; -1: the whole pack */
    char detail[160]; /* one line for people (common/legible.h) */
    unsigned
        count; /* 1, or the number of records refused together because they are too many to list */
    const char *records; /* the refused records as a bit set in hexadecimal, four records to a
                          * digit: record 0 is the lowest bit of the first digit. `record` is the
                          * first of them. NULL: only `record` */
} ir_refusal_t;

#define IR_REFUSALS_LISTED 16 /* listed refusals per message; the others are merged into one */

/* Whether such a list contains `record`. */
bool ir_refusal_has(ir_view_t records, int record);

void ir_refusal_set(ir_refusal_t *refusal, ir_reason_t reason, int record, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
