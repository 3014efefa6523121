#include "broker/stamp.h"

#include "broker/arrival.h"
#include "broker/connection.h"
#include "broker/replies.h"
#include "broker/topology.h"
#include "common/clock.h"
#include "common/messages.h"

#include <stdio.h>
#include <time.h>

#define FORGED_MS INT64_C(1000000000000) /* 2001-09-09 */
#define QUEUE_SIZE 256
#define KEY_SIZE (QUEUE_SIZE + sizeof IR_STAMP_KEY_PREFIX)
#define PAUSE_NS (10 * IR_MILLISECOND_NS)

static ir_status_t refused(amqp_connection_state_t connection, const char *what,
                           ir_error_t *error) {
    ir_error_t cause = {.status = IR_OK};
    const ir_status_t status = ir_broker_reply(amqp_get_rpc_reply(connection), what, &cause);
    return status == IR_ERR_AUTH ? ir_error_set(error, status, IR_TEXT_STAMP_UNKNOWN, cause.text)
                                 : ir_error_set(error, status, "%s", cause.text);
}

/* Declares an exclusive queue, which is deleted with the connection. */
static ir_status_t declare(amqp_connection_state_t connection, amqp_channel_t channel,
                           char queue[static QUEUE_SIZE], char key[static KEY_SIZE],
                           ir_error_t *error) {
    if (amqp_channel_open(connection, channel) == NULL) {
        return refused(connection, "cannot open a channel", error);
    }
    const amqp_queue_declare_ok_t *declared =
        amqp_queue_declare(connection, channel, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
    if (declared == NULL) {
        return refused(connection, "cannot declare a queue for the check", error);
    }
    snprintf(queue, QUEUE_SIZE, "%.*s", IR_VIEW_ARG(ir_broker_view(declared->queue)));
    snprintf(key, KEY_SIZE, IR_STAMP_KEY_PREFIX "%.200s", queue);
    return amqp_queue_bind(connection, channel, amqp_cstring_bytes(queue),
                           amqp_cstring_bytes(IR_EXCHANGE_MQTT), amqp_cstring_bytes(key),
                           amqp_empty_table) != NULL
               ? IR_OK
               : refused(connection, "cannot bind a queue to amq.topic", error);
}

static ir_status_t publish(amqp_connection_state_t connection, amqp_channel_t channel,
                           const char *key, ir_error_t *error) {
    amqp_table_entry_t forged = {.key = amqp_cstring_bytes(IR_HEADER_STAMP)};
    forged.value.kind = AMQP_FIELD_KIND_I64;
    forged.value.value.i64 = FORGED_MS;
    const amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG,
                                                .headers = {.num_entries = 1, .entries = &forged}};
    const int sent =
        amqp_basic_publish(connection, channel, amqp_cstring_bytes(IR_EXCHANGE_MQTT),
                           amqp_cstring_bytes(key), 0, 0, &properties, amqp_cstring_bytes("check"));
    return sent == AMQP_STATUS_OK ? IR_OK : ir_broker_fault(sent, "cannot publish", error);
}

static ir_status_t judge(const amqp_basic_properties_t *properties, int64_t *stamp_ns,
                         ir_error_t *error) {
    *stamp_ns = ir_arrival_read(properties).broker_ns;
    if (*stamp_ns == 0 || *stamp_ns == FORGED_MS * IR_MILLISECOND_NS) {
        return ir_error_set(error, IR_ERR_REFUSED, IR_TEXT_NOT_STAMPED,
                            *stamp_ns != 0 ? ", and lets a sender's own stamp through" : "");
    }
    return IR_OK;
}

/* How far a stamp lies after the time in which it must have been made; negative: before it. */
static int64_t outside(int64_t stamp_ns, int64_t since_ns, int64_t until_ns) {
    if (stamp_ns > until_ns) {
        return stamp_ns - until_ns;
    }
    return stamp_ns < since_ns ? stamp_ns - since_ns : 0;
}

/* Gets the message from the queue; `found` stays false while it has not arrived. */
static ir_status_t fetch(amqp_connection_state_t connection, amqp_channel_t channel,
                         const char *queue, bool *found, int64_t *stamp_ns, ir_error_t *error) {
    const amqp_rpc_reply_t reply =
        amqp_basic_get(connection, channel, amqp_cstring_bytes(queue), 1);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        return refused(connection, "cannot publish to amq.topic", error);
    }
    if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) {
        return IR_OK;
    }
    amqp_message_t message;
    const ir_status_t status = ir_broker_reply(amqp_read_message(connection, channel, &message, 0),
                                               "cannot read a message", error);
    if (status != IR_OK) {
        return status;
    }
    *found = true;
    const ir_status_t verdict = judge(&message.properties, stamp_ns, error);
    amqp_destroy_message(&message);
    return verdict;
}

ir_status_t ir_stamp_check(amqp_connection_state_t connection, amqp_channel_t channel,
                           int64_t timeout_ns, int64_t *ahead_ns, ir_error_t *error) {
    static const struct timespec pause = {.tv_nsec = PAUSE_NS};
    char queue[QUEUE_SIZE];
    char key[KEY_SIZE];
    bool found = false;
    int64_t stamp_ns = 0;
    const int64_t since_ns = ir_clock_now();
    ir_status_t status = declare(connection, channel, queue, key, error);
    if (status == IR_OK) {
        status = publish(connection, channel, key, error);
    }
    const int64_t end_ns = ir_clock_monotonic() + timeout_ns;
    while (status == IR_OK && !found) {
        status = fetch(connection, channel, queue, &found, &stamp_ns, error);
        if (status == IR_OK && !found && ir_clock_monotonic() > end_ns) {
            status = ir_error_set(error, IR_ERR_TIMEOUT,
                                  "a message to amq.topic did not come back in time");
        }
        if (!found) {
            nanosleep(&pause, NULL);
        }
    }
    if (status == IR_OK) {
        *ahead_ns = outside(stamp_ns, since_ns, ir_clock_now());
    }
    return status;
}
