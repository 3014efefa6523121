/* Puts the frames of one channel together to messages: method, header, bodies. Frames of several
 * channels may come interleaved, so each channel has its own. A body over the limit is counted, not
 * kept. One thread. */
#ifndef IR_BROKER_ASSEMBLY_H
#define IR_BROKER_ASSEMBLY_H

#include "broker/arrival.h"
#include "broker/rabbitmq_c.h"
#include "common/buffer.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_SHORT_TEXT 256 /* an AMQP short string has at most 255 bytes */

typedef enum ir_assembly_stage {
    IR_ASSEMBLY_IDLE,   /* basic.deliver comes next */
    IR_ASSEMBLY_HEADER, /* the content header comes next */
    IR_ASSEMBLY_BODY    /* `size - received` bytes of body are still to come */
} ir_assembly_stage_t;

/* Headers of republished messages: flags, of which the set ones are kept. */
enum ir_mark {
    IR_MARK_REDELIVERED = 1, /* header "redelivered": perhaps published before */
    IR_MARK_DUPLICATE = 2,   /* header "duplicate": the document store had the message already */
    IR_MARK_REVISION = 4     /* header "revision": later flags of an earlier observation */
};

typedef struct ir_assembly {
    ir_assembly_stage_t stage;
    uint64_t tag;
    bool redelivered;
    unsigned marks;
    ir_arrival_t arrival;
    uint64_t size, received;
    size_t key_size, type_size, id_size, user_size;
    char key[IR_SHORT_TEXT], type[IR_SHORT_TEXT], id[IR_SHORT_TEXT], user[IR_SHORT_TEXT];
    ir_buffer_t body; /* used when the body comes in several frames */
} ir_assembly_t;

/* Views live until the next frame is given. */
typedef struct ir_assembled {
    uint64_t tag;
    bool redelivered;
    bool oversize;  /* `body` is empty */
    unsigned marks; /* of enum ir_mark */
    ir_arrival_t arrival;
    uint64_t size;
    ir_view_t routing_key, content_type, message_id, user_id, body;
} ir_assembled_t;

typedef enum ir_assembly_result {
    IR_ASSEMBLY_MORE,     /* taken; the message goes on */
    IR_ASSEMBLY_COMPLETE, /* `message` is filled */
    IR_ASSEMBLY_WRONG,    /* a frame that cannot stand here: the connection is of no use any more */
    IR_ASSEMBLY_MEMORY    /* no memory for the body */
} ir_assembly_result_t;

void ir_assembly_init(ir_assembly_t *assembly);
void ir_assembly_free(ir_assembly_t *assembly);

/* Forgets a message that was begun. */
void ir_assembly_reset(ir_assembly_t *assembly);

/* Takes basic.deliver, or a header or body frame. `limit`: the largest body kept. */
ir_assembly_result_t ir_assembly_take(ir_assembly_t *assembly, const amqp_frame_t *frame,
                                      uint64_t limit, ir_assembled_t *message);

#endif
