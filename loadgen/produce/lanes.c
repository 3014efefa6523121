#include "loadgen/produce/producer_state.h"

#include "common/log.h"

#include <stdlib.h>

#define FIRST_BACKOFF_NS (100 * IR_MILLISECOND_NS)
#define LONGEST_BACKOFF_NS (2 * IR_SECOND_NS)

bool ir_producer_open_lanes(ir_producer_t *producer) {
    producer->lanes = calloc(producer->options.lanes, sizeof producer->lanes[0]);
    for (unsigned i = 0; producer->lanes != NULL && i < producer->options.lanes; i++) {
        ir_lane_t *lane = &producer->lanes[i];
        const ir_answers_t answers = {
            .take = ir_producer_answer, .reach = ir_producer_reach, .context = lane};
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

void ir_producer_close_lanes(ir_producer_t *producer) {
    for (unsigned i = 0; producer->lanes != NULL && i < producer->options.lanes; i++) {
        producer->options.target->sender->close(producer->lanes[i].sender);
    }
    free(producer->lanes);
}

/* ---- trouble ---- */

/* Passes only messages without an answer again. */
static void keep_given(ir_producer_t *producer, ir_lane_t *lane) {
    lane->allowed = lane->given > 1 ? lane->given / 2 : 1;
    lane->kept += lane->given;
    lane->given = lane->credit = 0;
    for (ir_open_t *open = NULL; (open = ir_window_next(producer->window, open)) != NULL;) {
        open->given = open->given && &producer->lanes[open->lane] != lane;
    }
}

/* The lane cannot send again before it has reconnected. */
static void lose_lane(ir_producer_t *producer, ir_lane_t *lane, const ir_error_t *error) {
    const int64_t now_ns = ir_clock_monotonic();
    ir_producer_take_answers(producer);
    if (lane->given > 0) {
        keep_given(producer, lane);
    }
    lane->up = false;
    lane->trouble_ns = lane->trouble_ns == 0 ? now_ns : lane->trouble_ns;
    ir_producer_add(&producer->failures, 1);
    if (now_ns - lane->trouble_ns > producer->options.retry_ns ||
        (!ir_producer_has_confirmed(producer) && ir_sender_is_final(error->status))) {
        ir_producer_fail(producer, error);
        return;
    }
    ir_log_limited(&producer->logged_ns, IR_PRODUCER_LOG_NS, IR_LOG_WARN, "%s%s; trying again",
                   error->text,
                   error->status == IR_ERR_NOT_FOUND ? "  (ir-worker --declare creates it)" : "");
    lane->retry_ns = now_ns + ir_backoff_next(&lane->backoff);
}

static void take_outcome(ir_producer_t *producer, ir_lane_t *lane, ir_outcome_t outcome,
                         const ir_error_t *error) {
    if (outcome == IR_OUTCOME_RETRY) {
        lose_lane(producer, lane, error);
    } else if (outcome == IR_OUTCOME_REFUSED) {
        ir_producer_fail(producer, error);
    }
}

/* ---- giving messages to a sender ---- */

ir_lane_t *ir_producer_lane_of(ir_producer_t *producer, unsigned mote_number) {
    return &producer->lanes[mote_number / producer->options.producers % producer->options.lanes];
}

/* A message that can never be sent counts as refused; the others continue. */
void ir_producer_give(ir_producer_t *producer, ir_open_t *open,
                      const ir_source_message_t *message) {
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
        ir_log_limited(&producer->logged_refused_ns, IR_PRODUCER_LOG_NS, IR_LOG_WARN, "%s",
                       error.text);
        ir_producer_settle(producer, open, false);
    } else {
        take_outcome(producer, lane, outcome, &error);
    }
}

static void give_again(ir_producer_t *producer, ir_lane_t *lane, ir_open_t *open) {
    ir_source_message_t message;
    ir_source_get(producer->shared.source, open->number, &message);
    if (producer->shared.tracker != NULL && !open->repeat) {
        ir_tracker_resent(producer->shared.tracker, open->ticket);
    }
    open->sent++;
    lane->kept--;
    ir_producer_add(&producer->resent, 1);
    ir_producer_give(producer, open, &message);
}

/* Passes messages in order, at most `allowed` at a time. */
static void give_kept(ir_producer_t *producer, ir_lane_t *lane) {
    if (lane->kept == 0 || lane->given > lane->allowed * 3 / 4) {
        return;
    }
    unsigned n_open = 0;
    ir_open_t *const *open =
        ir_window_of_lane(producer->window, (uint32_t)(lane - producer->lanes), &n_open);
    for (unsigned i = 0;
         i < n_open && lane->up && lane->given < lane->allowed && ir_producer_goes_on(producer);
         i++) {
        if (!open[i]->given) {
            give_again(producer, lane, open[i]);
        }
    }
}

/* ---- connecting, pushing ---- */

static void mend_lane(ir_producer_t *producer, ir_lane_t *lane) {
    ir_error_t error = {.status = IR_OK};
    const ir_outcome_t outcome = producer->options.target->sender->connect(lane->sender, &error);
    if (outcome != IR_OUTCOME_OK) {
        take_outcome(producer, lane, outcome, &error);
        return;
    }
    lane->up = true;
    if (!producer->options.target->sender->multiplexes) {
        ir_producer_reach(lane);
    }
    give_kept(producer, lane);
}

void ir_producer_mend_lanes(ir_producer_t *producer) {
    bool all_up = true;
    for (unsigned i = 0; i < producer->options.lanes && ir_producer_goes_on(producer); i++) {
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
        ir_producer_take_answers(producer);
        take_outcome(producer, lane, outcome, &error);
    }
    if (lane->up) {
        give_kept(producer, lane);
    }
}

void ir_producer_push(ir_producer_t *producer, int64_t wait_ns) {
    const ir_calls_t calls = ir_lateness_watch();
    for (unsigned i = 0; i < producer->options.lanes; i++) {
        push_lane(producer, &producer->lanes[i], wait_ns);
    }
    ir_lateness_judge(&producer->lateness, &calls, wait_ns);
}
