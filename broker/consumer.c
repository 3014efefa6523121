#include "broker/consumer.h"

#include "broker/link.h"
#include "broker/partition.h"
#include "broker/presence.h"
#include "broker/queue_trial.h"
#include "broker/rabbitmq_c.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#define WORKER_NAME_MAX 255
#define TICK_NS (100 * IR_MILLISECOND_NS)
#define SETUP_CHANNEL 1
#define GRACE_INTERVALS 2
#define GRACE_LEAST_NS (2 * IR_SECOND_NS)
#define WARN_AGAIN_NS (10 * IR_SECOND_NS)

struct ir_consumer {
    ir_consumer_options_t options;
    ir_consumer_events_t events;
    void *context;
    ir_link_t *link;
    ir_presence_t *presence;
    ir_queue_trial_t *trial;
    struct event *tick;
    bool stopping, paused;
    bool keeps_timestamp; /* the broker leaves the senders' property timestamp as it is */
    unsigned passed;      /* deliveries of this turn */
    int64_t complete_ns;  /* when all was consumed last; 0: not on this connection */
    bool was_ready;
    uint64_t losses, missing;
    ir_error_t loss; /* the last one */
    int64_t warned_ns;
    int64_t twin_ns; /* when a worker of the same name was last told of */
    unsigned tried;  /* the partition whose queue was tried last */
    unsigned n_partitions;
    ir_partition_t partitions[];
};

/* ---- taking and giving back ---- */

static bool is_held(const ir_partition_t *partition) {
    return partition->state == IR_PARTITION_OPENING || partition->state == IR_PARTITION_HELD;
}

static int turn_partition(ir_consumer_t *consumer, ir_partition_t *partition,
                          amqp_connection_state_t connection, int64_t now_ns) {
    const bool wanted = partition->wanted && !consumer->stopping;
    if (wanted && !consumer->paused && partition->state == IR_PARTITION_FREE &&
        !partition->suspect && now_ns >= partition->due_ns) {
        return ir_partition_take(partition, connection, &consumer->options.topology,
                                 consumer->options.prefetch, now_ns);
    }
    const bool taken =
        consumer->stopping || ir_presence_serves(consumer->presence, partition->number);
    if (!wanted && taken && is_held(partition)) {
        return ir_partition_give(partition, connection, now_ns);
    }
    return AMQP_STATUS_OK;
}

/* Brings what is held nearer to what is wanted. */
static void turn_partitions(ir_consumer_t *consumer) {
    const int64_t now_ns = ir_clock_monotonic();
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        amqp_connection_state_t connection = ir_link_connection(consumer->link);
        if (connection == NULL) {
            return;
        }
        ir_link_sent(consumer->link,
                     turn_partition(consumer, &consumer->partitions[i], connection, now_ns));
    }
}

/* ---- what does not answer ---- */

static void warn(const ir_consumer_t *consumer, const char *text) {
    if (consumer->events.on_warning != NULL) {
        consumer->events.on_warning(consumer->context, text);
    }
}

static void note_loss(ir_consumer_t *consumer, const ir_partition_t *partition,
                      const ir_error_t *error) {
    const int64_t now_ns = ir_clock_monotonic();
    consumer->losses++;
    consumer->loss = *error;
    if (partition->failures == 1 || now_ns - consumer->warned_ns >= WARN_AGAIN_NS) {
        consumer->warned_ns = now_ns;
        warn(consumer, error->text);
    }
}

/* Concerns this partition alone: the others' channels go on. */
static void give_up(ir_consumer_t *consumer, ir_partition_t *partition, int64_t now_ns) {
    ir_error_t error;
    ir_error_set(&error, IR_ERR_TIMEOUT,
                 "partition %u is lost for now: RabbitMQ did not answer about its queue in time "
                 "(it has no leader or hangs)",
                 partition->number);
    if (ir_link_sent(consumer->link,
                     ir_partition_give_up(partition, ir_link_connection(consumer->link), now_ns))) {
        note_loss(consumer, partition, &error);
    }
}

static void check_answers(ir_consumer_t *consumer) {
    const int64_t now_ns = ir_clock_monotonic();
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        ir_partition_t *partition = &consumer->partitions[i];
        const bool waits =
            partition->state == IR_PARTITION_OPENING || partition->state == IR_PARTITION_CLOSING;
        if (waits && ir_consumer_connected(consumer) &&
            now_ns - partition->asked_ns > consumer->options.broker.timeout_ns) {
            give_up(consumer, partition, now_ns);
        }
    }
}

/* The next suspected queue whose time has come, in turn. */
static void try_suspects(ir_consumer_t *consumer) {
    const int64_t now_ns = ir_clock_monotonic();
    if (!ir_consumer_connected(consumer) || consumer->stopping) {
        return;
    }
    for (unsigned i = 1; i <= consumer->n_partitions; i++) {
        const unsigned number = (consumer->tried + i) % consumer->n_partitions;
        const ir_partition_t *partition = &consumer->partitions[number];
        if (partition->suspect && partition->wanted && partition->state == IR_PARTITION_FREE &&
            now_ns >= partition->due_ns && ir_queue_trial_begin(consumer->trial, number)) {
            consumer->tried = number;
            return;
        }
    }
}

static void on_tried(void *context, unsigned number, const ir_error_t *why) {
    ir_consumer_t *consumer = context;
    ir_partition_t *partition = &consumer->partitions[number];
    ir_partition_judge(partition, why == NULL, ir_clock_monotonic());
    if (why != NULL && ir_consumer_connected(consumer)) {
        ir_error_t error;
        ir_error_set(&error, why->status, "partition %u is lost for now: %s", number, why->text);
        note_loss(consumer, partition, &error);
    }
    turn_partitions(consumer);
    try_suspects(consumer);
}

/* ---- is all of it consumed? ---- */

static ir_partition_set_t held_set(const ir_consumer_t *consumer) {
    ir_partition_set_t held = {{0}};
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        if (consumer->partitions[i].state == IR_PARTITION_HELD) {
            ir_partition_set_add(&held, i);
        }
    }
    return held;
}

/* Those that nobody is known to consume and, of this worker's own, those that it does not. */
static ir_partition_set_t lacking_set(const ir_consumer_t *consumer, bool own_too) {
    ir_partition_set_t lacking = {{0}};
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        const ir_partition_t *partition = &consumer->partitions[i];
        const bool own = own_too && partition->wanted;
        if (partition->state != IR_PARTITION_HELD &&
            (own || !ir_presence_serves(consumer->presence, i))) {
            ir_partition_set_add(&lacking, i);
        }
    }
    return lacking;
}

static bool is_complete(const ir_consumer_t *consumer) {
    const ir_partition_set_t lacking = lacking_set(consumer, true);
    return ir_consumer_connected(consumer) && ir_presence_fault(consumer->presence) == NULL &&
           ir_partition_set_empty(&lacking);
}

static void watch_completeness(ir_consumer_t *consumer, int64_t now_ns) {
    if (!is_complete(consumer)) {
        return;
    }
    consumer->complete_ns = now_ns;
    if (!consumer->was_ready && consumer->events.on_ready != NULL) {
        consumer->events.on_ready(consumer->context);
    }
    consumer->was_ready = true;
}

bool ir_consumer_ready(const ir_consumer_t *consumer, ir_buffer_t *reasons) {
    const char *fault = ir_presence_fault(consumer->presence);
    if (fault != NULL) {
        ir_buffer_append_format(reasons, "membership: %s\n", fault);
        return false;
    }
    const int64_t wait_ns = GRACE_INTERVALS * consumer->options.announce_ns;
    const int64_t grace_ns = wait_ns > GRACE_LEAST_NS ? wait_ns : GRACE_LEAST_NS;
    if (is_complete(consumer) ||
        (consumer->complete_ns != 0 && ir_clock_monotonic() - consumer->complete_ns <= grace_ns)) {
        return true;
    }
    const ir_partition_set_t lacking = lacking_set(consumer, true);
    ir_buffer_append_text(reasons, "partitions: ");
    ir_partition_set_show(&lacking, reasons);
    ir_buffer_append_format(reasons, " of %u are not consumed%s%s\n", consumer->n_partitions,
                            consumer->loss.text[0] != '\0' ? "; " : " yet", consumer->loss.text);
    return false;
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_consumer_t *consumer = context;
    const ir_partition_set_t held = held_set(consumer);
    if (!consumer->paused) { /* what the broker answers is read later */
        turn_partitions(consumer);
        check_answers(consumer);
        try_suspects(consumer);
    }
    ir_presence_hold(consumer->presence, &held);
    watch_completeness(consumer, ir_clock_monotonic());
}

static void on_change(void *context) {
    ir_consumer_t *consumer = context;
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        consumer->partitions[i].wanted = ir_presence_owns(consumer->presence, i);
    }
    turn_partitions(consumer);
}

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
    consumer->events.on_delivery(consumer->context, &delivery);
    if (++consumer->passed >= consumer->options.turn) {
        ir_link_yield(consumer->link);
    }
}

static void refuse(ir_consumer_t *consumer, ir_partition_t *partition,
                   const ir_assembled_t *message) {
    const ir_delivery_t delivery = delivery_of(consumer, partition, message);
    if (ir_link_sent(
            consumer->link,
            ir_partition_reject(partition, ir_link_connection(consumer->link), message->tag)) &&
        consumer->events.on_oversize != NULL) {
        consumer->events.on_oversize(consumer->context, &delivery, message->size);
    }
}

static void tell_state(ir_consumer_t *consumer, bool connected, const char *text) {
    if (consumer->events.on_state != NULL) {
        consumer->events.on_state(consumer->context, connected, text);
    }
}

static void on_frame(void *context, const amqp_frame_t *frame) {
    ir_consumer_t *consumer = context;
    const unsigned number = ir_partition_of_channel(frame->channel);
    if (number >= consumer->n_partitions) {
        return;
    }
    ir_partition_t *partition = &consumer->partitions[number];
    ir_assembled_t message;
    ir_error_t error;
    switch (ir_partition_frame(partition, ir_link_connection(consumer->link), frame,
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
        note_loss(consumer, partition, &error);
        break;
    case IR_PARTITION_BROKEN:
        ir_link_fail(consumer->link, &error);
        break;
    case IR_PARTITION_OPENED: {
        const ir_partition_set_t held = held_set(consumer);
        ir_presence_hold(consumer->presence, &held);
        watch_completeness(consumer, ir_clock_monotonic());
        break;
    }
    case IR_PARTITION_NOTHING:
        break;
    }
}

static void on_turn(void *context) {
    ir_consumer_t *consumer = context;
    consumer->passed = 0;
    if (consumer->events.on_turn != NULL) {
        consumer->events.on_turn(consumer->context);
    }
}

/* ---- the connection ---- */

static ir_status_t prepare(void *context, amqp_connection_state_t connection, ir_error_t *error) {
    const ir_consumer_t *consumer = context;
    if (amqp_channel_open(connection, SETUP_CHANNEL) == NULL) {
        return ir_broker_reply(amqp_get_rpc_reply(connection), "cannot open a channel", error);
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
    ir_consumer_t *consumer = context;
    consumer->keeps_timestamp =
        ir_arrival_keeps_timestamp(ir_broker_version(ir_link_connection(consumer->link)));
    tell_state(consumer, true, "connected to RabbitMQ");
    turn_partitions(consumer);
}

static void on_down(void *context, const ir_error_t *error) {
    ir_consumer_t *consumer = context;
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        ir_partition_reset(&consumer->partitions[i]);
    }
    consumer->complete_ns = 0;
    consumer->loss.text[0] = '\0';
    tell_state(consumer, false, error->text);
}

static void on_presence_fault(void *context, const ir_error_t *error) {
    const ir_consumer_t *consumer = context;
    char text[sizeof error->text + 64];
    snprintf(text, sizeof text, "the other workers cannot be heard: %s", error->text);
    warn(consumer, text);
}

static void on_missing(void *context, const char *what) {
    ir_consumer_t *consumer = context;
    char text[128];
    consumer->missing++;
    snprintf(text, sizeof text, "%s was missing: it is declared again", what);
    warn(consumer, text);
}

static void on_refused(void *context, const ir_error_t *error) {
    warn(context, error->text);
}

static void on_twin(void *context) {
    ir_consumer_t *consumer = context;
    const int64_t now_ns = ir_clock_monotonic();
    if (consumer->twin_ns == 0 || now_ns - consumer->twin_ns >= WARN_AGAIN_NS) {
        char text[WORKER_NAME_MAX + 128];
        consumer->twin_ns = now_ns;
        snprintf(text, sizeof text,
                 "another worker has the name %s too, and only one of them gets messages: each "
                 "needs a name of its own",
                 consumer->options.worker);
        warn(consumer, text);
    }
}

/* ---- the owner's side ---- */

static ir_status_t check_options(const ir_consumer_options_t *options, ir_error_t *error) {
    const size_t name = strlen(options->worker);
    if (name == 0 || name > WORKER_NAME_MAX) {
        return ir_error_set(error, IR_ERR_USAGE, "the worker's name must have 1 to %d bytes",
                            WORKER_NAME_MAX);
    }
    if (options->topology.partitions == 0 || options->topology.partitions > IR_PARTITIONS_MAX) {
        return ir_error_set(error, IR_ERR_USAGE, "partitions must be 1 to %d", IR_PARTITIONS_MAX);
    }
    if (options->prefetch == 0 || options->turn == 0 ||
        options->announce_ns < 10 * IR_MILLISECOND_NS) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "prefetch and turn must be at least 1, announcements at least 10 ms "
                            "apart");
    }
    return IR_OK;
}

static ir_status_t start(ir_consumer_t *consumer, struct event_base *base, ir_error_t *error) {
    static const ir_link_events_t link_events = {prepare, on_up, on_frame, on_turn, on_down};
    static const ir_presence_events_t presence_events = {on_change, on_presence_fault, on_missing,
                                                         on_refused, on_twin};
    const struct timeval every = {.tv_usec = TICK_NS / 1000};
    consumer->tick = event_new(base, -1, EV_PERSIST, on_tick, consumer);
    if (consumer->tick == NULL || event_add(consumer->tick, &every) != 0) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a timer");
    }
    ir_status_t status = ir_link_open(base, &consumer->options.broker, &link_events, consumer,
                                      &consumer->link, error);
    if (status == IR_OK) {
        status = ir_queue_trial_open(base, &consumer->options.broker, on_tried, consumer,
                                     &consumer->trial, error);
    }
    if (status != IR_OK) {
        return status;
    }
    const ir_presence_options_t presence = {.broker = consumer->options.broker,
                                            .topology = &consumer->options.topology,
                                            .name = consumer->options.worker,
                                            .announce_ns = consumer->options.announce_ns};
    return ir_presence_open(base, &presence, &presence_events, consumer, &consumer->presence,
                            error);
}

ir_status_t ir_consumer_open(struct event_base *base, const ir_consumer_options_t *options,
                             const ir_consumer_events_t *events, void *context,
                             ir_consumer_t **consumer, ir_error_t *error) {
    ir_status_t status = check_options(options, error);
    if (status != IR_OK) {
        return status;
    }
    const unsigned n = options->topology.partitions;
    ir_consumer_t *made = calloc(1, sizeof *made + n * sizeof made->partitions[0]);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the consumer");
    }
    made->options = *options;
    made->events = *events;
    made->context = context;
    made->n_partitions = n;
    for (unsigned i = 0; i < n; i++) {
        ir_partition_init(&made->partitions[i], i);
    }
    status = start(made, base, error);
    if (status != IR_OK) {
        ir_consumer_close(made);
        return status;
    }
    *consumer = made;
    return IR_OK;
}

void ir_consumer_pause(ir_consumer_t *consumer) {
    consumer->paused = true;
    ir_link_pause(consumer->link);
}

void ir_consumer_resume(ir_consumer_t *consumer) {
    const int64_t now_ns = ir_clock_monotonic();
    for (unsigned i = 0; consumer->paused && i < consumer->n_partitions; i++) {
        consumer->partitions[i].asked_ns = now_ns;
    }
    const bool was_paused = consumer->paused;
    consumer->paused = false;
    ir_link_resume(consumer->link);
    if (was_paused) {
        turn_partitions(consumer);
    }
}

void ir_consumer_acknowledge(ir_consumer_t *consumer, uint32_t partition, uint32_t session,
                             uint64_t tag, uint32_t count) {
    amqp_connection_state_t connection = ir_link_connection(consumer->link);
    if (connection == NULL || partition >= consumer->n_partitions) {
        return;
    }
    ir_partition_t *mine = &consumer->partitions[partition];
    if (mine->session == session && mine->outstanding > 0) {
        ir_link_sent(consumer->link,
                     ir_partition_acknowledge(mine, connection, tag, count, ir_clock_monotonic()));
    }
}

bool ir_consumer_connected(const ir_consumer_t *consumer) {
    return ir_link_connection(consumer->link) != NULL;
}

unsigned ir_consumer_partitions(const ir_consumer_t *consumer) {
    unsigned count = 0;
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        count += consumer->partitions[i].state == IR_PARTITION_HELD;
    }
    return count;
}

unsigned ir_consumer_share(const ir_consumer_t *consumer) {
    unsigned count = 0;
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        count += consumer->partitions[i].wanted;
    }
    return count;
}

unsigned ir_consumer_unserved(const ir_consumer_t *consumer) {
    const ir_partition_set_t lacking = lacking_set(consumer, false);
    return ir_partition_set_count(&lacking);
}

uint64_t ir_consumer_missing(const ir_consumer_t *consumer) {
    return consumer->missing;
}

uint64_t ir_consumer_losses(const ir_consumer_t *consumer) {
    return consumer->losses;
}

size_t ir_consumer_workers(const ir_consumer_t *consumer) {
    return ir_presence_workers(consumer->presence);
}

uint64_t ir_consumer_reconnects(const ir_consumer_t *consumer) {
    const uint64_t count = ir_link_count(consumer->link);
    return count > 0 ? count - 1 : 0;
}

void ir_consumer_stop(ir_consumer_t *consumer) {
    consumer->stopping = true;
    ir_presence_leave(consumer->presence);
    turn_partitions(consumer);
}

void ir_consumer_close(ir_consumer_t *consumer) {
    if (consumer == NULL) {
        return;
    }
    if (consumer->tick != NULL) {
        event_free(consumer->tick);
    }
    ir_presence_close(consumer->presence);
    ir_queue_trial_close(consumer->trial);
    ir_link_close(consumer->link);
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        ir_partition_free(&consumer->partitions[i]);
    }
    free(consumer);
}
