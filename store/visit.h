/* What walks of the two stores share. */
#ifndef IR_STORE_VISIT_H
#define IR_STORE_VISIT_H

/* The kinds of stored things that a walk can visit; the graph has no raw messages. */
typedef enum ir_document_kind {
    IR_DOCUMENT_RAW,
    IR_DOCUMENT_OBSERVATION,
    IR_DOCUMENT_REVISION
} ir_document_kind_t;

#endif
