/* Encodes a publication as AMQP frames: basic.publish, content header, bodies. Frames are collected
 * in a buffer that is written to the socket with one system call for hundreds of small messages.
 * The library needs three calls for each message. */
#ifndef IR_BROKER_FRAMES_H
#define IR_BROKER_FRAMES_H

#include "broker/publication.h"
#include "broker/rabbitmq_c.h"
#include "common/buffer.h"
#include "common/status.h"

#include <stdint.h>

/* The publication's properties in the library's form; the texts are views of the publication's. */
typedef struct ir_properties {
    amqp_basic_properties_t basic;
    amqp_table_entry_t headers[IR_HEADERS_MAX];
} ir_properties_t;

/* IR_ERR_RANGE when AMQP cannot carry the message: routing key, exchange, message id, user id or
 * content type over 255 bytes, more than IR_HEADERS_MAX headers, or headers that do not fit into
 * one frame. */
ir_status_t ir_frames_check(const ir_publication_t *publication, uint32_t frame_max,
                            ir_error_t *error);

void ir_frames_properties(const ir_publication_t *publication, ir_properties_t *properties);

/* Appends the frames of a checked publication. On failure (IR_ERR_MEMORY, IR_ERR_RANGE) the buffer
 * is unchanged. */
ir_status_t ir_frames_append(ir_buffer_t *out, const ir_publication_t *publication,
                             amqp_channel_t channel, uint32_t frame_max, ir_error_t *error);

void ir_frames_append_heartbeat(ir_buffer_t *out);

#endif
