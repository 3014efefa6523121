/* The messages of one request on their way to the broker and back. Made and freed by the loop; in
 * between the outlet's thread owns it. */
#ifndef IR_INGEST_SHIPMENT_H
#define IR_INGEST_SHIPMENT_H

#include "common/buffer.h"
#include "common/view.h"
#include "ingest/submission.h"

#include <stddef.h>
#include <stdint.h>

/* What became of it; of several messages the worst, which is the latest in this list. */
typedef enum ir_shipment_fate {
    IR_SHIPMENT_CONFIRMED, /* the broker has it */
    IR_SHIPMENT_HELD,      /* never sent: the broker has not answered for others of its mote */
    IR_SHIPMENT_UNSENT,    /* never sent */
    IR_SHIPMENT_REFUSED,   /* the broker did not take it */
    IR_SHIPMENT_TOO_LARGE, /* never sent: the broker takes no message of that size */
    IR_SHIPMENT_UNKNOWN /* sent, and the wait for the answer is over: perhaps the broker has it */
} ir_shipment_fate_t;

typedef struct ir_shipment_message {
    ir_view_t body, name; /* behind the messages, in the same memory; the name may be empty */
    int64_t arrival_ns;
    ir_id_t raw_id;
} ir_shipment_message_t;

typedef struct ir_shipment {
    void *context;    /* the loop's; the outlet's thread does not look at it */
    int64_t since_ns; /* when its request was whole */
    size_t bytes;     /* of memory */
    ir_media_t media;
    ir_view_t routing_key;
    ir_view_t refusals; /* members of the answer's JSON (ir_refusal_append_list); may be empty */
    /* the outlet's */
    size_t sent; /* messages handed to the broker */
    size_t open; /* messages without a fate */
    ir_shipment_fate_t fate;
    size_t n_messages;
    ir_shipment_message_t messages[];
} ir_shipment_t;

/* A copy of what was submitted by this mote. NULL when memory is out. */
ir_shipment_t *ir_shipment_new(const ir_submission_t *submission, const char *mote);
void ir_shipment_free(ir_shipment_t *shipment);

/* Gives `n` of its messages this fate. */
void ir_shipment_settle(ir_shipment_t *shipment, size_t n, ir_shipment_fate_t fate);

/* {"raw_ids":[…]}, in the order of the messages, and what the registry refuses of them. */
void ir_shipment_append_answer(const ir_shipment_t *shipment, ir_buffer_t *out);

/* The bodies' bytes together. */
size_t ir_shipment_body_bytes(const ir_shipment_t *shipment);

#endif
