#include "loadgen/produce/producer_state.h"

#include "common/thread.h"

#include <stdlib.h>
#include <string.h>

#define TURN_MESSAGES IR_LATENESS_MAX
#define TURN_SKIPS 65536 /* how many messages of other producers one turn skips at most */
/* With a rate, due messages are sent in groups at this interval: it costs more to wake up for each
 * message than to send it. */
#define TICK_NS IR_MILLISECOND_NS
#define POLL_NS (20 * IR_MILLISECOND_NS) /* maximum wait before a stop is noticed */

void ir_producer_fail(ir_producer_t *producer, const ir_error_t *error) {
    if (producer->status == IR_OK) {
        producer->status = error->status;
        producer->error = *error;
    }
}

static void fail_for_memory(ir_producer_t *producer) {
    ir_error_t error;
    ir_error_set(&error, IR_ERR_MEMORY, "out of memory for a message");
    ir_producer_fail(producer, &error);
}

/* ---- one message ---- */

/* Returns the raw id that the worker will compute; none if it depends on the arrival. */
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
        ir_producer_fail(producer, &error);
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
    open->lane =
        (uint32_t)(ir_producer_lane_of(producer, producer->message.mote_number) - producer->lanes);
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
    ir_producer_add(&producer->messages_sent, 1);
    ir_producer_add(&producer->observations_sent, open->n_records);
    if (ir_schedule_is_timed(&producer->schedule)) {
        atomic_store_explicit(&producer->last_due_ns, open->intended_ns, memory_order_relaxed);
        atomic_store_explicit(&producer->last_send_ns, open->sent_ns, memory_order_relaxed);
        ir_lateness_add(&producer->lateness, open->intended_ns, open->sent_ns);
    }
}

/* Sends the next message. Returns false when it cannot be sent now. Once passed to the sender, a
 * message counts as sent whatever the outcome, because it may have arrived. */
static bool send_message(ir_producer_t *producer, int64_t due_ns, int64_t now_ns) {
    ir_open_t *open = open_message(producer, due_ns, now_ns);
    if (open == NULL) {
        return false;
    }
    ir_lateness_release(&producer->lateness, now_ns);
    count_sent(producer, open);
    const ir_source_message_t message = producer->message;
    step_on(producer);
    ir_producer_give(producer, open, &message);
    return true;
}

/* ---- due messages ---- */

/* After the window was full, waits until it has drained a little, so that messages are sent in
 * groups. */
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
    const ir_lane_t *lane = ir_producer_lane_of(producer, producer->message.mote_number);
    return lane->up && lane->kept == 0 && lane->given < lane->allowed;
}

/* Sends the next message if it is this producer's and due. Returns false if nothing more is to be
 * sent in this turn. */
static bool send_one(ir_producer_t *producer, unsigned *skips) {
    const int64_t now_ns = ir_clock_monotonic();
    int64_t due_ns = ir_producer_next_due(producer);
    while (due_ns <= now_ns && due_ns < producer->end_ns &&
           !ir_producer_owns(producer, &producer->message)) {
        step_on(producer);
        if (!ir_producer_has_more(producer) || ++*skips > TURN_SKIPS) {
            return false;
        }
        due_ns = ir_producer_next_due(producer);
    }
    if (due_ns > now_ns || due_ns >= producer->end_ns ||
        now_ns - IR_PRODUCER_GRACE_NS > producer->end_ns) {
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
    for (unsigned i = 0; i < TURN_MESSAGES && producer->active && ir_producer_goes_on(producer) &&
                         ir_producer_has_more(producer);
         i++) {
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

/* ---- the thread ---- */

/* Returns how long the thread may wait before it must send again. */
static int64_t idle_time(ir_producer_t *producer) {
    if (!producer->active || !ir_producer_has_more(producer) || !has_window(producer)) {
        return POLL_NS;
    }
    if (producer->blocked_ns != 0) {
        return TICK_NS;
    }
    const int64_t wait_ns = ir_producer_next_due(producer) - ir_clock_monotonic();
    if (ir_producer_owns(producer, &producer->message) && !has_lane(producer)) {
        return POLL_NS;
    }
    if (ir_schedule_is_timed(&producer->schedule) && wait_ns < TICK_NS) {
        return TICK_NS;
    }
    return wait_ns < 0 ? 0 : wait_ns < POLL_NS ? wait_ns : POLL_NS;
}

/* `push` may wait only if there is a single sender, because a thread cannot wait for several at
 * once. And only if no message is due soon, because each confirm would end the wait. */
static void wait_turn(ir_producer_t *producer) {
    const int64_t wait_ns = idle_time(producer);
    if (producer->options.lanes == 1 && producer->lanes[0].up && wait_ns != TICK_NS) {
        ir_producer_push(producer, wait_ns);
        return;
    }
    ir_producer_push(producer, 0);
    if (wait_ns > 0) {
        ir_clock_sleep(wait_ns < TICK_NS || producer->lanes[0].up ? TICK_NS : wait_ns);
    }
}

static bool is_over(const ir_producer_t *producer) {
    const bool no_more =
        !ir_producer_has_more(producer) || (atomic_load(&producer->finish) && !producer->active);
    return no_more && ir_window_count(producer->window) == 0;
}

/* Returns the number of messages of which it is unknown whether they arrived. */
static void leave_unanswered(ir_producer_t *producer) {
    for (const ir_open_t *open = NULL; (open = ir_window_next(producer->window, open)) != NULL;) {
        ir_producer_record(producer, open, false);
        ir_producer_add(&producer->messages_lost, 1);
        ir_producer_add(&producer->observations_lost, open->n_records);
    }
}

static void *run(void *context) {
    ir_producer_t *producer = context;
    while (ir_producer_goes_on(producer) && !is_over(producer)) {
        ir_producer_mend_lanes(producer);
        ir_producer_take_order(producer);
        send_due(producer);
        wait_turn(producer);
    }
    leave_unanswered(producer);
    atomic_store(&producer->due_ns, 0);
    ir_producer_note_source_end(producer);
    atomic_store(&producer->failed, producer->status != IR_OK);
    atomic_store(&producer->ready, true);
    atomic_store(&producer->idle, true);
    atomic_store(&producer->done, true);
    return NULL;
}

/* ---- life ---- */

void ir_producer_free(ir_producer_t *producer) {
    if (producer == NULL) {
        return;
    }
    ir_producer_close_lanes(producer);
    ir_window_free(producer->window);
    ir_latency_free(&producer->confirms);
    ir_histogram_free(producer->late);
    pthread_mutex_destroy(&producer->mutex);
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
        !ir_latency_init(&producer->confirms) || !ir_producer_open_lanes(producer)) {
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

/* ---- functions for other threads ---- */

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
