#include "broker/consumer_state.h"

#include "broker/rabbitmq_c.h"
#include "common/clock.h"
#include "common/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#define WORKER_NAME_MAX 255
#define TICK_NS (100 * IR_MILLISECOND_NS)
#define WARN_AGAIN_NS (10 * IR_SECOND_NS)

/* ---- acquiring and giving back ---- */

static bool is_held(const ir_partition_t *partition) {
    return partition->state == IR_PARTITION_OPENING || partition->state == IR_PARTITION_HELD;
}

static int turn_partition(ir_consumer_t *consumer, ir_partition_t *partition,
                          amqp_connection_state_t connection, int64_t now_ns) {
    const bool wanted = partition->wanted && !consumer->stopping;
    if (wanted && consumer->declared && !consumer->paused &&
        partition->state == IR_PARTITION_FREE && !partition->suspect &&
        now_ns >= partition->due_ns) {
        return ir_partition_take(partition, connection, &consumer->options.topology,
                                 ir_lanes_prefetch(consumer, partition), now_ns);
    }
    const bool taken =
        consumer->stopping || ir_presence_serves(consumer->presence, partition->number);
    if (!wanted && taken && is_held(partition)) {
        return ir_partition_give(partition, connection, now_ns);
    }
    return AMQP_STATUS_OK;
}

void ir_consumer_turn(ir_consumer_t *consumer) {
    const int64_t now_ns = ir_clock_monotonic();
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        ir_partition_t *partition = &consumer->partitions[i];
        ir_link_t *link = ir_lanes_link(consumer, partition);
        amqp_connection_state_t connection = ir_link_connection(link);
        if (connection != NULL) {
            ir_link_sent(link, turn_partition(consumer, partition, connection, now_ns));
        }
    }
}

/* ---- queues that do not answer ---- */

void ir_consumer_warn(const ir_consumer_t *consumer, const char *text) {
    if (consumer->events.on_warning != NULL) {
        consumer->events.on_warning(consumer->context, text);
    }
}

void ir_consumer_lost(ir_consumer_t *consumer, const ir_partition_t *partition,
                      const ir_error_t *error) {
    const int64_t now_ns = ir_clock_monotonic();
    consumer->losses++;
    consumer->loss = *error;
    if (partition->failures == 1 || now_ns - consumer->warned_ns >= WARN_AGAIN_NS) {
        consumer->warned_ns = now_ns;
        ir_consumer_warn(consumer, error->text);
    }
}

/* Affects only this partition: the channels of the others continue. */
static void give_up(ir_consumer_t *consumer, ir_partition_t *partition, int64_t now_ns) {
    ir_link_t *link = ir_lanes_link(consumer, partition);
    ir_error_t error;
    ir_error_set(&error, IR_ERR_TIMEOUT, IR_TEXT_PARTITION_SILENT, partition->number);
    if (ir_link_sent(link, ir_partition_give_up(partition, ir_link_connection(link), now_ns))) {
        ir_consumer_lost(consumer, partition, &error);
    }
}

static void check_answers(ir_consumer_t *consumer) {
    const int64_t now_ns = ir_clock_monotonic();
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        ir_partition_t *partition = &consumer->partitions[i];
        const bool waits =
            partition->state == IR_PARTITION_OPENING || partition->state == IR_PARTITION_CLOSING;
        if (waits && ir_link_connection(ir_lanes_link(consumer, partition)) != NULL &&
            now_ns - partition->asked_ns > consumer->options.broker.timeout_ns) {
            give_up(consumer, partition, now_ns);
        }
    }
}

/* Starts a trial of the next suspected queue that is due; suspected queues take turns. */
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

/* If the connection ended with a protocol error, the queue may hold an undeliverable message.
 * The queue can be consumed again once the broker has taken that message aside
 * (ingest/take-aside.erl). */
static void on_tried(void *context, unsigned number, const ir_error_t *why) {
    ir_consumer_t *consumer = context;
    if (why != NULL && why->status == IR_ERR_PROTOCOL) {
        ir_presence_ask_aside(consumer->presence, number);
    }
    ir_partition_t *partition = &consumer->partitions[number];
    ir_partition_judge(partition, why == NULL, ir_clock_monotonic());
    if (why != NULL && ir_consumer_connected(consumer)) {
        ir_error_t error;
        ir_error_set(&error, why->status, IR_TEXT_PARTITION_LOST ": %s", number, why->text);
        ir_consumer_lost(consumer, partition, &error);
    }
    ir_consumer_turn(consumer);
    try_suspects(consumer);
}

/* ---- time, and the other workers ---- */

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_consumer_t *consumer = context;
    const ir_partition_set_t held = ir_completeness_held(consumer);
    if (!consumer->paused) { /* the broker's answers are read later */
        ir_consumer_turn(consumer);
        check_answers(consumer);
        try_suspects(consumer);
    }
    ir_presence_hold(consumer->presence, &held);
    ir_completeness_watch(consumer, ir_clock_monotonic());
}

static void on_change(void *context) {
    ir_consumer_t *consumer = context;
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        consumer->partitions[i].wanted = ir_presence_owns(consumer->presence, i);
    }
    ir_consumer_turn(consumer);
}

static void on_presence_fault(void *context, const ir_error_t *error) {
    const ir_consumer_t *consumer = context;
    char text[sizeof error->text + 64];
    snprintf(text, sizeof text, IR_TEXT_NOT_HEARD, error->text);
    ir_consumer_warn(consumer, text);
}

static void on_missing(void *context, const char *what) {
    ir_consumer_t *consumer = context;
    char text[160];
    consumer->missing++;
    snprintf(text, sizeof text, IR_TEXT_DECLARED_AGAIN, what);
    ir_consumer_warn(consumer, text);
}

static void on_refused(void *context, const ir_error_t *error) {
    ir_consumer_warn(context, error->text);
}

/* All workers receive this announcement. The worker that holds the partition counts the message,
 * and consumes the partition again at once. */
static void on_set_aside(void *context, unsigned partition, ir_view_t what) {
    ir_consumer_t *consumer = context;
    if (partition < consumer->n_partitions && ir_presence_owns(consumer->presence, partition)) {
        consumer->partitions[partition].due_ns = 0;
        if (consumer->events.on_set_aside != NULL) {
            consumer->events.on_set_aside(consumer->context, partition, what);
        }
    }
}

static void on_twin(void *context) {
    ir_consumer_t *consumer = context;
    const int64_t now_ns = ir_clock_monotonic();
    if (consumer->twin_ns == 0 || now_ns - consumer->twin_ns >= WARN_AGAIN_NS) {
        char text[WORKER_NAME_MAX + 128];
        consumer->twin_ns = now_ns;
        snprintf(text, sizeof text, IR_TEXT_SAME_NAME, consumer->options.worker);
        ir_consumer_warn(consumer, text);
    }
}

/* ---- functions for the owner ---- */

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
    static const ir_presence_events_t presence_events = {
        on_change, on_presence_fault, on_missing, on_refused, on_twin, on_set_aside};
    const struct timeval every = {.tv_usec = TICK_NS / 1000};
    consumer->tick = event_new(base, -1, EV_PERSIST, on_tick, consumer);
    if (consumer->tick == NULL || event_add(consumer->tick, &every) != 0) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for a timer");
    }
    ir_status_t status = ir_lanes_open(consumer, error);
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

static void close_stream(void *stream) {
    ir_consumer_t *consumer = stream;
    if (consumer == NULL) {
        return;
    }
    if (consumer->tick != NULL) {
        event_free(consumer->tick);
    }
    ir_presence_close(consumer->presence);
    ir_queue_trial_close(consumer->trial);
    ir_lanes_close(consumer);
    for (unsigned i = 0; i < consumer->n_partitions; i++) {
        ir_partition_free(&consumer->partitions[i]);
    }
    free(consumer);
}

static ir_status_t open_stream(struct event_base *base, const void *given,
                               const ir_transport_events_t *events, void *context, void **stream,
                               ir_error_t *error) {
    const ir_consumer_options_t *options = given;
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
    made->base = base;
    made->n_partitions = n;
    for (unsigned i = 0; i < n; i++) {
        ir_partition_init(&made->partitions[i], i, (amqp_channel_t)(i % IR_LANE_PARTITIONS + 1));
    }
    status = start(made, base, error);
    if (status != IR_OK) {
        close_stream(made);
        return status;
    }
    *stream = made;
    return IR_OK;
}

static void pause_stream(void *stream) {
    ir_consumer_t *consumer = stream;
    consumer->paused = true;
    ir_lanes_pause(consumer);
}

static void resume_stream(void *stream) {
    ir_consumer_t *consumer = stream;
    const int64_t now_ns = ir_clock_monotonic();
    for (unsigned i = 0; consumer->paused && i < consumer->n_partitions; i++) {
        consumer->partitions[i].asked_ns = now_ns;
    }
    const bool was_paused = consumer->paused;
    consumer->paused = false;
    ir_lanes_resume(consumer);
    if (was_paused) {
        ir_consumer_turn(consumer);
    }
}

static void acknowledge(void *stream, uint32_t partition, uint32_t session, uint64_t tag,
                        uint32_t count) {
    ir_consumer_t *consumer = stream;
    if (partition >= consumer->n_partitions) {
        return;
    }
    ir_partition_t *mine = &consumer->partitions[partition];
    ir_link_t *link = ir_lanes_link(consumer, mine);
    amqp_connection_state_t connection = ir_link_connection(link);
    if (connection != NULL && mine->session == session && mine->outstanding > 0) {
        ir_link_sent(link,
                     ir_partition_acknowledge(mine, connection, tag, count, ir_clock_monotonic()));
    }
}

static bool is_ready(const void *stream, ir_buffer_t *reasons) {
    return ir_consumer_ready(stream, reasons);
}

static void tell_figures(const void *stream, ir_transport_figures_t *figures) {
    const ir_consumer_t *consumer = stream;
    *figures = (ir_transport_figures_t){
        .connected = ir_consumer_connected(consumer),
        .partitions = ir_consumer_partitions(consumer),
        .share = ir_consumer_share(consumer),
        .unserved = ir_consumer_unserved(consumer),
        .workers = ir_presence_workers(consumer->presence),
        .losses = consumer->losses,
        .missing = consumer->missing,
        .reconnects = ir_consumer_reconnects(consumer),
    };
}

static void stop_stream(void *stream) {
    ir_consumer_t *consumer = stream;
    consumer->stopping = true;
    ir_presence_leave(consumer->presence);
    ir_consumer_turn(consumer);
}

const ir_transport_t ir_transport_amqp = {
    .open = open_stream,
    .close = close_stream,
    .pause = pause_stream,
    .resume = resume_stream,
    .acknowledge = acknowledge,
    .ready = is_ready,
    .figures = tell_figures,
    .stop = stop_stream,
};
