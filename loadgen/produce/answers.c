#include "loadgen/produce/producer_state.h"

#include "common/log.h"

void ir_producer_reach(void *context) {
    const ir_lane_t *lane = context;
    atomic_store_explicit(&lane->producer->reached, true, memory_order_relaxed);
}

static void widen(ir_lane_t *lane, unsigned most) {
    if (lane->allowed < most && ++lane->credit >= lane->allowed) {
        lane->allowed++;
        lane->credit = 0;
    }
}

void ir_producer_answer(void *context, uint64_t number, ir_sender_answer_t answer,
                        const char *why) {
    ir_lane_t *lane = context;
    ir_producer_t *producer = lane->producer;
    if (answer != IR_ANSWER_AGAIN) {
        ir_producer_reach(lane);
    }
    producer->answered[producer->n_answered++] = (ir_answered_t){.place = number, .answer = answer};
    if (answer == IR_ANSWER_CONFIRMED) {
        lane->trouble_ns = 0;
        ir_backoff_reset(&lane->backoff);
        widen(lane, producer->options.window);
    } else if (answer == IR_ANSWER_AGAIN) {
        ir_log_limited(&producer->logged_again_ns, IR_PRODUCER_LOG_NS, IR_LOG_WARN,
                       "%s; trying again", why);
    } else {
        ir_log_limited(&producer->logged_refused_ns, IR_PRODUCER_LOG_NS, IR_LOG_WARN, "%s", why);
    }
    if (answer == IR_ANSWER_DENIED && !ir_producer_has_confirmed(producer)) {
        ir_error_t error;
        ir_error_set(&error, IR_ERR_AUTH, "%s", why);
        ir_producer_fail(producer, &error);
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
        ir_producer_fail(producer, &error);
    }
}

/* The values from which the ids of a message follow once it has arrived. */
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
        ir_producer_fail(producer, &error);
    }
}

void ir_producer_record(ir_producer_t *producer, const ir_open_t *open, bool confirmed) {
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
    ir_producer_record(producer, open, true);
    ir_producer_add(&producer->messages_confirmed, 1);
    ir_producer_add(&producer->observations_confirmed, open->n_records);
    ir_producer_add(&producer->repeats, open->repeat);
}

/* The stores cannot contain a refused message, unless it was sent before and the answer was
 * lost. */
static void refuse(ir_producer_t *producer, ir_open_t *open) {
    ir_producer_record(producer, open, false);
    ir_producer_add(&producer->messages_refused, 1);
    ir_producer_add(&producer->observations_refused, open->n_records);
    ir_producer_add(&producer->unmeant, open->n_accepted == open->n_records);
}

static void note_again(ir_producer_t *producer, ir_open_t *open) {
    open->sent++;
    ir_producer_add(&producer->resent, 1);
    ir_producer_add(&producer->failures, 1);
    if (producer->shared.tracker != NULL && !open->repeat) {
        ir_tracker_resent(producer->shared.tracker, open->ticket);
    }
}

void ir_producer_settle(ir_producer_t *producer, ir_open_t *open, bool confirmed) {
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

void ir_producer_take_answers(ir_producer_t *producer) {
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
            ir_producer_settle(producer, open, producer->answered[i].answer == IR_ANSWER_CONFIRMED);
        }
    }
    producer->n_answered = 0;
    atomic_store(&producer->last_confirm_ns, now_ns);
}
