/* The messages of one request on their way to the broker and back. The loop makes and frees it; in
 * between the outlet's thread owns it. */
#ifndef IR_INGEST_SHIPMENT_H
#define IR_INGEST_SHIPMENT_H

#include "common/buffer.h"
#include "common/view.h"
#include "ingest/submission.h"

#include <stddef.h>
#include <stdint.h>

/* The result; of several messages the worst one, which comes last in this list. */
typedef enum ir_shipment_fate {
    IR_SHIPMENT_CONFIRMED, /* the broker has it */
    IR_SHIPMENT_HELD,      /* never sent, because the broker has not answered for earlier messages
                            * of its mote */
    IR_SHIPMENT_UNSENT,    /* never sent */
    IR_SHIPMENT_REFUSED,   /* the broker did not accept it */
    IR_SHIPMENT_TOO_LARGE, /* never sent: larger than the broker accepts */
    IR_SHIPMENT_UNKNOWN    /* sent, but not answered in time; the broker may have it */
} ir_shipment_fate_t;

typedef struct ir_shipment_message {
    ir_view_t body, name; /* stored behind the messages in the same memory; the name may be empty */
    int64_t arrival_ns;
    ir_id_t raw_id;
} ir_shipment_message_t;

typedef struct ir_shipment {
    void *context;    /* belongs to the loop; the outlet's thread does not use it */
    int64_t since_ns; /* when the request was complete */
    size_t bytes;     /* of memory */
    ir_media_t media;
    ir_view_t routing_key;
    ir_view_t refusals; /* members for the answer's JSON (ir_refusal_append_list); may be empty */
    /* the outlet's */
    size_t sent; /* number of messages passed to the broker */
    size_t open; /* messages without a result */
    ir_shipment_fate_t fate;
    size_t n_messages;
    ir_shipment_message_t messages[];
} ir_shipment_t;

/* Copies a submission of this mote. Returns NULL when memory is exhausted. */
ir_shipment_t *ir_shipment_new(const ir_submission_t *submission, const char *mote);
void ir_shipment_free(ir_shipment_t *shipment);

/* Sets this result for `n` of its messages. */
void ir_shipment_settle(ir_shipment_t *shipment, size_t n, ir_shipment_fate_t fate);

/* Appends {"raw_ids":[…]}, in the order of the messages, with the refusals that follow from the
 * registry. */
void ir_shipment_append_answer(const ir_shipment_t *shipment, ir_buffer_t *out);

/* The total size of the bodies. */
size_t ir_shipment_body_bytes(const ir_shipment_t *shipment);

#endif
