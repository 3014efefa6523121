#include "loadgen/produce/producer_state.h"

#define UNSENT_MAX 10000000

int64_t ir_producer_next_due(ir_producer_t *producer) {
    if (!producer->loaded) {
        ir_source_get(producer->shared.source, producer->next, &producer->message);
        producer->loaded = true;
    }
    return ir_schedule_due(&producer->schedule, producer->message.due_ns);
}

/* Counts the messages of this producer that were due before the end but were not sent. */
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
        messages += ir_producer_owns(producer, &message);
        observations += ir_producer_owns(producer, &message) ? message.n_records : 0;
        ir_schedule_advance(&schedule, number, message.n_records);
    }
    ir_producer_add(&producer->messages_unsent, messages);
    ir_producer_add(&producer->observations_unsent, observations);
}

/* The source has no more messages, although another one would be due before the order's end. */
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

void ir_producer_note_source_end(ir_producer_t *producer) {
    atomic_store(&producer->source_ended, producer->next >= producer->shared.source->messages);
    if (producer->active && ends_early(producer)) {
        atomic_store(&producer->ended_early, true);
    }
}

static void end_order(ir_producer_t *producer) {
    ir_producer_note_source_end(producer);
    if (ir_schedule_is_timed(&producer->schedule) && producer->end_ns < INT64_MAX &&
        ir_producer_has_more(producer)) {
        count_unsent(producer);
    }
    producer->active = false;
    ir_lateness_forget(&producer->lateness);
    atomic_store(&producer->due_ns, 0);
    atomic_store(&producer->idle, true);
}

static bool order_is_over(ir_producer_t *producer) {
    if (!ir_producer_has_more(producer)) {
        return true;
    }
    const int64_t now_ns = ir_clock_monotonic();
    return now_ns >= producer->end_ns && (ir_producer_next_due(producer) >= producer->end_ns ||
                                          now_ns - IR_PRODUCER_GRACE_NS > producer->end_ns ||
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

void ir_producer_take_order(ir_producer_t *producer) {
    ir_order_t order = {.end_ns = 0};
    pthread_mutex_lock(&producer->mutex);
    const bool ordered = producer->ordered;
    if (ordered) {
        order = producer->order;
        producer->ordered = false;
    }
    pthread_mutex_unlock(&producer->mutex);
    if (ordered && ir_producer_has_more(producer)) {
        begin_order(producer, &order);
    }
    if ((ordered || producer->active) && (!producer->active || order_is_over(producer))) {
        end_order(producer);
    }
    if (producer->active) {
        atomic_store(&producer->due_ns, ir_producer_next_due(producer));
    }
}
