/* From a message to observations: decodes its body (body.h), resolves mote, sensor and unit
 * (resolve.h), computes the ids (identity.h), and appends it to a batch. */
#ifndef IR_OBSERVATION_ANALYSIS_H
#define IR_OBSERVATION_ANALYSIS_H

#include "observation/batch.h"

/* How a message is analysed. */
typedef struct ir_analysis {
    ir_senml_limits_t limits;
    bool accept_unregistered; /* unknown motes and sensors get generic terms below base_iri */
    const char *base_iri;     /* ends in '/' or '#' */
    bool infer_mote; /* without a routing key, the mote is that of the pack's first sensor */
} ir_analysis_t;

/* A message from the broker or a file. Without a content type, the body's first byte decides. Views
 * need to live only during the call. */
typedef struct ir_batch_input {
    ir_view_t routing_key; /* "ir.MOTE" */
    ir_view_t content_type;
    ir_view_t body;
    ir_view_t name;     /* the sender's name for it; empty: none */
    int64_t arrival_ns; /* stamped time of arrival; 0: no stamp */
    int64_t sent_ns;    /* time of sending according to the sender: the base of relative times; 0:
                           unknown */
    int64_t now_ns;     /* the arrival, if there is no stamp */
    bool redelivered;
    uint32_t partition, session;
    uint64_t delivery_tag;
} ir_batch_input_t;

/* Decodes and resolves one message into the batch: identity, registry, units; not quality control.
 * Copies what it keeps. Faults in the input become refusals. IR_ERR_MEMORY leaves the batch
 * unchanged. */
ir_status_t ir_batch_add(ir_batch_t *batch, const ir_analysis_t *analysis,
                         const ir_batch_input_t *input);

#endif
