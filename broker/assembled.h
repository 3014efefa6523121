/* A received message. */
#ifndef IR_BROKER_ASSEMBLED_H
#define IR_BROKER_ASSEMBLED_H

#include "broker/arrival.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

/* Flags for the headers of republished messages. Only the set ones are sent. */
enum ir_mark {
    IR_MARK_REDELIVERED = 1, /* header "redelivered": may have been published before */
    IR_MARK_DUPLICATE = 2,   /* header "duplicate": the document store already had the message */
    IR_MARK_REVISION = 4     /* header "revision": later flags of an earlier observation */
};

/* The views are valid until the next frame or message is taken. */
typedef struct ir_assembled {
    uint64_t tag;
    bool redelivered;
    bool oversize;  /* `body` is empty */
    unsigned marks; /* of enum ir_mark */
    ir_arrival_t arrival;
    uint64_t size;
    ir_view_t routing_key, content_type, message_id, user_id, body;
} ir_assembled_t;

#endif
