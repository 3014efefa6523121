#include "loadgen/feed.h"

#include "common/backoff.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "loadgen/lateness.h"
#include "loadgen/window.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURN_MESSAGES IR_LATENESS_MAX
#define TURN_SKIPS 65536 /* messages of other feeds' motes that are passed over in one turn */
/* With a rate, all that is due goes out once in this time: waking for each message would cost more
 * than the message. */
#define TICK_NS IR_MILLISECOND_NS
#define LOOK_NS (20 * IR_MILLISECOND_NS) /* longest wait before a stop is seen */
#define FIRST_BACKOFF_NS (100 * IR_MILLISECOND_NS)
#define LONGEST_BACKOFF_NS (2 * IR_SECOND_NS)
#define LOG_EVERY_NS (5 * IR_SECOND_NS)
#define GRACE_NS (200 * IR_MILLISECOND_NS) /* after an order's end, for what was due before it */
#define UNSENT_MAX 10000000

/* One sender with its connections. */
typedef struct ir_lane {
    ir_feed_t *feed;
    void *sender;
    bool up;
    int64_t retry_ns;   /* when to try again, while not up */
    int64_t trouble_ns; /* since when it does not work; 0: it works */
    ir_backoff_t backoff;
    unsigned given;   /* messages that the sender has and has not answered */
    unsigned kept;    /* messages that were not answered and are to be given again */
    unsigned allowed; /* at most so many are given: halved by a loss, and one more for as many
                         confirms, so that what is refused or cut off is little */
    unsigned credit;  /* confirms since `allowed` last changed */
} ir_lane_t;

typedef struct ir_answered {
    uint64_t place;
    ir_answer_t answer;
} ir_answered_t;

struct ir_feed {
    ir_feed_options_t options;
    ir_feed_shared_t shared;
    pthread_t thread;
    atomic_bool stop, abandon, finish, ready, idle, dry, ran_dry, failed, done;
    atomic_bool reached; /* what was given may have arrived */

    pthread_mutex_t mutex; /* for the following */
    ir_order_t order;
    bool ordered; /* not yet taken up */
    ir_latency_t confirms;
    ir_histogram_t *late;

    /* the thread's */
    ir_lane_t *lanes;
    ir_window_t *window;
    ir_answered_t *answered;
    unsigned n_answered;
    ir_schedule_t schedule;
    bool active; /* an order is at hand */
    int64_t end_ns;
    uint64_t next; /* number of the message that is looked at */
    ir_source_message_t message;
    bool looked;        /* `message` is it */
    bool full;          /* the window was full and is not yet well below */
    int64_t blocked_ns; /* since when the receipts have no room; 0: they have */
    ir_lateness_t lateness;
    ir_id_t *observation_ids;
    int64_t logged_ns, logged_again_ns, logged_refused_ns;
    ir_status_t status;
    ir_error_t error;

    /* the thread's to write, anyone's to read */
    atomic_uint_fast64_t messages_sent, observations_sent;
    atomic_uint_fast64_t messages_confirmed, observations_confirmed;
    atomic_uint_fast64_t messages_refused, observations_refused;
    atomic_uint_fast64_t messages_lost, observations_lost;
    atomic_uint_fast64_t messages_unsent, observations_unsent;
    atomic_uint_fast64_t unmeant, repeats, resent, failures;
    atomic_int_fast64_t first_send_ns, last_confirm_ns;
    atomic_int_fast64_t last_due_ns, last_send_ns;
    atomic_int_fast64_t due_ns, due_end_ns; /* of the next message; 0: nothing is due */
    _Atomic double rate;                    /* this feed's, on average */
};

/* Only the thread writes: no need for an atomic addition. */
static void count(atomic_uint_fast64_t *counter, uint64_t by) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

static void fail(ir_feed_t *feed, const ir_error_t *error) {
    if (feed->status == IR_OK) {
        feed->status = error->status;
        feed->error = *error;
    }
}

static void fail_for_memory(ir_feed_t *feed) {
    ir_error_t error;
    ir_error_set(&error, IR_ERR_MEMORY, "out of memory for a message");
    fail(feed, &error);
}

static bool goes_on(const ir_feed_t *feed) {
    return feed->status == IR_OK && !atomic_load(&feed->abandon);
}

static bool has_more(const ir_feed_t *feed) {
    return feed->next < feed->shared.source->messages &&
           feed->options.index < feed->shared.source->motes && !atomic_load(&feed->stop);
}

static bool is_mine(const ir_feed_t *feed, const ir_source_message_t *message) {
    return message->mote_number % feed->options.feeds == feed->options.index;
}

/* ---- trouble ---- */

static void take_answers(ir_feed_t *feed);

/* Only what has no answer is given again. */
static void keep_given(ir_feed_t *feed, ir_lane_t *lane) {
    lane->allowed = lane->given > 1 ? lane->given / 2 : 1;
    lane->kept += lane->given;
    lane->given = lane->credit = 0;
    for (ir_open_t *open = NULL; (open = ir_window_next(feed->window, open)) != NULL;) {
        open->given = open->given && &feed->lanes[open->lane] != lane;
    }
}

/* The lane is of no use until it is connected anew. */
static void lose_lane(ir_feed_t *feed, ir_lane_t *lane, const ir_error_t *error) {
    const int64_t now_ns = ir_clock_monotonic();
    take_answers(feed);
    if (lane->given > 0) {
        keep_given(feed, lane);
    }
    lane->up = false;
    lane->trouble_ns = lane->trouble_ns == 0 ? now_ns : lane->trouble_ns;
    count(&feed->failures, 1);
    if (now_ns - lane->trouble_ns > feed->options.retry_ns ||
        (atomic_load(&feed->messages_sent) == 0 && ir_feed_is_final(error->status))) {
        fail(feed, error);
        return;
    }
    ir_log_limited(&feed->logged_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s%s; trying again", error->text,
                   error->status == IR_ERR_NOT_FOUND ? " (ir-worker --declare makes it)" : "");
    lane->retry_ns = now_ns + ir_backoff_next(&lane->backoff);
}

static void take_outcome(ir_feed_t *feed, ir_lane_t *lane, ir_outcome_t outcome,
                         const ir_error_t *error) {
    if (outcome == IR_OUTCOME_RETRY) {
        lose_lane(feed, lane, error);
    } else if (outcome == IR_OUTCOME_REFUSED) {
        fail(feed, error);
    }
}

/* ---- one message ---- */

static ir_lane_t *lane_of(ir_feed_t *feed, unsigned mote_number) {
    return &feed->lanes[mote_number / feed->options.feeds % feed->options.lanes];
}

static void settle(ir_feed_t *feed, ir_open_t *open, bool confirmed);

/* One that can never go is refused; the others go on. */
static void give(ir_feed_t *feed, ir_open_t *open, const ir_source_message_t *message) {
    ir_error_t error = {.status = IR_OK};
    ir_lane_t *lane = &feed->lanes[open->lane];
    const ir_parcel_t parcel = {
        .number = ir_window_place(feed->window, open),
        .mote_number = message->mote_number,
        .mote = message->mote,
        .routing_key = message->routing_key,
        .content_type = feed->shared.source->content_type,
        .name = ir_view_text(message->name),
        .body = ir_buffer_view(&open->body),
    };
    open->given = true;
    lane->given++;
    const ir_outcome_t outcome = feed->options.target->sender->send(lane->sender, &parcel, &error);
    if (outcome == IR_OUTCOME_REFUSED && error.status != IR_ERR_MEMORY) {
        ir_log_limited(&feed->logged_refused_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s", error.text);
        settle(feed, open, false);
    } else {
        take_outcome(feed, lane, outcome, &error);
    }
}

/* The raw id that the worker will give it, unless that follows from the arrival. */
static void find_raw_id(const ir_feed_t *feed, ir_open_t *open) {
    const ir_source_message_t *message = &feed->message;
    const bool malformed = (message->faults & IR_FAULT_MALFORMED) != 0;
    ir_raw_key_t key = {.kind = IR_RAW_ABSOLUTE,
                        .mote = message->mote,
                        .body = ir_buffer_view(&open->body),
                        .name = ir_view_text(message->name),
                        .time_ns = message->time_ns};
    open->arrives = message->timed.timing != IR_TIMING_ABSOLUTE && !malformed;
    open->raw_id_known =
        !open->arrives || (key.name.size > 0 && feed->options.target->sender->names);
    if (malformed) {
        key.kind = IR_RAW_PLAIN;
    } else if (open->arrives) {
        key.kind = IR_RAW_NAMED;
    }
    if (open->raw_id_known) {
        ir_id_raw(&key, &open->raw_id);
    }
}

static bool render(ir_feed_t *feed, ir_open_t *open) {
    ir_source_body(feed->shared.source, open->number, &open->body);
    if (!ir_buffer_ok(&open->body)) {
        fail_for_memory(feed);
        return false;
    }
    find_raw_id(feed, open);
    return true;
}

static void note_stall(ir_feed_t *feed, int64_t now_ns) {
    if (feed->blocked_ns == 0) {
        feed->blocked_ns = now_ns;
    } else if (now_ns - feed->blocked_ns > feed->options.stall_ns) {
        ir_error_t error;
        ir_error_set(&error, IR_ERR_TIMEOUT,
                     "an early message has not come back although as many as 'outstanding' allows "
                     "were sent after it: is a worker running, or was it rejected?");
        fail(feed, &error);
    }
}

static bool has_room(ir_feed_t *feed, ir_open_t *open) {
    const ir_expected_t expected = {
        .raw_id = open->raw_id_known ? &open->raw_id : NULL,
        .mote = feed->message.mote_number,
        .n_records = open->n_records,
        .n_accepted = open->n_accepted,
        .intended_ns = open->intended_ns,
        .sent_ns = open->sent_ns,
    };
    if (feed->shared.receipts == NULL || open->repeat ||
        ir_receipts_expect(feed->shared.receipts, &expected, &open->ticket)) {
        feed->blocked_ns = 0;
        return true;
    }
    note_stall(feed, open->sent_ns);
    return false;
}

/* The message looked at, in the window; NULL when it cannot go now. */
static ir_open_t *open_message(ir_feed_t *feed, int64_t due_ns, int64_t now_ns) {
    ir_open_t *open = ir_window_take(feed->window);
    open->number = feed->next;
    open->intended_ns = ir_schedule_is_timed(&feed->schedule) ? due_ns : now_ns;
    open->sent_ns = now_ns;
    open->sent = 1;
    open->lane = (uint32_t)(lane_of(feed, feed->message.mote_number) - feed->lanes);
    open->n_records = (uint32_t)feed->message.n_records;
    open->n_accepted = (uint32_t)feed->message.n_accepted;
    open->repeat = feed->message.original != feed->next;
    if (!render(feed, open) || !has_room(feed, open)) {
        ir_window_release(feed->window, open);
        return NULL;
    }
    return open;
}

static void step_on(ir_feed_t *feed) {
    ir_schedule_advance(&feed->schedule, feed->next, feed->message.n_records);
    feed->next++;
    feed->looked = false;
}

static void count_sent(ir_feed_t *feed, const ir_open_t *open) {
    if (atomic_load_explicit(&feed->first_send_ns, memory_order_relaxed) == 0) {
        atomic_store(&feed->first_send_ns, open->sent_ns);
    }
    count(&feed->messages_sent, 1);
    count(&feed->observations_sent, open->n_records);
    if (ir_schedule_is_timed(&feed->schedule)) {
        atomic_store_explicit(&feed->last_due_ns, open->intended_ns, memory_order_relaxed);
        atomic_store_explicit(&feed->last_send_ns, open->sent_ns, memory_order_relaxed);
        ir_lateness_add(&feed->lateness, open->intended_ns, open->sent_ns);
    }
}

/* Sends the message looked at; false when it cannot go now. A message that was given counts as sent
 * whatever the outcome: it may have arrived. */
static bool send_message(ir_feed_t *feed, int64_t due_ns, int64_t now_ns) {
    ir_open_t *open = open_message(feed, due_ns, now_ns);
    if (open == NULL) {
        return false;
    }
    ir_lateness_release(&feed->lateness, now_ns);
    count_sent(feed, open);
    const ir_source_message_t message = feed->message;
    step_on(feed);
    give(feed, open, &message);
    return true;
}

/* ---- what is due ---- */

/* A full window is left to drain a little, so that messages go out in groups. */
static bool has_window(ir_feed_t *feed) {
    const unsigned open = ir_window_count(feed->window);
    if (open >= feed->options.window) {
        feed->full = true;
    } else if (open <= feed->options.window * 3 / 4) {
        feed->full = false;
    }
    return !feed->full;
}

/* What is to go again goes first. */
static bool has_lane(ir_feed_t *feed) {
    const ir_lane_t *lane = lane_of(feed, feed->message.mote_number);
    return lane->up && lane->kept == 0 && lane->given < lane->allowed;
}

static int64_t look(ir_feed_t *feed) {
    if (!feed->looked) {
        ir_source_get(feed->shared.source, feed->next, &feed->message);
        feed->looked = true;
    }
    return ir_schedule_due(&feed->schedule, feed->message.due_ns);
}

/* Sends the next message of its own if it is due. False: nothing more in this turn. */
static bool send_one(ir_feed_t *feed, unsigned *skips) {
    const int64_t now_ns = ir_clock_monotonic();
    int64_t due_ns = look(feed);
    while (due_ns <= now_ns && due_ns < feed->end_ns && !is_mine(feed, &feed->message)) {
        step_on(feed);
        if (!has_more(feed) || ++*skips > TURN_SKIPS) {
            return false;
        }
        due_ns = look(feed);
    }
    if (due_ns > now_ns || due_ns >= feed->end_ns || now_ns - GRACE_NS > feed->end_ns) {
        return false;
    }
    if (!has_lane(feed) || !has_window(feed) || !send_message(feed, due_ns, now_ns)) {
        ir_lateness_hold(&feed->lateness, now_ns);
        return false;
    }
    return true;
}

static void send_due(ir_feed_t *feed) {
    unsigned skips = 0;
    const ir_calls_t calls = ir_lateness_watch();
    for (unsigned i = 0; i < TURN_MESSAGES && feed->active && goes_on(feed) && has_more(feed);
         i++) {
        if (!send_one(feed, &skips)) {
            break;
        }
    }
    ir_lateness_judge(&feed->lateness, &calls, 0);
    if (feed->lateness.count > 0) {
        pthread_mutex_lock(&feed->mutex);
        ir_lateness_take(&feed->lateness, feed->late);
        pthread_mutex_unlock(&feed->mutex);
    }
}

/* ---- orders ---- */

/* What of this feed was due before the end and stays behind. */
static void count_unsent(ir_feed_t *feed) {
    ir_schedule_t schedule = feed->schedule;
    uint64_t messages = 0;
    uint64_t observations = 0;
    for (uint64_t number = feed->next;
         number < feed->shared.source->messages && messages < UNSENT_MAX; number++) {
        ir_source_message_t message;
        ir_source_get(feed->shared.source, number, &message);
        if (ir_schedule_due(&schedule, message.due_ns) >= feed->end_ns) {
            break;
        }
        messages += is_mine(feed, &message);
        observations += is_mine(feed, &message) ? message.n_records : 0;
        ir_schedule_advance(&schedule, number, message.n_records);
    }
    count(&feed->messages_unsent, messages);
    count(&feed->observations_unsent, observations);
}

/* The source has ended although one more message would have been due before the end. */
static bool runs_dry(const ir_feed_t *feed) {
    if (feed->next < feed->shared.source->messages || feed->end_ns == INT64_MAX ||
        atomic_load(&feed->stop)) {
        return false;
    }
    const int64_t next_ns = feed->schedule.pattern.rate > 0 && feed->schedule.pattern.pace <= 0
                                ? ir_schedule_due(&feed->schedule, 0)
                                : ir_clock_monotonic();
    return next_ns < feed->end_ns;
}

static void note_dry(ir_feed_t *feed) {
    atomic_store(&feed->dry, feed->next >= feed->shared.source->messages);
    if (feed->active && runs_dry(feed)) {
        atomic_store(&feed->ran_dry, true);
    }
}

static void end_order(ir_feed_t *feed) {
    note_dry(feed);
    if (ir_schedule_is_timed(&feed->schedule) && feed->end_ns < INT64_MAX && has_more(feed)) {
        count_unsent(feed);
    }
    feed->active = false;
    ir_lateness_forget(&feed->lateness);
    atomic_store(&feed->due_ns, 0);
    atomic_store(&feed->idle, true);
}

static bool order_is_over(ir_feed_t *feed) {
    if (!has_more(feed)) {
        return true;
    }
    const int64_t now_ns = ir_clock_monotonic();
    return now_ns >= feed->end_ns &&
           (look(feed) >= feed->end_ns || now_ns - GRACE_NS > feed->end_ns ||
            !ir_schedule_is_timed(&feed->schedule));
}

static void begin_order(ir_feed_t *feed, const ir_order_t *order) {
    ir_source_message_t first;
    ir_source_get(feed->shared.source, feed->next, &first);
    ir_schedule_init(&feed->schedule, &order->pattern, order->start_ns, first.due_ns);
    feed->end_ns = order->end_ns;
    feed->active = true;
    atomic_store(&feed->due_end_ns, order->end_ns);
    atomic_store(&feed->rate,
                 order->pattern.pace > 0 ? 0 : order->pattern.rate / feed->options.feeds);
}

static void take_order(ir_feed_t *feed) {
    ir_order_t order = {.end_ns = 0};
    pthread_mutex_lock(&feed->mutex);
    const bool ordered = feed->ordered;
    if (ordered) {
        order = feed->order;
        feed->ordered = false;
    }
    pthread_mutex_unlock(&feed->mutex);
    if (ordered && has_more(feed)) {
        begin_order(feed, &order);
    }
    if ((ordered || feed->active) && (!feed->active || order_is_over(feed))) {
        end_order(feed);
    }
    if (feed->active) {
        atomic_store(&feed->due_ns, look(feed));
    }
}

/* ---- answers ---- */

static void reach(void *context) {
    const ir_lane_t *lane = context;
    atomic_store_explicit(&lane->feed->reached, true, memory_order_relaxed);
}

static void widen(ir_lane_t *lane, unsigned most) {
    if (lane->allowed < most && ++lane->credit >= lane->allowed) {
        lane->allowed++;
        lane->credit = 0;
    }
}

static void take_answer(void *context, uint64_t number, ir_answer_t answer, const char *why) {
    ir_lane_t *lane = context;
    ir_feed_t *feed = lane->feed;
    if (answer != IR_ANSWER_AGAIN) {
        reach(lane);
    }
    feed->answered[feed->n_answered++] = (ir_answered_t){.place = number, .answer = answer};
    if (answer == IR_ANSWER_CONFIRMED) {
        lane->trouble_ns = 0;
        ir_backoff_reset(&lane->backoff);
        widen(lane, feed->options.window);
    } else if (answer == IR_ANSWER_AGAIN) {
        ir_log_limited(&feed->logged_again_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s; trying again", why);
    } else {
        ir_log_limited(&feed->logged_refused_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s", why);
    }
}

static void write_ids(ir_feed_t *feed, char kind, const ir_open_t *open, size_t n_ids) {
    if (n_ids > 0) {
        ir_source_ids(feed->shared.source, open->number, feed->observation_ids);
    }
    ir_error_t error;
    pthread_mutex_lock(feed->shared.ledger_mutex);
    const ir_status_t status = ir_ledger_write(feed->shared.ledger, kind, &open->raw_id,
                                               feed->observation_ids, n_ids, &error);
    pthread_mutex_unlock(feed->shared.ledger_mutex);
    if (status != IR_OK) {
        fail(feed, &error);
    }
}

/* What the ids follow from when the message has arrived. */
static void write_arrival(ir_feed_t *feed, const ir_open_t *open, bool confirmed) {
    ir_source_message_t message;
    ir_error_t error;
    ir_source_get(feed->shared.source, open->number, &message);
    ir_ledger_arrival_t arrival = {.mote = message.mote,
                                   .records = open->n_accepted,
                                   .sent = open->sent,
                                   .confirmed = confirmed,
                                   .raw_id = open->raw_id};
    arrival.name = ir_view_text(open->raw_id_known ? message.name : NULL);
    ir_id_raw(&(ir_raw_key_t){.kind = IR_RAW_PLAIN,
                              .mote = message.mote,
                              .body = ir_buffer_view(&open->body)},
              &arrival.content);
    pthread_mutex_lock(feed->shared.ledger_mutex);
    const ir_status_t status = ir_ledger_write_arrival(feed->shared.ledger, &arrival, &error);
    pthread_mutex_unlock(feed->shared.ledger_mutex);
    if (status != IR_OK) {
        fail(feed, &error);
    }
}

static void write_ledger(ir_feed_t *feed, const ir_open_t *open, bool confirmed) {
    if (feed->shared.ledger == NULL) {
        return;
    }
    if (open->arrives) {
        write_arrival(feed, open, confirmed);
    } else {
        write_ids(feed,
                  !confirmed             ? 'u'
                  : open->n_accepted > 0 ? 'm'
                                         : 'r',
                  open, open->n_accepted);
    }
}

static void confirm(ir_feed_t *feed, ir_open_t *open) {
    write_ledger(feed, open, true);
    count(&feed->messages_confirmed, 1);
    count(&feed->observations_confirmed, open->n_records);
    count(&feed->repeats, open->repeat);
}

/* Nothing of it can be in the stores, unless it was sent before and the answer got lost. */
static void refuse(ir_feed_t *feed, ir_open_t *open) {
    write_ledger(feed, open, false);
    count(&feed->messages_refused, 1);
    count(&feed->observations_refused, open->n_records);
    count(&feed->unmeant, open->n_accepted == open->n_records);
}

static void note_again(ir_feed_t *feed, ir_open_t *open) {
    open->sent++;
    count(&feed->resent, 1);
    count(&feed->failures, 1);
    if (feed->shared.receipts != NULL && !open->repeat) {
        ir_receipts_resent(feed->shared.receipts, open->ticket);
    }
}

static void settle(ir_feed_t *feed, ir_open_t *open, bool confirmed) {
    feed->lanes[open->lane].given--;
    if (confirmed) {
        confirm(feed, open);
    } else {
        refuse(feed, open);
    }
    if (feed->shared.receipts != NULL && !open->repeat) {
        ir_receipts_answer(feed->shared.receipts, open->ticket, confirmed);
    }
    ir_window_release(feed->window, open);
}

static void record_confirms(ir_feed_t *feed, int64_t now_ns) {
    pthread_mutex_lock(&feed->mutex);
    for (unsigned i = 0; i < feed->n_answered; i++) {
        const ir_open_t *open = ir_window_at(feed->window, feed->answered[i].place);
        if (feed->answered[i].answer == IR_ANSWER_CONFIRMED) {
            ir_latency_record(&feed->confirms, open->intended_ns, open->sent_ns, now_ns);
        }
    }
    pthread_mutex_unlock(&feed->mutex);
}

static void take_answers(ir_feed_t *feed) {
    if (feed->n_answered == 0) {
        return;
    }
    const int64_t now_ns = ir_clock_monotonic();
    record_confirms(feed, now_ns);
    for (unsigned i = 0; i < feed->n_answered; i++) {
        ir_open_t *open = ir_window_at(feed->window, feed->answered[i].place);
        if (feed->answered[i].answer == IR_ANSWER_AGAIN) {
            note_again(feed, open);
        } else {
            settle(feed, open, feed->answered[i].answer == IR_ANSWER_CONFIRMED);
        }
    }
    feed->n_answered = 0;
    atomic_store(&feed->last_confirm_ns, now_ns);
}

/* ---- lanes ---- */

static void give_again(ir_feed_t *feed, ir_lane_t *lane, ir_open_t *open) {
    ir_source_message_t message;
    ir_source_get(feed->shared.source, open->number, &message);
    if (feed->shared.receipts != NULL && !open->repeat) {
        ir_receipts_resent(feed->shared.receipts, open->ticket);
    }
    open->sent++;
    lane->kept--;
    count(&feed->resent, 1);
    give(feed, open, &message);
}

/* In their order, as many as may be given. */
static void give_kept(ir_feed_t *feed, ir_lane_t *lane) {
    if (lane->kept == 0 || lane->given > lane->allowed * 3 / 4) {
        return;
    }
    unsigned n_open = 0;
    ir_open_t *const *open =
        ir_window_of_lane(feed->window, (uint32_t)(lane - feed->lanes), &n_open);
    for (unsigned i = 0; i < n_open && lane->up && lane->given < lane->allowed && goes_on(feed);
         i++) {
        if (!open[i]->given) {
            give_again(feed, lane, open[i]);
        }
    }
}

static void mend_lane(ir_feed_t *feed, ir_lane_t *lane) {
    ir_error_t error = {.status = IR_OK};
    const ir_outcome_t outcome = feed->options.target->sender->connect(lane->sender, &error);
    if (outcome != IR_OUTCOME_OK) {
        take_outcome(feed, lane, outcome, &error);
        return;
    }
    lane->up = true;
    if (!feed->options.target->sender->multiplexes) {
        reach(lane);
    }
    give_kept(feed, lane);
}

static void mend_lanes(ir_feed_t *feed) {
    bool all_up = true;
    for (unsigned i = 0; i < feed->options.lanes && goes_on(feed); i++) {
        ir_lane_t *lane = &feed->lanes[i];
        const int64_t now_ns = ir_clock_monotonic();
        if (!lane->up && now_ns >= lane->retry_ns) {
            mend_lane(feed, lane);
            if (feed->active) {
                ir_lateness_excuse(&feed->lateness, now_ns, ir_clock_monotonic());
            }
        }
        all_up = all_up && lane->up;
    }
    if (all_up) {
        atomic_store(&feed->ready, true);
    }
}

static void push_lane(ir_feed_t *feed, ir_lane_t *lane, int64_t wait_ns) {
    ir_error_t error = {.status = IR_OK};
    if (lane->up) {
        const ir_outcome_t outcome =
            feed->options.target->sender->push(lane->sender, wait_ns, &error);
        take_answers(feed);
        take_outcome(feed, lane, outcome, &error);
    }
    if (lane->up) {
        give_kept(feed, lane);
    }
}

static void push_all(ir_feed_t *feed, int64_t wait_ns) {
    const ir_calls_t calls = ir_lateness_watch();
    for (unsigned i = 0; i < feed->options.lanes; i++) {
        push_lane(feed, &feed->lanes[i], wait_ns);
    }
    ir_lateness_judge(&feed->lateness, &calls, wait_ns);
}

/* ---- the thread ---- */

/* How long nothing need be sent. */
static int64_t leisure(ir_feed_t *feed) {
    if (!feed->active || !has_more(feed) || !has_window(feed)) {
        return LOOK_NS;
    }
    if (feed->blocked_ns != 0) {
        return TICK_NS;
    }
    const int64_t wait_ns = look(feed) - ir_clock_monotonic();
    if (is_mine(feed, &feed->message) && !has_lane(feed)) {
        return LOOK_NS;
    }
    if (ir_schedule_is_timed(&feed->schedule) && wait_ns < TICK_NS) {
        return TICK_NS;
    }
    return wait_ns < 0 ? 0 : wait_ns < LOOK_NS ? wait_ns : LOOK_NS;
}

static void sleep_for(int64_t wait_ns) {
    const struct timespec wait = {.tv_nsec = wait_ns};
    nanosleep(&wait, NULL);
}

/* Every confirm would end the wait of a push, and several senders cannot be waited for at once. */
static void wait_turn(ir_feed_t *feed) {
    const int64_t wait_ns = leisure(feed);
    if (feed->options.lanes == 1 && feed->lanes[0].up && wait_ns != TICK_NS) {
        push_all(feed, wait_ns);
        return;
    }
    push_all(feed, 0);
    if (wait_ns > 0) {
        sleep_for(wait_ns < TICK_NS || feed->lanes[0].up ? TICK_NS : wait_ns);
    }
}

static bool is_over(const ir_feed_t *feed) {
    const bool no_more = !has_more(feed) || (atomic_load(&feed->finish) && !feed->active);
    return no_more && ir_window_count(feed->window) == 0;
}

/* What may or may not have arrived. */
static void leave_unanswered(ir_feed_t *feed) {
    for (const ir_open_t *open = NULL; (open = ir_window_next(feed->window, open)) != NULL;) {
        write_ledger(feed, open, false);
        count(&feed->messages_lost, 1);
        count(&feed->observations_lost, open->n_records);
    }
}

static void *run(void *context) {
    ir_feed_t *feed = context;
    while (goes_on(feed) && !is_over(feed)) {
        mend_lanes(feed);
        take_order(feed);
        send_due(feed);
        wait_turn(feed);
    }
    leave_unanswered(feed);
    atomic_store(&feed->due_ns, 0);
    note_dry(feed);
    atomic_store(&feed->failed, feed->status != IR_OK);
    atomic_store(&feed->ready, true);
    atomic_store(&feed->idle, true);
    atomic_store(&feed->done, true);
    return NULL;
}

/* ---- life ---- */

static bool open_lanes(ir_feed_t *feed) {
    feed->lanes = calloc(feed->options.lanes, sizeof feed->lanes[0]);
    for (unsigned i = 0; feed->lanes != NULL && i < feed->options.lanes; i++) {
        ir_lane_t *lane = &feed->lanes[i];
        const ir_answers_t answers = {.take = take_answer, .reach = reach, .context = lane};
        lane->feed = feed;
        lane->allowed = feed->options.window;
        ir_backoff_init(&lane->backoff, FIRST_BACKOFF_NS, LONGEST_BACKOFF_NS);
        lane->sender = feed->options.target->sender->open(feed->options.target, &answers);
        if (lane->sender == NULL) {
            return false;
        }
    }
    return feed->lanes != NULL;
}

void ir_feed_free(ir_feed_t *feed) {
    if (feed == NULL) {
        return;
    }
    for (unsigned i = 0; feed->lanes != NULL && i < feed->options.lanes; i++) {
        feed->options.target->sender->close(feed->lanes[i].sender);
    }
    ir_window_free(feed->window);
    ir_latency_free(&feed->confirms);
    ir_histogram_free(feed->late);
    pthread_mutex_destroy(&feed->mutex);
    free(feed->lanes);
    free(feed->answered);
    free(feed->observation_ids);
    free(feed);
}

static ir_feed_t *new_feed(const ir_feed_options_t *options, const ir_feed_shared_t *shared) {
    ir_feed_t *feed = calloc(1, sizeof *feed);
    if (feed == NULL) {
        return NULL;
    }
    feed->options = *options;
    feed->shared = *shared;
    pthread_mutex_init(&feed->mutex, NULL);
    atomic_store(&feed->idle, true);
    feed->observation_ids = calloc(shared->source->records_max, sizeof feed->observation_ids[0]);
    feed->answered =
        calloc(IR_SENDER_ANSWERS_MAX * (size_t)options->window, sizeof feed->answered[0]);
    feed->window = ir_window_new(options->window);
    feed->late = ir_histogram_new(IR_LATENCY_HIGHEST_US, IR_LATENCY_DIGITS);
    if (feed->observation_ids == NULL || feed->answered == NULL || feed->window == NULL ||
        feed->late == NULL || !ir_latency_init(&feed->confirms) || !open_lanes(feed)) {
        ir_feed_free(feed);
        return NULL;
    }
    return feed;
}

ir_status_t ir_feed_start(const ir_feed_options_t *options, const ir_feed_shared_t *shared,
                          ir_feed_t **feed, ir_error_t *error) {
    ir_feed_t *made = new_feed(options, shared);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the sender");
    }
    const int failed = ir_thread_start(&made->thread, run, made);
    if (failed != 0) {
        ir_feed_free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "cannot start the sender's thread: %s",
                            strerror(failed));
    }
    *feed = made;
    return IR_OK;
}

ir_status_t ir_feed_join(ir_feed_t *feed, ir_error_t *error) {
    pthread_join(feed->thread, NULL);
    if (feed->status != IR_OK && error != NULL) {
        *error = feed->error;
    }
    return feed->status;
}

/* ---- from outside ---- */

bool ir_feed_ready(const ir_feed_t *feed) {
    return atomic_load(&feed->ready);
}

void ir_feed_begin(ir_feed_t *feed, const ir_order_t *order) {
    pthread_mutex_lock(&feed->mutex);
    feed->order = *order;
    feed->ordered = true;
    atomic_store(&feed->idle, atomic_load(&feed->done));
    pthread_mutex_unlock(&feed->mutex);
}

bool ir_feed_idle(const ir_feed_t *feed) {
    return atomic_load(&feed->idle) || atomic_load(&feed->done);
}

void ir_feed_finish(ir_feed_t *feed) {
    atomic_store(&feed->finish, true);
}

static double behind(const ir_feed_t *feed) {
    const int64_t due_ns = atomic_load(&feed->due_ns);
    const int64_t end_ns = atomic_load(&feed->due_end_ns);
    const int64_t now_ns = ir_clock_monotonic();
    const int64_t late_ns = (now_ns < end_ns ? now_ns : end_ns) - due_ns;
    return due_ns != 0 && late_ns > 0
               ? atomic_load(&feed->rate) * (double)late_ns / (double)IR_SECOND_NS
               : 0;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

void ir_feed_count(const ir_feed_t *feed, ir_feed_counts_t *counts) {
    counts->messages_confirmed += atomic_load(&feed->messages_confirmed);
    counts->observations_confirmed += atomic_load(&feed->observations_confirmed);
    counts->messages_refused += atomic_load(&feed->messages_refused);
    counts->observations_refused += atomic_load(&feed->observations_refused);
    counts->messages_lost += atomic_load(&feed->messages_lost);
    counts->observations_lost += atomic_load(&feed->observations_lost);
    counts->messages_unsent += atomic_load(&feed->messages_unsent);
    counts->observations_unsent += atomic_load(&feed->observations_unsent);
    counts->unmeant += atomic_load(&feed->unmeant);
    counts->repeats += atomic_load(&feed->repeats);
    counts->resent += atomic_load(&feed->resent);
    counts->failures += atomic_load(&feed->failures);
    counts->messages_sent += atomic_load(&feed->messages_sent);
    counts->observations_sent += atomic_load(&feed->observations_sent);
    counts->observations_behind += behind(feed);
    counts->first_send_ns = earlier(counts->first_send_ns, atomic_load(&feed->first_send_ns));
    counts->last_confirm_ns = later(counts->last_confirm_ns, atomic_load(&feed->last_confirm_ns));
    counts->last_due_ns = later(counts->last_due_ns, atomic_load(&feed->last_due_ns));
    counts->last_send_ns = later(counts->last_send_ns, atomic_load(&feed->last_send_ns));
}

void ir_feed_take(ir_feed_t *feed, ir_latency_t *confirms, ir_histogram_t *late) {
    pthread_mutex_lock(&feed->mutex);
    ir_latency_add(confirms, &feed->confirms);
    ir_latency_reset(&feed->confirms);
    ir_histogram_add(late, feed->late);
    ir_histogram_reset(feed->late);
    pthread_mutex_unlock(&feed->mutex);
}

bool ir_feed_done(const ir_feed_t *feed) {
    return atomic_load(&feed->done);
}

bool ir_feed_failed(const ir_feed_t *feed) {
    return atomic_load(&feed->failed);
}

bool ir_feed_reached(const ir_feed_t *feed) {
    return atomic_load(&feed->reached);
}

bool ir_feed_dry(const ir_feed_t *feed) {
    return atomic_load(&feed->dry);
}

bool ir_feed_ran_dry(const ir_feed_t *feed) {
    return atomic_load(&feed->ran_dry);
}

void ir_feed_stop(ir_feed_t *feed) {
    atomic_store(&feed->stop, true);
}

void ir_feed_abandon(ir_feed_t *feed) {
    atomic_store(&feed->stop, true);
    atomic_store(&feed->abandon, true);
}
