/* Converts answers of librabbitmq and the server to our statuses and texts. Only for broker/,
 * because it includes the library's headers. */
#ifndef IR_BROKER_REPLIES_H
#define IR_BROKER_REPLIES_H

#include "broker/rabbitmq_c.h"
#include "common/status.h"
#include "common/view.h"

#include <stdbool.h>

/* Reads the next frame that has already arrived. AMQP_STATUS_OK, AMQP_STATUS_TIMEOUT when there is
 * none, or the library's error. Never waits. */
int ir_broker_read(amqp_connection_state_t connection, amqp_frame_t *frame);

/* Processes a frame of channel 0. connection.close is answered and returned as IR_ERR_CONNECT (or
 * IR_ERR_AUTH …) with the server's text; blocked and unblocked set `*blocked`. */
ir_status_t ir_broker_control(amqp_connection_state_t connection, const amqp_frame_t *frame,
                              bool *blocked, ir_error_t *error);

/* Converts the server's last answer, or the library's error, to a text that begins with `what`.
 * Returns IR_OK when the reply was normal. */
ir_status_t ir_broker_reply(amqp_rpc_reply_t reply, const char *what, ir_error_t *error);

/* Converts the methods connection.close and channel.close in the same way (IR_OK for any other). */
ir_status_t ir_broker_refusal(const amqp_method_t *method, const char *what, ir_error_t *error);

/* Converts a status that a library call returned in the same way; `library_status` is negative. */
ir_status_t ir_broker_fault(int library_status, const char *what, ir_error_t *error);

static inline amqp_bytes_t ir_broker_bytes(ir_view_t view) {
    return (amqp_bytes_t){.len = view.size, .bytes = (void *)view.data};
}

static inline ir_view_t ir_broker_view(amqp_bytes_t bytes) {
    return (ir_view_t){bytes.bytes, bytes.len};
}

#endif
