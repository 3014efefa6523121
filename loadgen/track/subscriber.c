#include "loadgen/track/subscriber.h"

#include "broker/assembly.h"
#include "broker/listen.h"
#include "broker/rabbitmq_c.h"
#include "broker/topology.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHANNEL 1
#define CHANNEL_REJECTED 2
#define WAIT_NS (100 * IR_MILLISECOND_NS)
#define FIRST_BACKOFF_NS (100 * IR_MILLISECOND_NS)
#define LONGEST_BACKOFF_NS (2 * IR_SECOND_NS)
#define KEEP_NO_BODY 0
#define BINDING_SIZE 64

struct ir_subscriber {
    ir_subscriber_options_t options;
    ir_tracker_t *receipts;
    pthread_t thread;
    atomic_bool stop;

    pthread_mutex_t mutex; /* for the following */
    bool ready;
    uint64_t sessions;
    ir_error_t error;
    bool sees_rejected;

    amqp_connection_state_t connection; /* the thread's */
    ir_assembly_t assembly, rejected;
};

/* ---- what others see ---- */

static void set_state(ir_subscriber_t *subscriber, bool ready, const ir_error_t *error) {
    pthread_mutex_lock(&subscriber->mutex);
    subscriber->ready = ready;
    subscriber->sessions += ready;
    subscriber->error = *error;
    pthread_mutex_unlock(&subscriber->mutex);
}

bool ir_subscriber_ready(ir_subscriber_t *subscriber, ir_error_t *error) {
    pthread_mutex_lock(&subscriber->mutex);
    const bool ready = subscriber->ready;
    if (!ready && error != NULL) {
        *error = subscriber->error;
    }
    pthread_mutex_unlock(&subscriber->mutex);
    return ready;
}

uint64_t ir_subscriber_gaps(ir_subscriber_t *subscriber) {
    pthread_mutex_lock(&subscriber->mutex);
    const uint64_t sessions = subscriber->sessions;
    pthread_mutex_unlock(&subscriber->mutex);
    return sessions > 0 ? sessions - 1 : 0;
}

bool ir_subscriber_sees_rejected(ir_subscriber_t *subscriber) {
    pthread_mutex_lock(&subscriber->mutex);
    const bool sees = subscriber->sees_rejected;
    pthread_mutex_unlock(&subscriber->mutex);
    return sees;
}

/* ---- subscribing ---- */

/* Without acknowledgements: what this side does not read in time fills the broker's queue, which
 * nobody else uses. */
static ir_status_t subscribe(const ir_subscriber_t *subscriber, amqp_channel_t channel,
                             const char *exchange, const char *const *patterns, size_t n_patterns,
                             ir_error_t *error) {
    char queue[IR_LISTEN_QUEUE_SIZE];
    const ir_listen_t listen = {
        .exchange = exchange, .patterns = patterns, .n_patterns = n_patterns};
    return ir_broker_listen(subscriber->connection, channel, &listen, queue, error);
}

static ir_status_t subscribe_processed(const ir_subscriber_t *subscriber, ir_error_t *error) {
    static const char *const any[] = {"#"};
    char texts[IR_RECEIPTS_FORMATS_MAX][BINDING_SIZE];
    const char *patterns[IR_RECEIPTS_FORMATS_MAX];
    const unsigned n_formats = subscriber->options.n_formats;
    if (subscriber->options.any) {
        return subscribe(subscriber, CHANNEL, IR_EXCHANGE_PROCESSED, any, 1, error);
    }
    for (unsigned i = 0; i < n_formats; i++) {
        snprintf(texts[i], sizeof texts[i], "%s.#", subscriber->options.formats[i]);
        patterns[i] = texts[i];
    }
    return subscribe(subscriber, CHANNEL, IR_EXCHANGE_PROCESSED, patterns, n_formats, error);
}

/* What was rejected can be left unseen: a user may lack the right. Then the broker has closed that
 * channel, and the connection goes on. */
static ir_status_t subscribe_rejected(ir_subscriber_t *subscriber, ir_error_t *error) {
    static const char *const all[] = {""};
    const ir_status_t status =
        subscribe(subscriber, CHANNEL_REJECTED, IR_EXCHANGE_REJECTED, all, 1, error);
    pthread_mutex_lock(&subscriber->mutex);
    subscriber->sees_rejected = status == IR_OK;
    pthread_mutex_unlock(&subscriber->mutex);
    return status == IR_ERR_AUTH || status == IR_ERR_NOT_FOUND ? IR_OK : status;
}

/* ---- messages ---- */

/* The format is the routing key's first word. */
static bool find_format(const ir_subscriber_t *subscriber, ir_view_t key, unsigned *number) {
    const char *dot = key.size > 0 ? memchr(key.data, '.', key.size) : NULL;
    const ir_view_t name = ir_view(key.data, dot != NULL ? (size_t)(dot - key.data) : key.size);
    for (unsigned i = 0; i < subscriber->options.n_formats; i++) {
        if (ir_view_equal(name, ir_view_text(subscriber->options.formats[i]))) {
            *number = i;
            return true;
        }
    }
    return false;
}

/* What follows its first word. */
static ir_view_t mote_of(ir_view_t key) {
    const char *dot = key.size > 0 ? memchr(key.data, '.', key.size) : NULL;
    const size_t before = dot != NULL ? (size_t)(dot - key.data) + 1 : key.size;
    return ir_view(key.data + before, key.size - before);
}

static void take_message(ir_subscriber_t *subscriber, const ir_assembled_t *message) {
    ir_id_t id;
    unsigned format = 0;
    if ((message->marks & IR_MARK_REVISION) != 0) {
        ir_tracker_revision(subscriber->receipts);
    } else if (ir_id_parse(message->message_id, &id) &&
               find_format(subscriber, message->routing_key, &format)) {
        ir_tracker_arrive(subscriber->receipts, &id, mote_of(message->routing_key), format,
                          (message->marks & (IR_MARK_REDELIVERED | IR_MARK_DUPLICATE)) != 0,
                          ir_clock_monotonic());
    }
}

/* A dead letter keeps the raw message's id. */
static void take_rejected(ir_subscriber_t *subscriber, const ir_assembled_t *message) {
    ir_id_t id;
    if (ir_id_parse(message->message_id, &id)) {
        ir_tracker_reject(subscriber->receipts, &id, mote_of(message->routing_key));
    }
}

static ir_status_t take_closing(const amqp_method_t *method, ir_error_t *error) {
    if (method->id == AMQP_BASIC_CANCEL_METHOD) {
        return ir_error_set(error, IR_ERR_CONNECT, "RabbitMQ cancelled the subscription");
    }
    return ir_broker_refusal(method, "the subscription was closed", error);
}

static ir_status_t take_frame(ir_subscriber_t *subscriber, const amqp_frame_t *frame,
                              ir_error_t *error) {
    if (frame->channel == 0) {
        bool blocked = false;
        return ir_broker_control(subscriber->connection, frame, &blocked, error);
    }
    if (frame->frame_type == AMQP_FRAME_METHOD &&
        frame->payload.method.id != AMQP_BASIC_DELIVER_METHOD) {
        return take_closing(&frame->payload.method, error);
    }
    ir_assembled_t message;
    const bool rejected = frame->channel == CHANNEL_REJECTED;
    ir_assembly_t *assembly = rejected ? &subscriber->rejected : &subscriber->assembly;
    switch (ir_assembly_take(assembly, frame, KEEP_NO_BODY, &message)) {
    case IR_ASSEMBLY_MORE:
        return IR_OK;
    case IR_ASSEMBLY_COMPLETE:
        (rejected ? take_rejected : take_message)(subscriber, &message);
        return IR_OK;
    case IR_ASSEMBLY_MEMORY:
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the subscription");
    default:
        return ir_error_set(error, IR_ERR_PROTOCOL,
                            "the subscription got a frame that does not belong there");
    }
}

/* Returns when stopped (IR_OK) or when the connection is of no use any more. The library drives the
 * heartbeats while it waits. */
static ir_status_t listen_on(ir_subscriber_t *subscriber, ir_error_t *error) {
    ir_status_t status = IR_OK;
    while (status == IR_OK && !atomic_load(&subscriber->stop)) {
        const struct timeval wait = {.tv_usec = WAIT_NS / 1000};
        amqp_frame_t frame;
        const int read = amqp_simple_wait_frame_noblock(subscriber->connection, &frame, &wait);
        if (read == AMQP_STATUS_OK) {
            status = take_frame(subscriber, &frame, error);
            amqp_maybe_release_buffers_on_channel(subscriber->connection, frame.channel);
        } else if (read != AMQP_STATUS_TIMEOUT) {
            status = ir_broker_fault(read, "the subscription broke", error);
        }
    }
    return status;
}

/* ---- life ---- */

static void run_session(ir_subscriber_t *subscriber, unsigned attempt, ir_backoff_t *backoff) {
    ir_error_t error = {.status = IR_OK};
    if (ir_broker_connect(&subscriber->options.broker, attempt, &subscriber->connection, &error) ==
        IR_OK) {
        ir_assembly_init(&subscriber->assembly);
        ir_assembly_init(&subscriber->rejected);
        if (subscribe_processed(subscriber, &error) == IR_OK &&
            subscribe_rejected(subscriber, &error) == IR_OK) {
            set_state(subscriber, true, &error);
            ir_backoff_reset(backoff);
            (void)listen_on(subscriber, &error);
        }
        ir_assembly_free(&subscriber->assembly);
        ir_assembly_free(&subscriber->rejected);
        ir_broker_disconnect(subscriber->connection);
        subscriber->connection = NULL;
    }
    set_state(subscriber, false, &error);
}

static void pause_for(const ir_subscriber_t *subscriber, int64_t wait_ns) {
    const int64_t end_ns = ir_clock_monotonic() + wait_ns;
    while (ir_clock_monotonic() < end_ns && !atomic_load(&subscriber->stop)) {
        const struct timespec slice = {.tv_nsec = 20 * IR_MILLISECOND_NS};
        nanosleep(&slice, NULL);
    }
}

static void *run(void *context) {
    ir_subscriber_t *subscriber = context;
    ir_backoff_t backoff;
    ir_backoff_init(&backoff, FIRST_BACKOFF_NS, LONGEST_BACKOFF_NS);
    for (unsigned attempt = 0; !atomic_load(&subscriber->stop); attempt++) {
        run_session(subscriber, attempt, &backoff);
        pause_for(subscriber, ir_backoff_next(&backoff));
    }
    return NULL;
}

ir_status_t ir_subscriber_start(const ir_subscriber_options_t *options, ir_tracker_t *receipts,
                                ir_subscriber_t **subscriber, ir_error_t *error) {
    ir_subscriber_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the subscription");
    }
    made->options = *options;
    made->options.broker.receives = true;
    made->receipts = receipts;
    pthread_mutex_init(&made->mutex, NULL);
    const int failed = ir_thread_start(&made->thread, run, made);
    if (failed != 0) {
        pthread_mutex_destroy(&made->mutex);
        free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "cannot start the subscriber's thread: %s",
                            strerror(failed));
    }
    *subscriber = made;
    return IR_OK;
}

void ir_subscriber_stop(ir_subscriber_t *subscriber) {
    if (subscriber != NULL) {
        atomic_store(&subscriber->stop, true);
        pthread_join(subscriber->thread, NULL);
        pthread_mutex_destroy(&subscriber->mutex);
        free(subscriber);
    }
}
