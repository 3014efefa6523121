#include "broker/subscription.h"

#include "broker/assembly.h"
#include "broker/replies.h"
#include "common/clock.h"
#include "common/invariant.h"

#include <stdlib.h>

typedef struct ir_subscription_lane {
    bool open;
    uint16_t prefetch;
    int32_t most;
    char queue[IR_LISTEN_QUEUE_SIZE];
    ir_subscription_reader_t reader;
    ir_assembly_t assembly;
    uint64_t last; /* tag of the last message */
    unsigned owed; /* number of messages that are not acknowledged yet */
} ir_subscription_lane_t;

struct ir_subscription {
    amqp_connection_state_t connection;
    unsigned n_lanes;
    ir_subscription_lane_t lanes[IR_SUBSCRIPTION_EXCHANGES]; /* channels 1, 2 … */
};

static amqp_channel_t channel_of(const ir_subscription_t *subscription,
                                 const ir_subscription_lane_t *lane) {
    return (amqp_channel_t)(lane - subscription->lanes + 1);
}

/* ---- life ---- */

ir_status_t ir_subscription_open(const ir_broker_options_t *broker, unsigned start,
                                 ir_subscription_t **subscription, ir_error_t *error) {
    ir_broker_options_t receiving = *broker;
    receiving.receives = true;
    ir_subscription_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a subscription");
    }
    const ir_status_t status = ir_broker_connect(&receiving, start, &made->connection, error);
    if (status != IR_OK) {
        free(made);
        return status;
    }
    *subscription = made;
    return IR_OK;
}

ir_status_t ir_subscription_add(ir_subscription_t *subscription, const ir_listen_t *listen,
                                const ir_subscription_reader_t *reader, ir_error_t *error) {
    IR_INVARIANT(subscription->n_lanes < IR_SUBSCRIPTION_EXCHANGES);
    ir_subscription_lane_t *lane = &subscription->lanes[subscription->n_lanes++];
    ir_assembly_init(&lane->assembly);
    lane->reader = *reader;
    lane->assembly.on_headers = reader->on_headers;
    lane->assembly.context = reader->context;
    lane->prefetch = listen->prefetch;
    lane->most = listen->most;
    const ir_status_t status = ir_broker_listen(
        subscription->connection, channel_of(subscription, lane), listen, lane->queue, error);
    lane->open = status == IR_OK;
    return status;
}

void ir_subscription_close(ir_subscription_t *subscription) {
    if (subscription == NULL) {
        return;
    }
    for (unsigned i = 0; i < subscription->n_lanes; i++) {
        ir_assembly_free(&subscription->lanes[i].assembly);
    }
    ir_broker_disconnect(subscription->connection);
    free(subscription);
}

/* ---- messages ---- */

static void acknowledge(const ir_subscription_t *subscription, ir_subscription_lane_t *lane) {
    if (lane->owed > 0) {
        (void)amqp_basic_ack(subscription->connection, channel_of(subscription, lane), lane->last,
                             1);
        lane->owed = 0;
    }
}

static void acknowledge_all(ir_subscription_t *subscription) {
    for (unsigned i = 0; i < subscription->n_lanes; i++) {
        acknowledge(subscription, &subscription->lanes[i]);
    }
}

static void take_message(const ir_subscription_t *subscription, ir_subscription_lane_t *lane,
                         const ir_assembled_t *message) {
    lane->reader.message(lane->reader.context, message);
    if (lane->prefetch > 0) {
        lane->last = message->tag;
        lane->owed++;
        if (lane->owed >= lane->prefetch / 4U) {
            acknowledge(subscription, lane);
        }
    }
}

static ir_status_t take_closing(const amqp_method_t *method, ir_error_t *error) {
    if (method->id == AMQP_BASIC_CANCEL_METHOD) {
        return ir_error_set(error, IR_ERR_CONNECT, "RabbitMQ cancelled the subscription");
    }
    return ir_broker_refusal(method, "the subscription was closed", error);
}

static ir_status_t take_frame(ir_subscription_t *subscription, const amqp_frame_t *frame,
                              ir_error_t *error) {
    if (frame->channel == 0) {
        bool blocked = false;
        return ir_broker_control(subscription->connection, frame, &blocked, error);
    }
    if (frame->frame_type == AMQP_FRAME_METHOD &&
        frame->payload.method.id != AMQP_BASIC_DELIVER_METHOD) {
        return take_closing(&frame->payload.method, error);
    }
    if (frame->channel > subscription->n_lanes) {
        return ir_error_set(error, IR_ERR_PROTOCOL, "a frame arrived on a channel not in use");
    }
    ir_subscription_lane_t *lane = &subscription->lanes[frame->channel - 1];
    ir_assembled_t message;
    switch (ir_assembly_take(&lane->assembly, frame, lane->reader.body_most, &message)) {
    case IR_ASSEMBLY_MORE:
        return IR_OK;
    case IR_ASSEMBLY_COMPLETE:
        take_message(subscription, lane, &message);
        return IR_OK;
    case IR_ASSEMBLY_MEMORY:
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a message");
    default:
        return ir_error_set(error, IR_ERR_PROTOCOL,
                            "the subscription got a frame that does not belong there");
    }
}

ir_status_t ir_subscription_take(ir_subscription_t *subscription, int64_t wait_ns,
                                 ir_error_t *error) {
    const struct timeval wait = {.tv_sec = wait_ns / IR_SECOND_NS,
                                 .tv_usec = wait_ns % IR_SECOND_NS / 1000};
    amqp_frame_t frame;
    const int read = amqp_simple_wait_frame_noblock(subscription->connection, &frame, &wait);
    if (read == AMQP_STATUS_TIMEOUT) {
        acknowledge_all(subscription);
        return IR_OK;
    }
    if (read != AMQP_STATUS_OK) {
        return ir_broker_fault(read, "the subscription broke", error);
    }
    const ir_status_t status = take_frame(subscription, &frame, error);
    amqp_maybe_release_buffers_on_channel(subscription->connection, frame.channel);
    return status;
}

bool ir_subscription_full(const ir_subscription_t *subscription) {
    bool full = false;
    for (unsigned i = 0; i < subscription->n_lanes; i++) {
        const ir_subscription_lane_t *lane = &subscription->lanes[i];
        const amqp_queue_declare_ok_t *found =
            lane->open && lane->most > 0
                ? amqp_queue_declare(subscription->connection, channel_of(subscription, lane),
                                     amqp_cstring_bytes(lane->queue), 1, 0, 1, 1, amqp_empty_table)
                : NULL;
        full = full || (found != NULL && found->message_count >= (uint32_t)lane->most);
    }
    return full;
}
