#include "loadgen/feed.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "loadgen/schedule.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURN_MESSAGES 256
/* With a rate, all that is due goes out once in this time: waking for each message would cost more
 * than the message. */
#define TICK_NS IR_MILLISECOND_NS
#define LOOK_NS (20 * IR_MILLISECOND_NS) /* longest wait before a stop is seen */
#define FIRST_BACKOFF_NS (100 * IR_MILLISECOND_NS)
#define LONGEST_BACKOFF_NS (2 * IR_SECOND_NS)
#define LOG_EVERY_NS (5 * IR_SECOND_NS)

struct ir_feed {
    ir_feed_options_t options;
    const ir_source_t *source;
    ir_receipts_t *receipts;
    ir_ledger_writer_t *ledger;
    void *sender;
    pthread_t thread;
    atomic_bool stop, abandon, done;

    /* the thread's */
    ir_schedule_t schedule;
    ir_buffer_t body;
    ir_id_t raw_ids[IR_FEED_WINDOW_MAX]; /* of the message N at N % IR_FEED_WINDOW_MAX */
    ir_id_t *observation_ids;
    uint64_t settled, next; /* messages in between are sent and not confirmed */
    bool full;              /* the window was full and is not yet well below */
    int64_t blocked_ns;     /* since when the receipts have no room; 0: they have */
    int64_t trouble_ns;     /* since when the broker does not work; 0: it works */
    int64_t logged_ns;
    ir_backoff_t backoff;
    ir_status_t status;
    ir_error_t error;

    /* the thread's to write, anyone's to read */
    atomic_uint_fast64_t messages_sent, observations_sent;
    atomic_uint_fast64_t messages_confirmed, observations_confirmed, resent;
    atomic_int_fast64_t first_send_ns, last_confirm_ns;
};

static void fail(ir_feed_t *feed, const ir_error_t *error) {
    feed->status = error->status;
    feed->error = *error;
}

static void fail_for_memory(ir_feed_t *feed) {
    feed->status = ir_error_set(&feed->error, IR_ERR_MEMORY, "out of memory for a message");
}

static uint64_t pending(const ir_feed_t *feed) {
    return feed->next - feed->settled;
}

/* ---- one message ---- */

static bool make_body(ir_feed_t *feed, uint64_t number) {
    ir_buffer_clear(&feed->body);
    ir_source_body(feed->source, number, &feed->body);
    if (!ir_buffer_ok(&feed->body)) {
        fail_for_memory(feed);
        return false;
    }
    return true;
}

static ir_id_t *raw_id_of(ir_feed_t *feed, uint64_t number) {
    return &feed->raw_ids[number % IR_FEED_WINDOW_MAX];
}

/* Its body is in feed->body. */
static ir_outcome_t give(ir_feed_t *feed, uint64_t number, const ir_source_message_t *message,
                         ir_error_t *error) {
    char id[IR_ID_TEXT_SIZE];
    const ir_parcel_t parcel = {
        .routing_key = message->routing_key,
        .content_type = feed->source->content_type,
        .message_id = ir_view_text(ir_id_format(raw_id_of(feed, number), id)),
        .body = ir_buffer_view(&feed->body),
    };
    const ir_outcome_t outcome = feed->options.sender->send(feed->sender, &parcel, error);
    if (outcome == IR_OUTCOME_REJECT) {
        fail(feed, error);
    }
    return outcome;
}

static bool has_room(ir_feed_t *feed, const ir_source_message_t *message, int64_t due_ns,
                     int64_t now_ns) {
    const int64_t intended_ns = feed->options.rate > 0 ? due_ns : now_ns;
    if (feed->receipts == NULL || ir_receipts_expect(feed->receipts, raw_id_of(feed, feed->next),
                                                     message->mote_number, intended_ns, now_ns)) {
        feed->blocked_ns = 0;
        return true;
    }
    if (feed->blocked_ns == 0) {
        feed->blocked_ns = now_ns;
    } else if (now_ns - feed->blocked_ns > feed->options.stall_ns) {
        feed->status = ir_error_set(&feed->error, IR_ERR_TIMEOUT,
                                    "an early message has not come back although as many as "
                                    "'outstanding' allows were sent after it: is a worker running, "
                                    "or was it rejected?");
    }
    return false;
}

static void count_sent(ir_feed_t *feed, const ir_source_message_t *message, int64_t now_ns) {
    if (feed->next == 0) {
        atomic_store(&feed->first_send_ns, now_ns);
    }
    feed->next++;
    ir_schedule_advance(&feed->schedule, message->n_records);
    atomic_fetch_add(&feed->messages_sent, 1);
    atomic_fetch_add(&feed->observations_sent, message->n_records);
}

/* Sends the next message, or leaves it when the receipts have no room. A message that was given
 * counts as sent whatever the outcome: it may have arrived. */
static ir_outcome_t send_next(ir_feed_t *feed, int64_t due_ns, int64_t now_ns, ir_error_t *error) {
    ir_source_message_t message;
    ir_source_get(feed->source, feed->next, &message);
    if (!make_body(feed, feed->next)) {
        return IR_OUTCOME_REJECT;
    }
    if (!ir_id_raw(message.mote, ir_buffer_view(&feed->body), raw_id_of(feed, feed->next))) {
        fail_for_memory(feed);
        return IR_OUTCOME_REJECT;
    }
    if (!has_room(feed, &message, due_ns, now_ns)) {
        return IR_OUTCOME_OK;
    }
    const uint64_t number = feed->next;
    count_sent(feed, &message, now_ns);
    return give(feed, number, &message, error);
}

/* ---- confirms ---- */

static void write_ledger(ir_feed_t *feed, char kind, uint64_t number, size_t n_records) {
    if (feed->ledger == NULL) {
        return;
    }
    ir_error_t error;
    if (!ir_source_ids(feed->source, number, feed->observation_ids)) {
        fail_for_memory(feed);
    } else if (ir_ledger_write(feed->ledger, kind, raw_id_of(feed, number), feed->observation_ids,
                               n_records, &error) != IR_OK) {
        fail(feed, &error);
    }
}

static void take_settled(ir_feed_t *feed, uint64_t count) {
    if (count == 0) {
        return;
    }
    uint64_t observations = 0;
    for (uint64_t i = 0; i < count && feed->status == IR_OK; i++) {
        ir_source_message_t message;
        ir_source_get(feed->source, feed->settled, &message);
        write_ledger(feed, message.n_accepted > 0 ? 'm' : 'r', feed->settled, message.n_accepted);
        observations += message.n_records;
        feed->settled++;
    }
    atomic_store(&feed->messages_confirmed, feed->settled);
    atomic_fetch_add(&feed->observations_confirmed, observations);
    atomic_store(&feed->last_confirm_ns, ir_clock_monotonic());
    feed->trouble_ns = 0;
    ir_backoff_reset(&feed->backoff);
}

static ir_outcome_t push(ir_feed_t *feed, int64_t wait_ns, ir_error_t *error) {
    uint64_t settled = 0;
    const ir_outcome_t outcome = feed->options.sender->push(feed->sender, wait_ns, &settled, error);
    take_settled(feed, settled);
    return outcome;
}

static bool has_more(const ir_feed_t *feed) {
    return feed->next < feed->source->messages && !atomic_load(&feed->stop);
}

/* ---- trouble ---- */

static void sleep_for(const ir_feed_t *feed, int64_t wait_ns) {
    const int64_t end_ns = ir_clock_monotonic() + wait_ns;
    for (int64_t left_ns = wait_ns; left_ns > 0 && !atomic_load(&feed->abandon);
         left_ns = end_ns - ir_clock_monotonic()) {
        const int64_t slice_ns = left_ns < LOOK_NS ? left_ns : LOOK_NS;
        const struct timespec slice = {.tv_nsec = slice_ns};
        nanosleep(&slice, NULL);
    }
}

static void wait_for_better(ir_feed_t *feed, const ir_error_t *error) {
    const int64_t now_ns = ir_clock_monotonic();
    feed->trouble_ns = feed->trouble_ns == 0 ? now_ns : feed->trouble_ns;
    if (now_ns - feed->trouble_ns > feed->options.retry_ns ||
        (feed->next == 0 && ir_feed_is_final(error->status))) {
        fail(feed, error);
        return;
    }
    ir_log_limited(&feed->logged_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s%s; trying again", error->text,
                   error->status == IR_ERR_NOT_FOUND ? " (ir-worker --declare makes it)" : "");
    sleep_for(feed, ir_backoff_next(&feed->backoff));
}

static bool goes_on(const ir_feed_t *feed) {
    return feed->status == IR_OK && !atomic_load(&feed->abandon);
}

static ir_outcome_t resend_all(ir_feed_t *feed, ir_error_t *error) {
    ir_outcome_t outcome = IR_OUTCOME_OK;
    for (uint64_t number = feed->settled;
         number < feed->next && outcome == IR_OUTCOME_OK && goes_on(feed); number++) {
        ir_source_message_t message;
        ir_source_get(feed->source, number, &message);
        if (!make_body(feed, number)) {
            return IR_OUTCOME_REJECT;
        }
        if (feed->receipts != NULL) {
            ir_receipts_resent(feed->receipts, raw_id_of(feed, number));
        }
        outcome = give(feed, number, &message, error);
        atomic_fetch_add(&feed->resent, outcome == IR_OUTCOME_OK);
    }
    return outcome;
}

/* After RETRY: until the broker has taken everything again that is not settled. */
static void recover(ir_feed_t *feed, ir_error_t *error) {
    ir_outcome_t outcome = IR_OUTCOME_RETRY;
    while (outcome == IR_OUTCOME_RETRY && goes_on(feed) && (has_more(feed) || pending(feed) > 0)) {
        wait_for_better(feed, error);
        if (goes_on(feed)) {
            outcome = feed->options.sender->connect(feed->sender, error);
        }
        if (outcome == IR_OUTCOME_OK) {
            outcome = resend_all(feed, error);
        }
    }
}

/* ---- the thread ---- */

/* A full window is left to drain a little, so that messages go out in groups. */
static bool has_window(ir_feed_t *feed) {
    const uint64_t open = pending(feed);
    if (open >= feed->options.window) {
        feed->full = true;
    } else if (open <= feed->options.window * 3 / 4) {
        feed->full = false;
    }
    return !feed->full;
}

static ir_outcome_t send_due(ir_feed_t *feed, ir_error_t *error) {
    ir_outcome_t outcome = IR_OUTCOME_OK;
    for (int i = 0; i < TURN_MESSAGES && outcome == IR_OUTCOME_OK; i++) {
        if (!goes_on(feed) || !has_more(feed) || !has_window(feed)) {
            break;
        }
        const int64_t now_ns = ir_clock_monotonic();
        const int64_t due_ns = ir_schedule_due(&feed->schedule);
        const uint64_t before = feed->next;
        outcome = due_ns <= now_ns ? send_next(feed, due_ns, now_ns, error) : IR_OUTCOME_OK;
        if (feed->next == before) {
            break;
        }
    }
    return outcome;
}

/* How long nothing need be sent. */
static int64_t leisure(ir_feed_t *feed) {
    if (!has_more(feed) || !has_window(feed)) {
        return LOOK_NS;
    }
    if (feed->blocked_ns != 0) {
        return TICK_NS;
    }
    const int64_t wait_ns = ir_schedule_due(&feed->schedule) - ir_clock_monotonic();
    if (feed->options.rate > 0 && wait_ns < TICK_NS) {
        return TICK_NS;
    }
    return wait_ns < 0 ? 0 : wait_ns < LOOK_NS ? wait_ns : LOOK_NS;
}

static ir_outcome_t wait_turn(ir_feed_t *feed, ir_error_t *error) {
    const int64_t wait_ns = leisure(feed);
    if (wait_ns != TICK_NS) {
        return push(feed, wait_ns, error);
    }
    /* Every confirm would end the wait of a push. */
    const ir_outcome_t outcome = push(feed, 0, error);
    const struct timespec tick = {.tv_nsec = TICK_NS};
    nanosleep(&tick, NULL);
    return outcome;
}

static void take_turn(ir_feed_t *feed) {
    ir_error_t error = {.status = IR_OK};
    ir_outcome_t outcome = send_due(feed, &error);
    if (outcome == IR_OUTCOME_OK && goes_on(feed)) {
        outcome = wait_turn(feed, &error);
    }
    if (outcome == IR_OUTCOME_RETRY) {
        recover(feed, &error);
    }
}

static void connect_first(ir_feed_t *feed) {
    ir_error_t error = {.status = IR_OK};
    if (feed->options.sender->connect(feed->sender, &error) != IR_OUTCOME_OK) {
        recover(feed, &error);
    }
}

/* What may or may not have arrived. */
static void leave_unconfirmed(ir_feed_t *feed) {
    for (uint64_t number = feed->settled; number < feed->next; number++) {
        ir_source_message_t message;
        ir_source_get(feed->source, number, &message);
        write_ledger(feed, 'u', number, message.n_accepted);
    }
}

static void *run(void *context) {
    ir_feed_t *feed = context;
    connect_first(feed);
    ir_schedule_init(&feed->schedule, feed->options.rate, ir_clock_monotonic());
    while (goes_on(feed) && (has_more(feed) || pending(feed) > 0)) {
        take_turn(feed);
    }
    leave_unconfirmed(feed);
    atomic_store(&feed->done, true);
    return NULL;
}

/* ---- life ---- */

static void free_feed(ir_feed_t *feed) {
    if (feed != NULL) {
        feed->options.sender->close(feed->sender);
        ir_buffer_free(&feed->body);
        free(feed->observation_ids);
        free(feed);
    }
}

static ir_feed_t *new_feed(const ir_feed_options_t *options, const ir_source_t *source) {
    ir_feed_t *feed = calloc(1, sizeof *feed);
    if (feed == NULL) {
        return NULL;
    }
    feed->options = *options;
    feed->source = source;
    ir_buffer_init(&feed->body);
    ir_backoff_init(&feed->backoff, FIRST_BACKOFF_NS, LONGEST_BACKOFF_NS);
    feed->observation_ids = calloc(source->records_max, sizeof *feed->observation_ids);
    feed->sender = options->sender->open(&feed->options.broker);
    if (feed->observation_ids == NULL || feed->sender == NULL) {
        free_feed(feed);
        return NULL;
    }
    return feed;
}

ir_status_t ir_feed_start(const ir_feed_options_t *options, const ir_source_t *source,
                          ir_receipts_t *receipts, ir_ledger_writer_t *ledger, ir_feed_t **feed,
                          ir_error_t *error) {
    ir_feed_t *made = new_feed(options, source);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the sender");
    }
    made->receipts = receipts;
    made->ledger = ledger;
    const int failed = pthread_create(&made->thread, NULL, run, made);
    if (failed != 0) {
        free_feed(made);
        return ir_error_set(error, IR_ERR_MEMORY, "cannot start the sender's thread: %s",
                            strerror(failed));
    }
    *feed = made;
    return IR_OK;
}

void ir_feed_count(const ir_feed_t *feed, ir_feed_counts_t *counts) {
    *counts = (ir_feed_counts_t){
        .messages_confirmed = atomic_load(&feed->messages_confirmed),
        .observations_confirmed = atomic_load(&feed->observations_confirmed),
        .messages_sent = atomic_load(&feed->messages_sent),
        .observations_sent = atomic_load(&feed->observations_sent),
        .resent = atomic_load(&feed->resent),
        .first_send_ns = atomic_load(&feed->first_send_ns),
        .last_confirm_ns = atomic_load(&feed->last_confirm_ns),
    };
}

bool ir_feed_done(const ir_feed_t *feed) {
    return atomic_load(&feed->done);
}

void ir_feed_stop(ir_feed_t *feed) {
    atomic_store(&feed->stop, true);
}

void ir_feed_abandon(ir_feed_t *feed) {
    atomic_store(&feed->stop, true);
    atomic_store(&feed->abandon, true);
}

ir_status_t ir_feed_join(ir_feed_t *feed, ir_error_t *error) {
    pthread_join(feed->thread, NULL);
    const ir_status_t status = feed->status;
    if (status != IR_OK && error != NULL) {
        *error = feed->error;
    }
    free_feed(feed);
    return status;
}
