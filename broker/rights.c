#include "broker/rights.h"

#include "broker/connection.h"
#include "broker/replies.h"

#include <stdio.h>

#define CHANNEL 2
#define DECLARE_CHANNEL 3

static ir_status_t open_channel(amqp_connection_state_t connection, amqp_channel_t channel,
                                ir_error_t *error) {
    return amqp_channel_open(connection, channel) != NULL
               ? IR_OK
               : ir_broker_reply(amqp_get_rpc_reply(connection), "cannot open a channel", error);
}

/* Checks that the broker closed the channel, as it should, and did not accept what it must
 * refuse. */
static ir_status_t judge(amqp_connection_state_t connection, const char *what, ir_error_t *error) {
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION ||
        reply.reply.id != AMQP_CHANNEL_CLOSE_METHOD) {
        const ir_status_t status = ir_broker_reply(reply, what, error);
        (void)amqp_channel_close(connection, CHANNEL, AMQP_REPLY_SUCCESS);
        return status;
    }
    const ir_status_t status = ir_topology_refusal(&reply.reply, what, error);
    amqp_channel_close_ok_t ok = {0};
    const int sent = amqp_send_method(connection, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    if (sent != AMQP_STATUS_OK) {
        return ir_broker_fault(sent, what, error);
    }
    amqp_maybe_release_buffers(connection);
    return status == IR_ERR_REFUSED ? IR_OK : status;
}

/* The broker refuses a priority that is not a number. But it first checks the permissions, so only
 * users that may read the queue get this answer. */
static ir_status_t try_consuming(amqp_connection_state_t connection, const char *queue,
                                 ir_error_t *error) {
    char what[64];
    snprintf(what, sizeof what, "cannot consume %s", queue);
    const ir_status_t status = open_channel(connection, CHANNEL, error);
    if (status != IR_OK) {
        return status;
    }
    amqp_table_entry_t priority = {.key = amqp_cstring_bytes("x-priority")};
    priority.value.kind = AMQP_FIELD_KIND_UTF8;
    priority.value.value.bytes = amqp_cstring_bytes("none");
    const amqp_table_t arguments = {.num_entries = 1, .entries = &priority};
    (void)amqp_basic_consume(connection, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0,
                             0, arguments);
    return judge(connection, what, error);
}

/* The broker refuses an expiration that is not a number. But it first checks the permissions, so
 * only users that may write to the exchange get this answer. */
static ir_status_t try_publishing(amqp_connection_state_t connection, const char *exchange,
                                  ir_error_t *error) {
    char what[64];
    snprintf(what, sizeof what, "cannot publish to %s", exchange);
    const ir_status_t status = open_channel(connection, CHANNEL, error);
    if (status != IR_OK) {
        return status;
    }
    const amqp_basic_properties_t properties = {._flags = AMQP_BASIC_EXPIRATION_FLAG,
                                                .expiration = amqp_cstring_bytes("none")};
    const int sent = amqp_basic_publish(connection, CHANNEL, amqp_cstring_bytes(exchange),
                                        amqp_empty_bytes, 0, 0, &properties, amqp_empty_bytes);
    if (sent != AMQP_STATUS_OK) {
        return ir_broker_fault(sent, what, error);
    }
    (void)amqp_basic_qos(connection, CHANNEL, 0, 1, 0); /* waits for the answer */
    return judge(connection, what, error);
}

static ir_status_t try_hearing(amqp_connection_state_t connection, ir_error_t *error) {
    char queue[256];
    ir_status_t status = open_channel(connection, CHANNEL, error);
    if (status == IR_OK) {
        status = ir_topology_declare_member(connection, CHANNEL, queue, error);
    }
    if (status == IR_OK &&
        amqp_basic_consume(connection, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 1,
                           1, amqp_empty_table) == NULL) {
        return judge(connection, "cannot hear other workers", error);
    }
    if (status == IR_OK) {
        (void)amqp_channel_close(connection, CHANNEL, AMQP_REPLY_SUCCESS);
    }
    return status;
}

static bool is_missing(ir_status_t *status) {
    const bool missing = *status == IR_ERR_NOT_FOUND;
    *status = missing ? IR_OK : *status;
    return missing;
}

static ir_status_t try_rest(amqp_connection_state_t connection, const ir_topology_t *topology,
                            bool *complete, ir_error_t *error) {
    static const char *const exchanges[] = {IR_EXCHANGE_PROCESSED, IR_EXCHANGE_REJECTED};
    ir_status_t status = IR_OK;
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0] && status == IR_OK; i++) {
        status = try_publishing(connection, exchanges[i], error);
        *complete &= !is_missing(&status);
    }
    for (unsigned i = 0; i < topology->partitions && status == IR_OK; i++) {
        char queue[32];
        ir_topology_queue(i, queue);
        status = try_consuming(connection, queue, error);
        *complete &= !is_missing(&status);
    }
    return status;
}

ir_status_t ir_rights_check(amqp_connection_state_t connection, const ir_topology_t *topology,
                            bool *complete, ir_error_t *error) {
    ir_status_t status = try_publishing(connection, IR_EXCHANGE_WORKERS, error);
    *complete = !is_missing(&status);
    if (status == IR_OK && *complete) {
        status = try_hearing(connection, error);
    }
    if (status == IR_OK) {
        status = try_rest(connection, topology, complete, error);
    }
    /* Declares existing objects once more, as the worker will do. This changes nothing. */
    if (status == IR_OK && *complete) {
        status = ir_topology_declare(connection, DECLARE_CHANNEL, topology, error);
    }
    return status;
}
