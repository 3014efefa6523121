#include "loadgen/produce/producer.h"

#include "common/backoff.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "loadgen/produce/lateness.h"
#include "send/window.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MESSAGES IR_LATENESS_MAX
#define TURN_SKIPS 65536 /* messages for other producers that are skipped in one turn */
/* With a rate, due messages are sent in groups at this interval: waking for each message would cost
 * more than sending it. */
#define TICK_NS IR_MILLISECOND_NS
#define POLL_NS (20 * IR_MILLISECOND_NS) /* longest wait before a stop is seen */
#define FIRST_BACKOFF_NS (100 * IR_MILLISECOND_NS)
#define LONGEST_BACKOFF_NS (2 * IR_SECOND_NS)
#define LOG_EVERY_NS (5 * IR_SECOND_NS)
#define GRACE_NS                                                                                   \
    (200 * IR_MILLISECOND_NS) /* time after an order's end for sending messages that were due      \
                                 before it */
#define UNSENT_MAX 10000000

/* One sender with its connections. */
typedef struct ir_lane {
    ir_producer_t *producer;
    void *sender;
    bool up;
    int64_t retry_ns;   /* next attempt to connect, while not up */
    int64_t trouble_ns; /* when it failed; 0: it works */
    ir_backoff_t backoff;
    unsigned given;   /* messages passed to the sender and not yet answered */
    unsigned kept;    /* messages to pass again, because they got no answer */
    unsigned allowed; /* limit for `given`: halved by a loss and raised by one after `allowed`
                         confirms, so that a failure affects few messages */
    unsigned credit;  /* confirms since `allowed` last changed */
} ir_lane_t;

typedef struct ir_answered {
    uint64_t place;
    ir_sender_answer_t answer;
} ir_answered_t;

struct ir_producer {
    ir_producer_options_t options;
    ir_producer_shared_t shared;
    pthread_t thread;
    atomic_bool stop, abandon, finish, ready, idle, source_ended, ended_early, failed, done;
    atomic_bool reached; /* the target was reached, so sent messages may have arrived */

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
    uint64_t next; /* number of the next message */
    ir_source_message_t message;
    bool loaded;        /* `message` holds the next message */
    bool full;          /* the window was full and has not drained enough yet */
    int64_t blocked_ns; /* when the tracker ran out of room; 0: it has room */
    ir_lateness_t lateness;
    ir_id_t *observation_ids;
    int64_t logged_ns, logged_again_ns, logged_refused_ns;
    ir_status_t status;
    ir_error_t error;

    /* written by the thread, read by any thread */
    atomic_uint_fast64_t messages_sent, observations_sent;
    atomic_uint_fast64_t messages_confirmed, observations_confirmed;
    atomic_uint_fast64_t messages_refused, observations_refused;
    atomic_uint_fast64_t messages_lost, observations_lost;
    atomic_uint_fast64_t messages_unsent, observations_unsent;
    atomic_uint_fast64_t unmeant, repeats, resent, failures;
    atomic_int_fast64_t first_send_ns, last_confirm_ns;
    atomic_int_fast64_t last_due_ns, last_send_ns;
    atomic_int_fast64_t due_ns, due_end_ns; /* due time of the next message; 0: none */
    _Atomic double rate;                    /* this producer's, on average */
};

/* Only one thread writes, so an atomic addition is not necessary. */
static void count(atomic_uint_fast64_t *counter, uint64_t by) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

static void fail(ir_producer_t *producer, const ir_error_t *error) {
    if (producer->status == IR_OK) {
        producer->status = error->status;
        producer->error = *error;
    }
}

static void fail_for_memory(ir_producer_t *producer) {
    ir_error_t error;
    ir_error_set(&error, IR_ERR_MEMORY, "out of memory for a message");
    fail(producer, &error);
}

static bool goes_on(const ir_producer_t *producer) {
    return producer->status == IR_OK && !atomic_load(&producer->abandon);
}

static bool has_more(const ir_producer_t *producer) {
    return producer->next < producer->shared.source->messages &&
           producer->options.index < producer->shared.source->motes &&
           !atomic_load(&producer->stop);
}

static bool is_mine(const ir_producer_t *producer, const ir_source_message_t *message) {
    return message->mote_number % producer->options.producers == producer->options.index;
}

/* ---- trouble ---- */

static void take_answers(ir_producer_t *producer);

/* Only messages without an answer are passed again. */
static void keep_given(ir_producer_t *producer, ir_lane_t *lane) {
    lane->allowed = lane->given > 1 ? lane->given / 2 : 1;
    lane->kept += lane->given;
    lane->given = lane->credit = 0;
    for (ir_open_t *open = NULL; (open = ir_window_next(producer->window, open)) != NULL;) {
        open->given = open->given && &producer->lanes[open->lane] != lane;
    }
}

static bool has_confirmed(const ir_producer_t *producer) {
    return atomic_load(&producer->messages_confirmed) > 0;
}

/* The lane cannot send until it reconnects. */
static void lose_lane(ir_producer_t *producer, ir_lane_t *lane, const ir_error_t *error) {
    const int64_t now_ns = ir_clock_monotonic();
    take_answers(producer);
    if (lane->given > 0) {
        keep_given(producer, lane);
    }
    lane->up = false;
    lane->trouble_ns = lane->trouble_ns == 0 ? now_ns : lane->trouble_ns;
    count(&producer->failures, 1);
    if (now_ns - lane->trouble_ns > producer->options.retry_ns ||
        (!has_confirmed(producer) && ir_sender_is_final(error->status))) {
        fail(producer, error);
        return;
    }
    ir_log_limited(&producer->logged_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s%s; trying again",
                   error->text,
                   error->status == IR_ERR_NOT_FOUND ? "  (ir-worker --declare creates it)" : "");
    lane->retry_ns = now_ns + ir_backoff_next(&lane->backoff);
}

static void take_outcome(ir_producer_t *producer, ir_lane_t *lane, ir_outcome_t outcome,
                         const ir_error_t *error) {
    if (outcome == IR_OUTCOME_RETRY) {
        lose_lane(producer, lane, error);
    } else if (outcome == IR_OUTCOME_REFUSED) {
        fail(producer, error);
    }
}

/* ---- one message ---- */

static ir_lane_t *lane_of(ir_producer_t *producer, unsigned mote_number) {
    return &producer->lanes[mote_number / producer->options.producers % producer->options.lanes];
}

static void settle(ir_producer_t *producer, ir_open_t *open, bool confirmed);

/* A message that can never be sent counts as refused; the others continue. */
static void give(ir_producer_t *producer, ir_open_t *open, const ir_source_message_t *message) {
    ir_error_t error = {.status = IR_OK};
    ir_lane_t *lane = &producer->lanes[open->lane];
    const ir_parcel_t parcel = {
        .number = ir_window_place(producer->window, open),
        .mote_number = message->mote_number,
        .mote = message->mote,
        .routing_key = message->routing_key,
        .content_type = producer->shared.source->content_type,
        .name = ir_view_text(message->name),
        .body = ir_buffer_view(&open->body),
    };
    open->given = true;
    lane->given++;
    const ir_outcome_t outcome =
        producer->options.target->sender->send(lane->sender, &parcel, &error);
    if (outcome == IR_OUTCOME_REFUSED && error.status != IR_ERR_MEMORY) {
        ir_log_limited(&producer->logged_refused_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s", error.text);
        settle(producer, open, false);
    } else {
        take_outcome(producer, lane, outcome, &error);
    }
}

/* The raw id that the worker will assign, unless it depends on the arrival time. */
static void find_raw_id(const ir_producer_t *producer, ir_open_t *open) {
    const ir_source_message_t *message = &producer->message;
    const bool malformed = (message->faults & IR_FAULT_MALFORMED) != 0;
    ir_raw_key_t key = {.kind = IR_RAW_ABSOLUTE,
                        .mote = message->mote,
                        .body = ir_buffer_view(&open->body),
                        .name = ir_view_text(message->name),
                        .time_ns = message->time_ns};
    open->arrives = message->timed.timing != IR_TIMING_ABSOLUTE && !malformed;
    open->raw_id_known =
        !open->arrives || (key.name.size > 0 && producer->options.target->sender->names);
    if (malformed) {
        key.kind = IR_RAW_PLAIN;
    } else if (open->arrives) {
        key.kind = IR_RAW_NAMED;
    }
    if (open->raw_id_known) {
        ir_id_raw(&key, &open->raw_id);
    }
}

static bool render(ir_producer_t *producer, ir_open_t *open) {
    ir_source_body(producer->shared.source, open->number, &open->body);
    if (!ir_buffer_ok(&open->body)) {
        fail_for_memory(producer);
        return false;
    }
    find_raw_id(producer, open);
    return true;
}

static void note_stall(ir_producer_t *producer, int64_t now_ns) {
    if (producer->blocked_ns == 0) {
        producer->blocked_ns = now_ns;
    } else if (now_ns - producer->blocked_ns > producer->options.stall_ns) {
        ir_error_t error;
        ir_error_set(&error, IR_ERR_TIMEOUT,
                     "an early message has not come back, and 'outstanding' allows no more after "
                     "it: is a worker running, or was the message rejected?");
        fail(producer, &error);
    }
}

static bool has_room(ir_producer_t *producer, ir_open_t *open) {
    const ir_expected_t expected = {
        .raw_id = open->raw_id_known ? &open->raw_id : NULL,
        .mote = producer->message.mote_number,
        .n_records = open->n_records,
        .n_accepted = open->n_accepted,
        .intended_ns = open->intended_ns,
        .sent_ns = open->sent_ns,
    };
    if (producer->shared.tracker == NULL || open->repeat ||
        ir_tracker_expect(producer->shared.tracker, &expected, &open->ticket)) {
        producer->blocked_ns = 0;
        return true;
    }
    note_stall(producer, open->sent_ns);
    return false;
}

/* Puts the next message into the window; NULL when it cannot be sent now. */
static ir_open_t *open_message(ir_producer_t *producer, int64_t due_ns, int64_t now_ns) {
    ir_open_t *open = ir_window_take(producer->window);
    open->number = producer->next;
    open->intended_ns = ir_schedule_is_timed(&producer->schedule) ? due_ns : now_ns;
    open->sent_ns = now_ns;
    open->sent = 1;
    open->lane = (uint32_t)(lane_of(producer, producer->message.mote_number) - producer->lanes);
    open->n_records = (uint32_t)producer->message.n_records;
    open->n_accepted = (uint32_t)producer->message.n_accepted;
    open->repeat = producer->message.original != producer->next;
    if (!render(producer, open) || !has_room(producer, open)) {
        ir_window_release(producer->window, open);
        return NULL;
    }
    return open;
}

static void step_on(ir_producer_t *producer) {
    ir_schedule_advance(&producer->schedule, producer->next, producer->message.n_records);
    producer->next++;
    producer->loaded = false;
}

static void count_sent(ir_producer_t *producer, const ir_open_t *open) {
    if (atomic_load_explicit(&producer->first_send_ns, memory_order_relaxed) == 0) {
        atomic_store(&producer->first_send_ns, open->sent_ns);
    }
    count(&producer->messages_sent, 1);
    count(&producer->observations_sent, open->n_records);
    if (ir_schedule_is_timed(&producer->schedule)) {
        atomic_store_explicit(&producer->last_due_ns, open->intended_ns, memory_order_relaxed);
        atomic_store_explicit(&producer->last_send_ns, open->sent_ns, memory_order_relaxed);
        ir_lateness_add(&producer->lateness, open->intended_ns, open->sent_ns);
    }
}

/* Sends the next message; false when it cannot be sent now. A message passed to the sender counts
 * as sent whatever the outcome, because it may have arrived. */
static bool send_message(ir_producer_t *producer, int64_t due_ns, int64_t now_ns) {
    ir_open_t *open = open_message(producer, due_ns, now_ns);
    if (open == NULL) {
        return false;
    }
    ir_lateness_release(&producer->lateness, now_ns);
    count_sent(producer, open);
    const ir_source_message_t message = producer->message;
    step_on(producer);
    give(producer, open, &message);
    return true;
}

/* ---- what is due ---- */

/* A full window must drain a little first, so that messages are sent in groups. */
static bool has_window(ir_producer_t *producer) {
    const unsigned open = ir_window_count(producer->window);
    if (open >= producer->options.window) {
        producer->full = true;
    } else if (open <= producer->options.window * 3 / 4) {
        producer->full = false;
    }
    return !producer->full;
}

/* Messages to pass again come first. */
static bool has_lane(ir_producer_t *producer) {
    const ir_lane_t *lane = lane_of(producer, producer->message.mote_number);
    return lane->up && lane->kept == 0 && lane->given < lane->allowed;
}

static int64_t next_due(ir_producer_t *producer) {
    if (!producer->loaded) {
        ir_source_get(producer->shared.source, producer->next, &producer->message);
        producer->loaded = true;
    }
    return ir_schedule_due(&producer->schedule, producer->message.due_ns);
}

/* Sends this producer's next message if it is due. False: nothing more to send in this turn. */
static bool send_one(ir_producer_t *producer, unsigned *skips) {
    const int64_t now_ns = ir_clock_monotonic();
    int64_t due_ns = next_due(producer);
    while (due_ns <= now_ns && due_ns < producer->end_ns &&
           !is_mine(producer, &producer->message)) {
        step_on(producer);
        if (!has_more(producer) || ++*skips > TURN_SKIPS) {
            return false;
        }
        due_ns = next_due(producer);
    }
    if (due_ns > now_ns || due_ns >= producer->end_ns || now_ns - GRACE_NS > producer->end_ns) {
        return false;
    }
    if (!has_lane(producer) || !has_window(producer) || !send_message(producer, due_ns, now_ns)) {
        ir_lateness_hold(&producer->lateness, now_ns);
        return false;
    }
    return true;
}

static void send_due(ir_producer_t *producer) {
    unsigned skips = 0;
    const ir_calls_t calls = ir_lateness_watch();
    for (unsigned i = 0;
         i < TURN_MESSAGES && producer->active && goes_on(producer) && has_more(producer); i++) {
        if (!send_one(producer, &skips)) {
            break;
        }
    }
    ir_lateness_judge(&producer->lateness, &calls, 0);
    if (producer->lateness.count > 0) {
        pthread_mutex_lock(&producer->mutex);
        ir_lateness_take(&producer->lateness, producer->late);
        pthread_mutex_unlock(&producer->mutex);
    }
}

/* ---- orders ---- */

/* Counts this producer's messages that were due before the end but not sent. */
static void count_unsent(ir_producer_t *producer) {
    ir_schedule_t schedule = producer->schedule;
    uint64_t messages = 0;
    uint64_t observations = 0;
    for (uint64_t number = producer->next;
         number < producer->shared.source->messages && messages < UNSENT_MAX; number++) {
        ir_source_message_t message;
        ir_source_get(producer->shared.source, number, &message);
        if (ir_schedule_due(&schedule, message.due_ns) >= producer->end_ns) {
            break;
        }
        messages += is_mine(producer, &message);
        observations += is_mine(producer, &message) ? message.n_records : 0;
        ir_schedule_advance(&schedule, number, message.n_records);
    }
    count(&producer->messages_unsent, messages);
    count(&producer->observations_unsent, observations);
}

/* The source ended although another message would have been due before the order's end. */
static bool ends_early(const ir_producer_t *producer) {
    if (producer->next < producer->shared.source->messages || producer->end_ns == INT64_MAX ||
        atomic_load(&producer->stop)) {
        return false;
    }
    const int64_t next_ns =
        producer->schedule.pattern.rate > 0 && producer->schedule.pattern.pace <= 0
            ? ir_schedule_due(&producer->schedule, 0)
            : ir_clock_monotonic();
    return next_ns < producer->end_ns;
}

static void note_source_end(ir_producer_t *producer) {
    atomic_store(&producer->source_ended, producer->next >= producer->shared.source->messages);
    if (producer->active && ends_early(producer)) {
        atomic_store(&producer->ended_early, true);
    }
}

static void end_order(ir_producer_t *producer) {
    note_source_end(producer);
    if (ir_schedule_is_timed(&producer->schedule) && producer->end_ns < INT64_MAX &&
        has_more(producer)) {
        count_unsent(producer);
    }
    producer->active = false;
    ir_lateness_forget(&producer->lateness);
    atomic_store(&producer->due_ns, 0);
    atomic_store(&producer->idle, true);
}

static bool order_is_over(ir_producer_t *producer) {
    if (!has_more(producer)) {
        return true;
    }
    const int64_t now_ns = ir_clock_monotonic();
    return now_ns >= producer->end_ns &&
           (next_due(producer) >= producer->end_ns || now_ns - GRACE_NS > producer->end_ns ||
            !ir_schedule_is_timed(&producer->schedule));
}

static void begin_order(ir_producer_t *producer, const ir_order_t *order) {
    ir_source_message_t first;
    ir_source_get(producer->shared.source, producer->next, &first);
    ir_schedule_init(&producer->schedule, &order->pattern, order->start_ns, first.due_ns);
    producer->end_ns = order->end_ns;
    producer->active = true;
    atomic_store(&producer->due_end_ns, order->end_ns);
    atomic_store(&producer->rate,
                 order->pattern.pace > 0 ? 0 : order->pattern.rate / producer->options.producers);
}

static void take_order(ir_producer_t *producer) {
    ir_order_t order = {.end_ns = 0};
    pthread_mutex_lock(&producer->mutex);
    const bool ordered = producer->ordered;
    if (ordered) {
        order = producer->order;
        producer->ordered = false;
    }
    pthread_mutex_unlock(&producer->mutex);
    if (ordered && has_more(producer)) {
        begin_order(producer, &order);
    }
    if ((ordered || producer->active) && (!producer->active || order_is_over(producer))) {
        end_order(producer);
    }
    if (producer->active) {
        atomic_store(&producer->due_ns, next_due(producer));
    }
}

/* ---- answers ---- */

static void reach(void *context) {
    const ir_lane_t *lane = context;
    atomic_store_explicit(&lane->producer->reached, true, memory_order_relaxed);
}

static void widen(ir_lane_t *lane, unsigned most) {
    if (lane->allowed < most && ++lane->credit >= lane->allowed) {
        lane->allowed++;
        lane->credit = 0;
    }
}

static void take_answer(void *context, uint64_t number, ir_sender_answer_t answer,
                        const char *why) {
    ir_lane_t *lane = context;
    ir_producer_t *producer = lane->producer;
    if (answer != IR_ANSWER_AGAIN) {
        reach(lane);
    }
    producer->answered[producer->n_answered++] = (ir_answered_t){.place = number, .answer = answer};
    if (answer == IR_ANSWER_CONFIRMED) {
        lane->trouble_ns = 0;
        ir_backoff_reset(&lane->backoff);
        widen(lane, producer->options.window);
    } else if (answer == IR_ANSWER_AGAIN) {
        ir_log_limited(&producer->logged_again_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s; trying again",
                       why);
    } else {
        ir_log_limited(&producer->logged_refused_ns, LOG_EVERY_NS, IR_LOG_WARN, "%s", why);
    }
    if (answer == IR_ANSWER_DENIED && !has_confirmed(producer)) {
        ir_error_t error;
        ir_error_set(&error, IR_ERR_AUTH, "%s", why);
        fail(producer, &error);
    }
}

static void write_ids(ir_producer_t *producer, char kind, const ir_open_t *open, size_t n_ids) {
    if (n_ids > 0) {
        ir_source_ids(producer->shared.source, open->number, producer->observation_ids);
    }
    ir_error_t error;
    pthread_mutex_lock(producer->shared.ledger_mutex);
    const ir_status_t status = ir_ledger_write(producer->shared.ledger, kind, &open->raw_id,
                                               producer->observation_ids, n_ids, &error);
    pthread_mutex_unlock(producer->shared.ledger_mutex);
    if (status != IR_OK) {
        fail(producer, &error);
    }
}

/* What the ids depend on once the message has arrived. */
static void write_arrival(ir_producer_t *producer, const ir_open_t *open, bool confirmed) {
    ir_source_message_t message;
    ir_error_t error;
    ir_source_get(producer->shared.source, open->number, &message);
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
    pthread_mutex_lock(producer->shared.ledger_mutex);
    const ir_status_t status = ir_ledger_write_arrival(producer->shared.ledger, &arrival, &error);
    pthread_mutex_unlock(producer->shared.ledger_mutex);
    if (status != IR_OK) {
        fail(producer, &error);
    }
}

static void write_ledger(ir_producer_t *producer, const ir_open_t *open, bool confirmed) {
    if (producer->shared.ledger == NULL) {
        return;
    }
    if (open->arrives) {
        write_arrival(producer, open, confirmed);
    } else {
        write_ids(producer,
                  !confirmed             ? 'u'
                  : open->n_accepted > 0 ? 'm'
                                         : 'r',
                  open, open->n_accepted);
    }
}

static void confirm(ir_producer_t *producer, ir_open_t *open) {
    write_ledger(producer, open, true);
    count(&producer->messages_confirmed, 1);
    count(&producer->observations_confirmed, open->n_records);
    count(&producer->repeats, open->repeat);
}

/* The stores cannot contain it, unless it was sent before and the answer was lost. */
static void refuse(ir_producer_t *producer, ir_open_t *open) {
    write_ledger(producer, open, false);
    count(&producer->messages_refused, 1);
    count(&producer->observations_refused, open->n_records);
    count(&producer->unmeant, open->n_accepted == open->n_records);
}

static void note_again(ir_producer_t *producer, ir_open_t *open) {
    open->sent++;
    count(&producer->resent, 1);
    count(&producer->failures, 1);
    if (producer->shared.tracker != NULL && !open->repeat) {
        ir_tracker_resent(producer->shared.tracker, open->ticket);
    }
}

static void settle(ir_producer_t *producer, ir_open_t *open, bool confirmed) {
    producer->lanes[open->lane].given--;
    if (confirmed) {
        confirm(producer, open);
    } else {
        refuse(producer, open);
    }
    if (producer->shared.tracker != NULL && !open->repeat) {
        ir_tracker_answer(producer->shared.tracker, open->ticket, confirmed);
    }
    ir_window_release(producer->window, open);
}

static void record_confirms(ir_producer_t *producer, int64_t now_ns) {
    pthread_mutex_lock(&producer->mutex);
    for (unsigned i = 0; i < producer->n_answered; i++) {
        const ir_open_t *open = ir_window_at(producer->window, producer->answered[i].place);
        if (producer->answered[i].answer == IR_ANSWER_CONFIRMED) {
            ir_latency_record(&producer->confirms, open->intended_ns, open->sent_ns, now_ns);
        }
    }
    pthread_mutex_unlock(&producer->mutex);
}

static void take_answers(ir_producer_t *producer) {
    if (producer->n_answered == 0) {
        return;
    }
    const int64_t now_ns = ir_clock_monotonic();
    record_confirms(producer, now_ns);
    for (unsigned i = 0; i < producer->n_answered; i++) {
        ir_open_t *open = ir_window_at(producer->window, producer->answered[i].place);
        if (producer->answered[i].answer == IR_ANSWER_AGAIN) {
            note_again(producer, open);
        } else {
            settle(producer, open, producer->answered[i].answer == IR_ANSWER_CONFIRMED);
        }
    }
    producer->n_answered = 0;
    atomic_store(&producer->last_confirm_ns, now_ns);
}

/* ---- lanes ---- */

static void give_again(ir_producer_t *producer, ir_lane_t *lane, ir_open_t *open) {
    ir_source_message_t message;
    ir_source_get(producer->shared.source, open->number, &message);
    if (producer->shared.tracker != NULL && !open->repeat) {
        ir_tracker_resent(producer->shared.tracker, open->ticket);
    }
    open->sent++;
    lane->kept--;
    count(&producer->resent, 1);
    give(producer, open, &message);
}

/* In order, as many as `allowed` permits. */
static void give_kept(ir_producer_t *producer, ir_lane_t *lane) {
    if (lane->kept == 0 || lane->given > lane->allowed * 3 / 4) {
        return;
    }
    unsigned n_open = 0;
    ir_open_t *const *open =
        ir_window_of_lane(producer->window, (uint32_t)(lane - producer->lanes), &n_open);
    for (unsigned i = 0; i < n_open && lane->up && lane->given < lane->allowed && goes_on(producer);
         i++) {
        if (!open[i]->given) {
            give_again(producer, lane, open[i]);
        }
    }
}

static void mend_lane(ir_producer_t *producer, ir_lane_t *lane) {
    ir_error_t error = {.status = IR_OK};
    const ir_outcome_t outcome = producer->options.target->sender->connect(lane->sender, &error);
    if (outcome != IR_OUTCOME_OK) {
        take_outcome(producer, lane, outcome, &error);
        return;
    }
    lane->up = true;
    if (!producer->options.target->sender->multiplexes) {
        reach(lane);
    }
    give_kept(producer, lane);
}

static void mend_lanes(ir_producer_t *producer) {
    bool all_up = true;
    for (unsigned i = 0; i < producer->options.lanes && goes_on(producer); i++) {
        ir_lane_t *lane = &producer->lanes[i];
        const int64_t now_ns = ir_clock_monotonic();
        if (!lane->up && now_ns >= lane->retry_ns) {
            mend_lane(producer, lane);
            if (producer->active) {
                ir_lateness_excuse(&producer->lateness, now_ns, ir_clock_monotonic());
            }
        }
        all_up = all_up && lane->up;
    }
    if (all_up) {
        atomic_store(&producer->ready, true);
    }
}

static void push_lane(ir_producer_t *producer, ir_lane_t *lane, int64_t wait_ns) {
    ir_error_t error = {.status = IR_OK};
    if (lane->up) {
        const ir_outcome_t outcome =
            producer->options.target->sender->push(lane->sender, wait_ns, &error);
        take_answers(producer);
        take_outcome(producer, lane, outcome, &error);
    }
    if (lane->up) {
        give_kept(producer, lane);
    }
}

static void push_all(ir_producer_t *producer, int64_t wait_ns) {
    const ir_calls_t calls = ir_lateness_watch();
    for (unsigned i = 0; i < producer->options.lanes; i++) {
        push_lane(producer, &producer->lanes[i], wait_ns);
    }
    ir_lateness_judge(&producer->lateness, &calls, wait_ns);
}

/* ---- the thread ---- */

/* How long the thread may wait before it must send again. */
static int64_t idle_time(ir_producer_t *producer) {
    if (!producer->active || !has_more(producer) || !has_window(producer)) {
        return POLL_NS;
    }
    if (producer->blocked_ns != 0) {
        return TICK_NS;
    }
    const int64_t wait_ns = next_due(producer) - ir_clock_monotonic();
    if (is_mine(producer, &producer->message) && !has_lane(producer)) {
        return POLL_NS;
    }
    if (ir_schedule_is_timed(&producer->schedule) && wait_ns < TICK_NS) {
        return TICK_NS;
    }
    return wait_ns < 0 ? 0 : wait_ns < POLL_NS ? wait_ns : POLL_NS;
}

/* Waits in `push` only with a single sender and nothing due soon: each confirm would end that wait,
 * and a thread cannot wait for several senders at once. */
static void wait_turn(ir_producer_t *producer) {
    const int64_t wait_ns = idle_time(producer);
    if (producer->options.lanes == 1 && producer->lanes[0].up && wait_ns != TICK_NS) {
        push_all(producer, wait_ns);
        return;
    }
    push_all(producer, 0);
    if (wait_ns > 0) {
        ir_clock_sleep(wait_ns < TICK_NS || producer->lanes[0].up ? TICK_NS : wait_ns);
    }
}

static bool is_over(const ir_producer_t *producer) {
    const bool no_more =
        !has_more(producer) || (atomic_load(&producer->finish) && !producer->active);
    return no_more && ir_window_count(producer->window) == 0;
}

/* Messages that may or may not have arrived. */
static void leave_unanswered(ir_producer_t *producer) {
    for (const ir_open_t *open = NULL; (open = ir_window_next(producer->window, open)) != NULL;) {
        write_ledger(producer, open, false);
        count(&producer->messages_lost, 1);
        count(&producer->observations_lost, open->n_records);
    }
}

static void *run(void *context) {
    ir_producer_t *producer = context;
    while (goes_on(producer) && !is_over(producer)) {
        mend_lanes(producer);
        take_order(producer);
        send_due(producer);
        wait_turn(producer);
    }
    leave_unanswered(producer);
    atomic_store(&producer->due_ns, 0);
    note_source_end(producer);
    atomic_store(&producer->failed, producer->status != IR_OK);
    atomic_store(&producer->ready, true);
    atomic_store(&producer->idle, true);
    atomic_store(&producer->done, true);
    return NULL;
}

/* ---- life ---- */

static bool open_lanes(ir_producer_t *producer) {
    producer->lanes = calloc(producer->options.lanes, sizeof producer->lanes[0]);
    for (unsigned i = 0; producer->lanes != NULL && i < producer->options.lanes; i++) {
        ir_lane_t *lane = &producer->lanes[i];
        const ir_answers_t answers = {.take = take_answer, .reach = reach, .context = lane};
        lane->producer = producer;
        lane->allowed = producer->options.window;
        ir_backoff_init(&lane->backoff, FIRST_BACKOFF_NS, LONGEST_BACKOFF_NS);
        lane->sender = producer->options.target->sender->open(producer->options.target, &answers);
        if (lane->sender == NULL) {
            return false;
        }
    }
    return producer->lanes != NULL;
}

void ir_producer_free(ir_producer_t *producer) {
    if (producer == NULL) {
        return;
    }
    for (unsigned i = 0; producer->lanes != NULL && i < producer->options.lanes; i++) {
        producer->options.target->sender->close(producer->lanes[i].sender);
    }
    ir_window_free(producer->window);
    ir_latency_free(&producer->confirms);
    ir_histogram_free(producer->late);
    pthread_mutex_destroy(&producer->mutex);
    free(producer->lanes);
    free(producer->answered);
    free(producer->observation_ids);
    free(producer);
}

static ir_producer_t *new_producer(const ir_producer_options_t *options,
                                   const ir_producer_shared_t *shared) {
    ir_producer_t *producer = calloc(1, sizeof *producer);
    if (producer == NULL) {
        return NULL;
    }
    producer->options = *options;
    producer->shared = *shared;
    pthread_mutex_init(&producer->mutex, NULL);
    atomic_store(&producer->idle, true);
    producer->observation_ids =
        calloc(shared->source->records_max, sizeof producer->observation_ids[0]);
    producer->answered =
        calloc(IR_SENDER_ANSWERS_MAX * (size_t)options->window, sizeof producer->answered[0]);
    producer->window = ir_window_new(options->window);
    producer->late = ir_histogram_new(IR_LATENCY_HIGHEST_US, IR_LATENCY_DIGITS);
    if (producer->observation_ids == NULL || producer->answered == NULL ||
        producer->window == NULL || producer->late == NULL ||
        !ir_latency_init(&producer->confirms) || !open_lanes(producer)) {
        ir_producer_free(producer);
        return NULL;
    }
    return producer;
}

ir_status_t ir_producer_start(const ir_producer_options_t *options,
                              const ir_producer_shared_t *shared, ir_producer_t **producer,
                              ir_error_t *error) {
    ir_producer_t *made = new_producer(options, shared);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory for the sender");
    }
    const int failed = ir_thread_start(&made->thread, run, made);
    if (failed != 0) {
        ir_producer_free(made);
        return ir_error_set(error, IR_ERR_MEMORY, "cannot start the sender's thread: %s",
                            strerror(failed));
    }
    *producer = made;
    return IR_OK;
}

ir_status_t ir_producer_join(ir_producer_t *producer, ir_error_t *error) {
    pthread_join(producer->thread, NULL);
    if (producer->status != IR_OK && error != NULL) {
        *error = producer->error;
    }
    return producer->status;
}

/* ---- from outside ---- */

bool ir_producer_ready(const ir_producer_t *producer) {
    return atomic_load(&producer->ready);
}

void ir_producer_begin(ir_producer_t *producer, const ir_order_t *order) {
    pthread_mutex_lock(&producer->mutex);
    producer->order = *order;
    producer->ordered = true;
    atomic_store(&producer->idle, atomic_load(&producer->done));
    pthread_mutex_unlock(&producer->mutex);
}

bool ir_producer_idle(const ir_producer_t *producer) {
    return atomic_load(&producer->idle) || atomic_load(&producer->done);
}

void ir_producer_finish(ir_producer_t *producer) {
    atomic_store(&producer->finish, true);
}

static double behind(const ir_producer_t *producer) {
    const int64_t due_ns = atomic_load(&producer->due_ns);
    const int64_t end_ns = atomic_load(&producer->due_end_ns);
    const int64_t now_ns = ir_clock_monotonic();
    const int64_t late_ns = (now_ns < end_ns ? now_ns : end_ns) - due_ns;
    return due_ns != 0 && late_ns > 0
               ? atomic_load(&producer->rate) * (double)late_ns / (double)IR_SECOND_NS
               : 0;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

void ir_producer_count(const ir_producer_t *producer, ir_producer_counts_t *counts) {
    counts->messages_confirmed += atomic_load(&producer->messages_confirmed);
    counts->observations_confirmed += atomic_load(&producer->observations_confirmed);
    counts->messages_refused += atomic_load(&producer->messages_refused);
    counts->observations_refused += atomic_load(&producer->observations_refused);
    counts->messages_lost += atomic_load(&producer->messages_lost);
    counts->observations_lost += atomic_load(&producer->observations_lost);
    counts->messages_unsent += atomic_load(&producer->messages_unsent);
    counts->observations_unsent += atomic_load(&producer->observations_unsent);
    counts->unmeant += atomic_load(&producer->unmeant);
    counts->repeats += atomic_load(&producer->repeats);
    counts->resent += atomic_load(&producer->resent);
    counts->failures += atomic_load(&producer->failures);
    counts->messages_sent += atomic_load(&producer->messages_sent);
    counts->observations_sent += atomic_load(&producer->observations_sent);
    counts->observations_behind += behind(producer);
    counts->first_send_ns = earlier(counts->first_send_ns, atomic_load(&producer->first_send_ns));
    counts->last_confirm_ns =
        later(counts->last_confirm_ns, atomic_load(&producer->last_confirm_ns));
    counts->last_due_ns = later(counts->last_due_ns, atomic_load(&producer->last_due_ns));
    counts->last_send_ns = later(counts->last_send_ns, atomic_load(&producer->last_send_ns));
}

void ir_producer_take(ir_producer_t *producer, ir_latency_t *confirms, ir_histogram_t *late) {
    pthread_mutex_lock(&producer->mutex);
    ir_latency_add(confirms, &producer->confirms);
    ir_latency_reset(&producer->confirms);
    ir_histogram_add(late, producer->late);
    ir_histogram_reset(producer->late);
    pthread_mutex_unlock(&producer->mutex);
}

bool ir_producer_done(const ir_producer_t *producer) {
    return atomic_load(&producer->done);
}

bool ir_producer_failed(const ir_producer_t *producer) {
    return atomic_load(&producer->failed);
}

bool ir_producer_reached(const ir_producer_t *producer) {
    return atomic_load(&producer->reached);
}

bool ir_producer_source_ended(const ir_producer_t *producer) {
    return atomic_load(&producer->source_ended);
}

bool ir_producer_ended_early(const ir_producer_t *producer) {
    return atomic_load(&producer->ended_early);
}

void ir_producer_stop(ir_producer_t *producer) {
    atomic_store(&producer->stop, true);
}

void ir_producer_abandon(ir_producer_t *producer) {
    atomic_store(&producer->stop, true);
    atomic_store(&producer->abandon, true);
}
