#include "broker/rehearsal.h"

#include "broker/frames.h"
#include "broker/replies.h"

#define CHANNEL 1

static bool is_refusal(amqp_rpc_reply_t reply) {
    return reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION;
}

static ir_status_t publish(amqp_connection_state_t connection, const ir_publication_t *publication,
                           ir_error_t *error) {
    ir_properties_t properties;
    ir_frames_properties(publication, &properties);
    const int sent =
        amqp_basic_publish(connection, CHANNEL, amqp_cstring_bytes(publication->exchange),
                           ir_broker_bytes(publication->routing_key), publication->mandatory, 0,
                           &properties.basic, ir_broker_bytes(publication->body));
    return sent == AMQP_STATUS_OK ? IR_OK
                                  : ir_broker_fault(sent, "cannot rehearse a message", error);
}

static ir_outcome_t rehearse(amqp_connection_state_t connection,
                             const ir_publication_t *publications, size_t count,
                             ir_error_t *error) {
    amqp_channel_open(connection, CHANNEL);
    ir_status_t status =
        ir_broker_reply(amqp_get_rpc_reply(connection), "cannot open a channel", error);
    if (status == IR_OK) {
        amqp_tx_select(connection, CHANNEL);
        status = ir_broker_reply(amqp_get_rpc_reply(connection), "cannot rehearse", error);
    }
    for (size_t i = 0; i < count && status == IR_OK; i++) {
        status = publish(connection, &publications[i], error);
    }
    if (status != IR_OK) {
        return IR_OUTCOME_RETRY;
    }
    amqp_tx_rollback(connection, CHANNEL);
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    if (ir_broker_reply(reply, "publishing would be refused", error) == IR_OK) {
        return IR_OUTCOME_OK;
    }
    return is_refusal(reply) ? IR_OUTCOME_REFUSED : IR_OUTCOME_RETRY;
}

ir_outcome_t ir_rehearsal_run(const ir_broker_options_t *options,
                              const ir_publication_t *publications, size_t count,
                              ir_error_t *error) {
    amqp_connection_state_t connection = NULL;
    if (ir_broker_connect(options, 0, &connection, error) != IR_OK) {
        return IR_OUTCOME_RETRY;
    }
    const ir_outcome_t outcome = rehearse(connection, publications, count, error);
    ir_broker_disconnect(connection);
    return outcome;
}
