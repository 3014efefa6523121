/* Assembles the frames of one channel into messages: method, header, bodies. Frames of several
 * channels may be interleaved, so each channel has its own assembly. A body over the limit is
 * counted but not kept. One thread. */
#ifndef IR_BROKER_ASSEMBLY_H
#define IR_BROKER_ASSEMBLY_H

#include "broker/assembled.h"
#include "broker/headers.h"
#include "broker/rabbitmq_c.h"
#include "common/buffer.h"
#include "common/view.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_SHORT_TEXT 256 /* an AMQP short string has at most 255 bytes */

typedef enum ir_assembly_stage {
    IR_ASSEMBLY_IDLE,   /* expects basic.deliver */
    IR_ASSEMBLY_HEADER, /* expects the content header */
    IR_ASSEMBLY_BODY    /* expects `size - received` more bytes of body */
} ir_assembly_stage_t;

typedef struct ir_assembly {
    ir_assembly_stage_t stage;
    uint64_t tag;
    bool redelivered;
    unsigned marks;
    ir_arrival_t arrival;
    uint64_t size, received;
    size_t key_size, type_size, id_size, user_size;
    char key[IR_SHORT_TEXT], type[IR_SHORT_TEXT], id[IR_SHORT_TEXT], user[IR_SHORT_TEXT];
    ir_buffer_t body; /* used when the body has several frames */
    /* Called with each message's headers (NULL: it has none) before its body arrives. May be
     * NULL. */
    void (*on_headers)(void *context, const ir_headers_t *headers);
    void *context;
} ir_assembly_t;

typedef enum ir_assembly_result {
    IR_ASSEMBLY_MORE,     /* the frame was taken; the message is not complete yet */
    IR_ASSEMBLY_COMPLETE, /* `message` is complete */
    IR_ASSEMBLY_WRONG,    /* an unexpected frame: the connection can no longer be used */
    IR_ASSEMBLY_MEMORY    /* no memory for the body */
} ir_assembly_result_t;

void ir_assembly_init(ir_assembly_t *assembly);
void ir_assembly_free(ir_assembly_t *assembly);

/* Discards an incomplete message. */
void ir_assembly_reset(ir_assembly_t *assembly);

/* Takes basic.deliver, or a header or body frame. `limit`: the largest body to keep. */
ir_assembly_result_t ir_assembly_take(ir_assembly_t *assembly, const amqp_frame_t *frame,
                                      uint64_t limit, ir_assembled_t *message);

#endif
