/* The consumer's connections: which partitions share one, and what arrives on them. */
#include "broker/consumer_state.h"
#include "broker/replies.h"
#include "common/clock.h"
#include "common/messages.h"

#include <stdlib.h>

#define SETUP_CHANNEL 1
#define TURN_NS (20 * IR_MILLISECOND_NS) /* limit for a turn, so that timers are not delayed */
#define SOON_NS (10 * IR_SECOND_NS)
#define BREAKS                                                                                     \
    2                     /* after this many consecutive breaks, each partition gets its own       \
                           * connection */
#define APART_PREFETCH 64 /* take-aside.erl examines the same number of messages */
#define ASIDE_NS (2 * IR_SECOND_NS)

/* ---- frames ---- */

static int64_t arrival_of(const ir_consumer_t *consumer, const ir_assembled_t *message) {
    const ir_arrival_t *arrival = &message->arrival;
    return arrival->header_ns > 0 &&
                   ir_arrival_trusts(consumer->options.trusted_users, message->user_id)
               ? arrival->header_ns
               : arrival->broker_ns;
}

static ir_delivery_t delivery_of(const ir_consumer_t *consumer, const ir_partition_t *partition,
                                 const ir_assembled_t *message) {
    return (ir_delivery_t){
        .partition = partition->number,
        .session = partition->session,
        .tag = message->tag,
        .redelivered = message->redelivered,
        .routing_key = message->routing_key,
        .content_type = message->content_type,
        .body = message->body,
        .name = message->message_id,
        .arrival_ns = arrival_of(consumer, message),
        .sent_ns = consumer->keeps_timestamp ? message->arrival.sent_ns : 0,
    };
}

static void pass_on(ir_consumer_t *consumer, ir_partition_t *partition,
                    const ir_assembled_t *message) {
    const ir_delivery_t delivery = delivery_of(consumer, partition, message);
    ir_partition_passed(partition);
    if (consumer->passed == 0) {
        consumer->turn_ns = ir_clock_monotonic();
    }
    consumer->events.on_delivery(consumer->context, &delivery);
    if (++consumer->passed >= consumer->options.turn ||
        ir_clock_monotonic() - consumer->turn_ns > TURN_NS) {
        ir_link_yield(ir_lanes_link(consumer, partition));
    }
}

static void refuse(ir_consumer_t *consumer, ir_partition_t *partition,
                   const ir_assembled_t *message) {
    const ir_delivery_t delivery = delivery_of(consumer, partition, message);
    ir_link_t *link = ir_lanes_link(consumer, partition);
    if (ir_link_sent(link,
                     ir_partition_reject(partition, ir_link_connection(link), message->tag)) &&
        consumer->events.on_oversize != NULL) {
        consumer->events.on_oversize(consumer->context, &delivery, message->size);
    }
}

/* `why`: NULL, it is connected. */
static void tell_state(ir_consumer_t *consumer, const ir_error_t *why) {
    if (consumer->events.on_state != NULL) {
        consumer->events.on_state(consumer->context, why);
    }
}

static void on_frame(void *context, const amqp_frame_t *frame) {
    const ir_consumer_lane_t *lane = context;
    ir_consumer_t *consumer = lane->consumer;
    const unsigned first_channel = consumer->partitions[lane->first].channel;
    if (frame->channel < first_channel || frame->channel >= first_channel + lane->count) {
        return;
    }
    ir_partition_t *partition = &consumer->partitions[lane->first + frame->channel - first_channel];
    ir_assembled_t message;
    ir_error_t error;
    switch (ir_partition_frame(partition, ir_link_connection(lane->link), frame,
                               consumer->options.message_bytes, ir_clock_monotonic(), &message,
                               &error)) {
    case IR_PARTITION_DELIVERY:
        pass_on(consumer, partition, &message);
        break;
    case IR_PARTITION_OVERSIZE:
        refuse(consumer, partition, &message);
        break;
    case IR_PARTITION_LOST:
        consumer->missing += partition->missing;
        ir_consumer_lost(consumer, partition, &error);
        break;
    case IR_PARTITION_BROKEN:
        ir_link_fail(lane->link, &error);
        break;
    case IR_PARTITION_OPENED: {
        const ir_partition_set_t held = ir_completeness_held(consumer);
        ir_presence_hold(consumer->presence, &held);
        ir_completeness_watch(consumer, ir_clock_monotonic());
        break;
    }
    case IR_PARTITION_NOTHING:
        break;
    }
}

static void on_turn(void *context) {
    ir_consumer_t *consumer = ((ir_consumer_lane_t *)context)->consumer;
    consumer->passed = 0;
    if (consumer->events.on_turn != NULL) {
        consumer->events.on_turn(consumer->context);
    }
}

/* ---- the connections ---- */

static ir_status_t check_channels(amqp_connection_state_t connection, ir_error_t *error) {
    const int allowed = amqp_get_channel_max(connection);
    return allowed == 0 || allowed >= IR_LANE_PARTITIONS
               ? IR_OK
               : ir_error_set(error, IR_ERR_PROTOCOL,
                              "RabbitMQ allows a connection %d channels, and %d are needed: raise "
                              "channel_max",
                              allowed, IR_LANE_PARTITIONS);
}

static ir_status_t prepare(void *context, amqp_connection_state_t connection, ir_error_t *error) {
    const ir_consumer_lane_t *lane = context;
    const ir_consumer_t *consumer = lane->consumer;
    const ir_status_t enough = check_channels(connection, error);
    if (enough != IR_OK || lane->first > 0) { /* the first lane declares the topology for all
                                               * lanes */
        return enough;
    }
    const ir_status_t status =
        ir_topology_declare(connection, SETUP_CHANNEL, &consumer->options.topology, error);
    if (status != IR_OK) {
        return status;
    }
    return ir_broker_reply(amqp_channel_close(connection, SETUP_CHANNEL, AMQP_REPLY_SUCCESS),
                           "cannot close a channel", error);
}

static void on_up(void *context) {
    ir_consumer_lane_t *lane = context;
    ir_consumer_t *consumer = lane->consumer;
    lane->up_ns = ir_clock_monotonic();
    consumer->keeps_timestamp =
        ir_arrival_keeps_timestamp(ir_broker_version(ir_link_connection(lane->link)));
    consumer->declared = consumer->declared || lane->first == 0;
    if (ir_consumer_connected(consumer)) {
        tell_state(consumer, NULL);
    }
    ir_consumer_turn(consumer);
}

/* ---- messages that RabbitMQ cannot deliver ---- */

static ir_consumer_lane_t *open_lane(ir_consumer_t *consumer, ir_consumer_lane_t *lane,
                                     unsigned first, unsigned count, ir_error_t *error);

/* The broker breaks the connection because of a message that it cannot encode (541), or the message
 * is one that the library cannot read. The broker keeps the message, so the next connection breaks
 * in the same way. */
static bool broke_again(ir_consumer_lane_t *lane, const ir_error_t *error) {
    if (lane->up_ns != 0) {
        const bool soon = ir_clock_monotonic() - lane->up_ns < SOON_NS;
        lane->breaks = soon && error->status == IR_ERR_PROTOCOL ? lane->breaks + 1 : 0;
    }
    return lane->up_ns != 0 && lane->breaks >= BREAKS;
}

/* Gives each partition its own connection, to find out which one holds the message. The other
 * partitions continue. The separate connections stay, because a queue that got one such message may
 * get another. */
static void set_apart(ir_consumer_t *consumer, ir_consumer_lane_t *lane) {
    lane->breaks = 0;
    ir_consumer_warn(consumer, IR_TEXT_UNDELIVERABLE);
    for (unsigned i = lane->first; i < lane->first + lane->count; i++) {
        if (consumer->apart[i] != NULL) {
            continue; /* has its own connection already */
        }
        ir_error_t error;
        ir_consumer_lane_t *own = calloc(1, sizeof *own);
        if (own == NULL || open_lane(consumer, own, i, 1, &error) == NULL) {
            free(own);
            continue; /* this partition keeps using the shared connection */
        }
        consumer->apart[i] = own;
    }
}

/* Asks the brokers to take the message aside (ingest/take-aside.erl). Meanwhile the queue must have
 * no other consumer. */
static void ask_aside(ir_consumer_t *consumer, const ir_consumer_lane_t *lane,
                      const ir_error_t *why) {
    ir_partition_t *partition = &consumer->partitions[lane->first];
    ir_error_t error;
    ir_error_set(&error, why->status, IR_TEXT_UNDELIVERABLE_IN, partition->number, why->text);
    partition->due_ns = ir_clock_monotonic() + ASIDE_NS;
    ir_presence_ask_aside(consumer->presence, partition->number);
    ir_consumer_lost(consumer, partition, &error);
}

static void on_down(void *context, const ir_error_t *error) {
    ir_consumer_lane_t *lane = context;
    ir_consumer_t *consumer = lane->consumer;
    const bool again = broke_again(lane, error);
    const bool alone = consumer->apart[lane->first] == lane;
    lane->up_ns = 0;
    for (unsigned i = lane->first; i < lane->first + lane->count; i++) {
        if (alone || consumer->apart[i] == NULL) {
            ir_partition_reset(&consumer->partitions[i]);
        }
    }
    if (alone && lane->breaks > 0) {
        ask_aside(consumer, lane, error);
        return;
    }
    consumer->complete_ns = 0;
    consumer->loss.text[0] = '\0';
    tell_state(consumer, error);
    if (again) {
        set_apart(consumer, lane);
    }
}

/* ---- opening and closing ---- */

static ir_consumer_lane_t *open_lane(ir_consumer_t *consumer, ir_consumer_lane_t *lane,
                                     unsigned first, unsigned count, ir_error_t *error) {
    static const ir_link_events_t events = {prepare, on_up, on_frame, on_turn, on_down};
    ir_broker_options_t broker = consumer->options.broker;
    broker.receives = true;
    *lane = (ir_consumer_lane_t){.consumer = consumer, .first = first, .count = count};
    if (ir_link_open(consumer->base, &broker, &events, lane, &lane->link, error) != IR_OK) {
        return NULL;
    }
    if (consumer->paused) {
        ir_link_pause(lane->link);
    }
    return lane;
}

ir_status_t ir_lanes_open(ir_consumer_t *consumer, ir_error_t *error) {
    for (unsigned first = 0; first < consumer->n_partitions; first += IR_LANE_PARTITIONS) {
        const unsigned left = consumer->n_partitions - first;
        const unsigned count = left < IR_LANE_PARTITIONS ? left : IR_LANE_PARTITIONS;
        if (open_lane(consumer, &consumer->lanes[consumer->n_lanes], first, count, error) == NULL) {
            return error->status;
        }
        consumer->n_lanes++;
    }
    return IR_OK;
}

void ir_lanes_close(ir_consumer_t *consumer) {
    for (unsigned i = 0; i < consumer->n_lanes; i++) {
        ir_link_close(consumer->lanes[i].link);
    }
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        if (consumer->apart[i] != NULL) {
            ir_link_close(consumer->apart[i]->link);
            free(consumer->apart[i]);
        }
    }
}

static void for_each_link(const ir_consumer_t *consumer, void (*act)(ir_link_t *link)) {
    for (unsigned i = 0; i < consumer->n_lanes; i++) {
        act(consumer->lanes[i].link);
    }
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        if (consumer->apart[i] != NULL) {
            act(consumer->apart[i]->link);
        }
    }
}

void ir_lanes_pause(ir_consumer_t *consumer) {
    for_each_link(consumer, ir_link_pause);
}

void ir_lanes_resume(ir_consumer_t *consumer) {
    for_each_link(consumer, ir_link_resume);
}

/* ---- reasons for /readyz ---- */

ir_link_t *ir_lanes_link(const ir_consumer_t *consumer, const ir_partition_t *partition) {
    const ir_consumer_lane_t *own = consumer->apart[partition->number];
    return own != NULL ? own->link : consumer->lanes[partition->number / IR_LANE_PARTITIONS].link;
}

uint16_t ir_lanes_prefetch(const ir_consumer_t *consumer, const ir_partition_t *partition) {
    const uint16_t usual = consumer->options.prefetch;
    return consumer->apart[partition->number] != NULL && usual > APART_PREFETCH ? APART_PREFETCH
                                                                                : usual;
}

bool ir_consumer_connected(const ir_consumer_t *consumer) {
    for (unsigned i = 0; i < consumer->n_lanes; i++) {
        if (ir_link_connection(consumer->lanes[i].link) == NULL) {
            return false;
        }
    }
    return true;
}

static uint64_t reconnects_of(const ir_link_t *link) {
    const uint64_t up = ir_link_count(link);
    return up > 0 ? up - 1 : 0;
}

uint64_t ir_consumer_reconnects(const ir_consumer_t *consumer) {
    uint64_t count = 0;
    for (unsigned i = 0; i < consumer->n_lanes; i++) {
        count += reconnects_of(consumer->lanes[i].link);
    }
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        count += consumer->apart[i] != NULL ? reconnects_of(consumer->apart[i]->link) : 0;
    }
    return count;
}
