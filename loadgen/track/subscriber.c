#include "loadgen/track/subscriber.h"

#include "broker/subscription.h"
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

#define WAIT_NS (100 * IR_MILLISECOND_NS)
#define FIRST_BACKOFF_NS (100 * IR_MILLISECOND_NS)
#define LONGEST_BACKOFF_NS (2 * IR_SECOND_NS)
#define KEEP_NO_BODY 0
#define BINDING_SIZE 64

struct ir_subscriber {
    ir_subscriber_options_t options;
    ir_tracker_t *tracker;
    pthread_t thread;
    atomic_bool stop;
    ir_attempt_t attempt; /* to connect and to subscribe */

    pthread_mutex_t mutex; /* protects the following members */
    bool ready;
    uint64_t sessions;
    ir_error_t error;
    bool sees_rejected;

    ir_subscription_t *subscription; /* the thread's */
};

/* ---- state for other threads ---- */

static void set_state(ir_subscriber_t *subscriber, bool ready, const ir_error_t *error) {
    pthread_mutex_lock(&subscriber->mutex);
    subscriber->ready = ready;
    subscriber->sessions += ready;
    subscriber->error = *error;
    const bool again = ready && subscriber->sessions > 1;
    pthread_mutex_unlock(&subscriber->mutex);
    if (again) {
        ir_tracker_gap(subscriber->tracker);
    }
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

/* The part after its first word. */
static ir_view_t mote_of(ir_view_t key) {
    const char *dot = key.size > 0 ? memchr(key.data, '.', key.size) : NULL;
    const size_t before = dot != NULL ? (size_t)(dot - key.data) + 1 : key.size;
    return ir_view(key.data + before, key.size - before);
}

static void take_message(void *context, const ir_assembled_t *message) {
    const ir_subscriber_t *subscriber = context;
    ir_id_t id;
    unsigned format = 0;
    if ((message->marks & IR_MARK_REVISION) != 0) {
        ir_tracker_revision(subscriber->tracker);
    } else if (ir_id_parse(message->message_id, &id) &&
               find_format(subscriber, message->routing_key, &format)) {
        ir_tracker_arrive(subscriber->tracker, &id, mote_of(message->routing_key), format,
                          (message->marks & (IR_MARK_REDELIVERED | IR_MARK_DUPLICATE)) != 0,
                          ir_clock_monotonic());
    }
}

/* A dead letter has the id of the raw message. */
static void take_rejected(void *context, const ir_assembled_t *message) {
    const ir_subscriber_t *subscriber = context;
    ir_id_t id;
    if (ir_id_parse(message->message_id, &id)) {
        ir_tracker_reject(subscriber->tracker, &id, mote_of(message->routing_key));
    }
}

/* ---- subscribing ---- */

/* Consumes without acknowledgements. If this program reads too slowly, messages pile up on the
 * broker, in a queue that only this program uses. */
static ir_status_t subscribe(ir_subscriber_t *subscriber, const char *exchange,
                             const char *const *patterns, size_t n_patterns,
                             void (*message)(void *, const ir_assembled_t *), ir_error_t *error) {
    const ir_listen_t listen = {
        .exchange = exchange, .patterns = patterns, .n_patterns = n_patterns};
    const ir_subscription_reader_t reader = {
        .body_most = KEEP_NO_BODY, .message = message, .context = subscriber};
    return ir_subscription_add(subscriber->subscription, &listen, &reader, error);
}

static ir_status_t subscribe_processed(ir_subscriber_t *subscriber, ir_error_t *error) {
    static const char *const any[] = {"#"};
    char texts[IR_TRACKER_FORMATS_MAX][BINDING_SIZE];
    const char *patterns[IR_TRACKER_FORMATS_MAX];
    const unsigned n_formats = subscriber->options.n_formats;
    if (subscriber->options.any) {
        return subscribe(subscriber, IR_EXCHANGE_PROCESSED, any, 1, take_message, error);
    }
    for (unsigned i = 0; i < n_formats; i++) {
        snprintf(texts[i], sizeof texts[i], "%s.#", subscriber->options.formats[i]);
        patterns[i] = texts[i];
    }
    return subscribe(subscriber, IR_EXCHANGE_PROCESSED, patterns, n_formats, take_message, error);
}

/* Reading ir.rejected is optional. If the user lacks the permission, the broker closes that
 * channel, and the connection stays usable. */
static ir_status_t subscribe_rejected(ir_subscriber_t *subscriber, ir_error_t *error) {
    static const char *const all[] = {""};
    const ir_status_t status =
        subscribe(subscriber, IR_EXCHANGE_REJECTED, all, 1, take_rejected, error);
    pthread_mutex_lock(&subscriber->mutex);
    subscriber->sees_rejected = status == IR_OK;
    pthread_mutex_unlock(&subscriber->mutex);
    return status == IR_ERR_AUTH || status == IR_ERR_NOT_FOUND ? IR_OK : status;
}

/* ---- life ---- */

static ir_status_t subscribe_all(ir_subscriber_t *subscriber, ir_error_t *error) {
    const ir_status_t status = subscribe_processed(subscriber, error);
    return status == IR_OK ? subscribe_rejected(subscriber, error) : status;
}

/* Returns when stopped or when the connection is no longer usable. */
static void run_session(ir_subscriber_t *subscriber, unsigned attempt, ir_backoff_t *backoff) {
    ir_error_t error = {.status = IR_OK};
    ir_status_t status = ir_subscription_open(&subscriber->options.broker, attempt,
                                              &subscriber->subscription, &error);
    if (status == IR_OK) {
        status = subscribe_all(subscriber, &error);
        (void)ir_attempt_use(&subscriber->attempt, -1);
        if (status == IR_OK) {
            set_state(subscriber, true, &error);
            ir_backoff_reset(backoff);
        }
        while (status == IR_OK && !atomic_load(&subscriber->stop)) {
            status = ir_subscription_take(subscriber->subscription, WAIT_NS, &error);
        }
        ir_subscription_close(subscriber->subscription);
        subscriber->subscription = NULL;
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

ir_status_t ir_subscriber_start(const ir_subscriber_options_t *options, ir_tracker_t *tracker,
                                ir_subscriber_t **subscriber, ir_error_t *error) {
    ir_subscriber_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the subscription");
    }
    made->options = *options;
    made->options.broker.attempt = &made->attempt;
    made->tracker = tracker;
    ir_attempt_init(&made->attempt);
    pthread_mutex_init(&made->mutex, NULL);
    const int failed = ir_thread_start(&made->thread, run, made);
    if (failed != 0) {
        ir_attempt_destroy(&made->attempt);
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
        ir_attempt_cancel(&subscriber->attempt);
        pthread_join(subscriber->thread, NULL);
        ir_attempt_destroy(&subscriber->attempt);
        pthread_mutex_destroy(&subscriber->mutex);
        free(subscriber);
    }
}
