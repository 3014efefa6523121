#include "broker/partition.h"

#include "broker/connection.h"
#include "broker/replies.h"
#include "common/clock.h"
#include "common/messages.h"

#include <stdio.h>

#define FIRST_WAIT_NS (200 * IR_MILLISECOND_NS)
#define LONGEST_WAIT_NS (10 * IR_SECOND_NS)

void ir_partition_init(ir_partition_t *partition, unsigned number, amqp_channel_t channel) {
    *partition = (ir_partition_t){.number = number, .channel = channel};
    ir_assembly_init(&partition->assembly);
    ir_backoff_init(&partition->backoff, FIRST_WAIT_NS, LONGEST_WAIT_NS);
}

void ir_partition_free(ir_partition_t *partition) {
    ir_assembly_free(&partition->assembly);
}

static void set_free(ir_partition_t *partition) {
    partition->state = IR_PARTITION_FREE;
    partition->open = false;
    partition->outstanding = 0;
    ir_assembly_reset(&partition->assembly);
}

void ir_partition_reset(ir_partition_t *partition) {
    partition->suspect = partition->suspect || partition->state == IR_PARTITION_OPENING;
    set_free(partition);
    partition->due_ns = 0;
    partition->failures = 0;
    ir_backoff_reset(&partition->backoff);
}

static void wait_and_retry(ir_partition_t *partition, int64_t now_ns) {
    partition->failures++;
    partition->due_ns = now_ns + ir_backoff_next(&partition->backoff);
}

/* ---- taking ---- */

static int send_open(amqp_connection_state_t connection, amqp_channel_t channel) {
    amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};
    return amqp_send_method(connection, channel, AMQP_CHANNEL_OPEN_METHOD, &open);
}

static int send_consume(amqp_connection_state_t connection, amqp_channel_t channel, unsigned number,
                        uint16_t prefetch) {
    amqp_basic_qos_t qos = {.prefetch_count = prefetch};
    const int sent = amqp_send_method(connection, channel, AMQP_BASIC_QOS_METHOD, &qos);
    if (sent != AMQP_STATUS_OK) {
        return sent;
    }
    char queue[32];
    ir_topology_queue(number, queue);
    amqp_basic_consume_t consume = {.queue = amqp_cstring_bytes(queue)};
    return amqp_send_method(connection, channel, AMQP_BASIC_CONSUME_METHOD, &consume);
}

int ir_partition_take(ir_partition_t *partition, amqp_connection_state_t connection,
                      const ir_topology_t *topology, uint16_t prefetch, int64_t now_ns) {
    const amqp_channel_t channel = partition->channel;
    IR_INVARIANT(partition->state == IR_PARTITION_FREE && partition->outstanding == 0);
    partition->state = IR_PARTITION_OPENING;
    partition->asked_ns = now_ns;
    partition->session += partition->session == UINT32_MAX ? 2 : 1;
    int sent = send_open(connection, channel);
    if (sent == AMQP_STATUS_OK && partition->missing) {
        sent = ir_topology_send_queue(connection, channel, topology, partition->number);
    }
    return sent == AMQP_STATUS_OK ? send_consume(connection, channel, partition->number, prefetch)
                                  : sent;
}

/* ---- giving back ---- */

static int send_close(ir_partition_t *partition, amqp_connection_state_t connection,
                      int64_t now_ns) {
    amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS,
                                  .reply_text = amqp_cstring_bytes("handed over")};
    partition->state = IR_PARTITION_CLOSING;
    partition->asked_ns = now_ns;
    return amqp_send_method(connection, partition->channel, AMQP_CHANNEL_CLOSE_METHOD, &close);
}

int ir_partition_give(ir_partition_t *partition, amqp_connection_state_t connection,
                      int64_t now_ns) {
    if (partition->state == IR_PARTITION_OPENING || partition->state == IR_PARTITION_HELD) {
        partition->state = IR_PARTITION_DRAINING;
    }
    if (partition->state != IR_PARTITION_DRAINING || partition->outstanding > 0) {
        return AMQP_STATUS_OK;
    }
    return send_close(partition, connection, now_ns);
}

int ir_partition_give_up(ir_partition_t *partition, amqp_connection_state_t connection,
                         int64_t now_ns) {
    IR_INVARIANT(partition->state == IR_PARTITION_OPENING ||
                 partition->state == IR_PARTITION_CLOSING);
    if (partition->state == IR_PARTITION_CLOSING) {
        partition->asked_ns = now_ns;
        partition->failures++;
        return AMQP_STATUS_OK;
    }
    wait_and_retry(partition, now_ns);
    partition->suspect = true;
    return send_close(partition, connection, now_ns);
}

void ir_partition_judge(ir_partition_t *partition, bool answered, int64_t now_ns) {
    partition->suspect = !answered;
    if (answered) {
        partition->due_ns = now_ns;
    } else {
        wait_and_retry(partition, now_ns);
    }
}

int ir_partition_acknowledge(ir_partition_t *partition, amqp_connection_state_t connection,
                             uint64_t tag, uint32_t count, int64_t now_ns) {
    const uint64_t settled = count > 0 ? count : 1;
    IR_INVARIANT(settled <= partition->outstanding);
    partition->outstanding -= settled;
    const int sent = amqp_basic_ack(connection, partition->channel, tag, count > 0);
    if (sent != AMQP_STATUS_OK || partition->state != IR_PARTITION_DRAINING) {
        return sent;
    }
    return ir_partition_give(partition, connection, now_ns);
}

int ir_partition_reject(ir_partition_t *partition, amqp_connection_state_t connection,
                        uint64_t tag) {
    return amqp_basic_reject(connection, partition->channel, tag, 0);
}

/* ---- frames ---- */

/* RabbitMQ repeats the channel.close for a consumer_timeout until it has read our answer, and
 * treats a second answer as an error of the whole connection. Repeats arrive before the open-ok
 * that answers the next channel.open. So a channel.close that arrives while the channel is not open
 * is a repeat. */
static ir_partition_event_t channel_closed(ir_partition_t *partition,
                                           amqp_connection_state_t connection,
                                           const amqp_method_t *method, int64_t now_ns,
                                           ir_error_t *error) {
    char what[64];
    snprintf(what, sizeof what, IR_TEXT_PARTITION_LOST, partition->number);
    const ir_status_t status = ir_topology_refusal(method, what, error);
    if (!partition->open) {
        return IR_PARTITION_NOTHING;
    }
    partition->open = false;
    amqp_channel_close_ok_t ok = {0};
    const int sent =
        amqp_send_method(connection, partition->channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    if (sent != AMQP_STATUS_OK) {
        ir_broker_fault(sent, "sending failed", error);
        return IR_PARTITION_BROKEN;
    }
    /* Both sides closed at the same time; the answer to our channel.close is still to come. */
    if (partition->state == IR_PARTITION_CLOSING) {
        return IR_PARTITION_NOTHING;
    }
    set_free(partition);
    partition->missing = status == IR_ERR_NOT_FOUND;
    wait_and_retry(partition, now_ns);
    return IR_PARTITION_LOST;
}

static ir_partition_event_t cancelled(ir_partition_t *partition, amqp_connection_state_t connection,
                                      int64_t now_ns, ir_error_t *error) {
    ir_error_set(error, IR_ERR_NOT_FOUND, IR_TEXT_PARTITION_CANCELLED, partition->number);
    if (!partition->open) {
        return IR_PARTITION_NOTHING;
    }
    partition->missing = true;
    wait_and_retry(partition, now_ns);
    const int sent = ir_partition_give(partition, connection, now_ns);
    if (sent != AMQP_STATUS_OK) {
        ir_broker_fault(sent, "sending failed", error);
        return IR_PARTITION_BROKEN;
    }
    return IR_PARTITION_LOST;
}

static ir_partition_event_t opened(ir_partition_t *partition) {
    if (partition->state == IR_PARTITION_OPENING) {
        partition->state = IR_PARTITION_HELD;
        partition->missing = false;
        partition->failures = 0;
        ir_backoff_reset(&partition->backoff);
        return IR_PARTITION_OPENED;
    }
    return IR_PARTITION_NOTHING;
}

static ir_partition_event_t assemble(ir_partition_t *partition, const amqp_frame_t *frame,
                                     uint64_t limit, ir_assembled_t *message, ir_error_t *error) {
    switch (ir_assembly_take(&partition->assembly, frame, limit, message)) {
    case IR_ASSEMBLY_MORE:
        return IR_PARTITION_NOTHING;
    case IR_ASSEMBLY_COMPLETE:
        if (partition->state != IR_PARTITION_HELD && partition->state != IR_PARTITION_OPENING) {
            return IR_PARTITION_NOTHING;
        }
        return message->oversize ? IR_PARTITION_OVERSIZE : IR_PARTITION_DELIVERY;
    case IR_ASSEMBLY_MEMORY:
        ir_error_set(error, IR_ERR_MEMORY, "out of memory for a message of partition %u",
                     partition->number);
        return IR_PARTITION_BROKEN;
    default:
        ir_error_set(error, IR_ERR_PROTOCOL,
                     "RabbitMQ sent frames of partition %u in a wrong order", partition->number);
        return IR_PARTITION_BROKEN;
    }
}

static ir_partition_event_t take_method(ir_partition_t *partition,
                                        amqp_connection_state_t connection,
                                        const amqp_method_t *method, int64_t now_ns,
                                        ir_error_t *error) {
    switch (method->id) {
    case AMQP_CHANNEL_OPEN_OK_METHOD:
        partition->open = true;
        return IR_PARTITION_NOTHING;
    case AMQP_BASIC_CONSUME_OK_METHOD:
        return opened(partition);
    case AMQP_CHANNEL_CLOSE_METHOD:
        return channel_closed(partition, connection, method, now_ns, error);
    case AMQP_BASIC_CANCEL_METHOD:
        return cancelled(partition, connection, now_ns, error);
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
        set_free(partition);
        return IR_PARTITION_NOTHING;
    default: /* qos-ok */
        return IR_PARTITION_NOTHING;
    }
}

ir_partition_event_t ir_partition_frame(ir_partition_t *partition,
                                        amqp_connection_state_t connection,
                                        const amqp_frame_t *frame, uint64_t limit, int64_t now_ns,
                                        ir_assembled_t *message, ir_error_t *error) {
    if (frame->frame_type == AMQP_FRAME_METHOD &&
        frame->payload.method.id != AMQP_BASIC_DELIVER_METHOD) {
        return take_method(partition, connection, &frame->payload.method, now_ns, error);
    }
    return assemble(partition, frame, limit, message, error);
}
