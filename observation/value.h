/* A value as SenML carries it (RFC 8428, section 4.2). */
#ifndef IR_OBSERVATION_VALUE_H
#define IR_OBSERVATION_VALUE_H

#include "common/view.h"

#include <stdbool.h>

typedef enum ir_value_kind {
    IR_VALUE_NONE,   /* only a sum was sent, or a value that means "no measurement" */
    IR_VALUE_NUMBER, /* v */
    IR_VALUE_STRING, /* vs, UTF-8 */
    IR_VALUE_BOOL,   /* vb */
    IR_VALUE_DATA    /* vd, decoded bytes */
} ir_value_kind_t;

typedef struct ir_value {
    ir_value_kind_t kind;
    union {
        double number; /* finite */
        bool boolean;
        ir_view_t bytes; /* STRING and DATA */
    };
} ir_value_t;

#endif
