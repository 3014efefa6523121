#include "worker/state.h"

#include "broker/topology.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>

#define LOG_INTERVAL_NS (10 * IR_SECOND_NS)
#define TURN_DELIVERIES 256

/* ---- batches ---- */

ir_status_t ir_intake_open(ir_worker_t *worker, ir_error_t *error) {
    worker->n_batches = (size_t)worker->options->in_flight + 1;
    worker->batches = calloc(worker->n_batches, sizeof *worker->batches);
    worker->spare = calloc(worker->n_batches, sizeof *worker->spare);
    worker->done = ir_ring_new(worker->n_batches, false);
    if (worker->batches == NULL || worker->spare == NULL || worker->done == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "batches: out of memory");
    }
    for (size_t i = 0; i < worker->n_batches; i++) {
        worker->batches[i] = ir_batch_new(worker->registry);
        if (worker->batches[i] == NULL) {
            return ir_error_set(error, IR_ERR_MEMORY, "batches: out of memory");
        }
        worker->spare[worker->n_spare++] = worker->batches[i];
    }
    return IR_OK;
}

void ir_intake_close(ir_worker_t *worker) {
    for (size_t i = 0; i < worker->n_batches && worker->batches != NULL; i++) {
        ir_batch_free(worker->batches[i]);
    }
    ir_ring_free(worker->done);
    free(worker->spare);
    free(worker->batches);
}

size_t ir_intake_batches(const ir_worker_t *worker) {
    return worker->n_batches - worker->n_spare - (worker->open != NULL);
}

/* Of batches that a stage owns, n_messages no longer changes. */
uint64_t ir_intake_messages(const ir_worker_t *worker) {
    uint64_t count = 0;
    for (size_t i = 0; i < worker->n_batches; i++) {
        count += worker->batches[i]->n_messages;
    }
    for (size_t i = 0; i < worker->n_spare; i++) {
        count -= worker->spare[i]->n_messages;
    }
    return count;
}

static bool open_batch(ir_worker_t *worker) {
    if (worker->open == NULL && worker->n_spare > 0) {
        worker->open = worker->spare[--worker->n_spare];
        ir_batch_reset(worker->open, worker->registry);
        worker->open->opened_ns = ir_clock_monotonic();
    }
    return worker->open != NULL;
}

static bool is_full(const ir_worker_t *worker, const ir_batch_t *batch) {
    return batch->n_observations >= (uint64_t)worker->options->batch_observations ||
           batch->n_messages >= (uint64_t)worker->options->batch_observations ||
           batch->body_bytes >= (size_t)worker->options->batch_bytes;
}

static void send_batch(ir_worker_t *worker) {
    ir_batch_t *batch = worker->open;
    worker->open = NULL;
    batch->sequence = worker->next_sequence++;
    ir_stage_give(worker->stages[IR_STAGE_DOCUMENTS], batch);
}

/* Group commit: a batch is sent on when the first stage has nothing to do, or when it is full. One
 * batch is always kept out of the stages to collect the next. */
void ir_intake_dispatch(ir_worker_t *worker) {
    const ir_batch_t *open = worker->open;
    if (open != NULL && open->n_messages > 0 &&
        ir_intake_batches(worker) < (size_t)worker->options->in_flight &&
        (is_full(worker, open) || ir_stage_idle(worker->stages[IR_STAGE_DOCUMENTS]))) {
        send_batch(worker);
    }
    const bool room = worker->open == NULL ? worker->n_spare > 0 : !is_full(worker, worker->open);
    if (worker->phase == IR_PHASE_RUNNING && worker->consumer != NULL && room == worker->paused) {
        worker->paused = !room;
        if (room) {
            ir_consumer_resume(worker->consumer);
        } else {
            ir_consumer_pause(worker->consumer);
        }
    }
}

typedef struct ir_acknowledgement {
    uint32_t partition, session, count;
    uint64_t tag;
} ir_acknowledgement_t;

static void flush_acknowledgement(ir_worker_t *worker, ir_acknowledgement_t *pending) {
    if (pending->count > 0) {
        ir_consumer_acknowledge(worker->consumer, pending->partition, pending->session,
                                pending->tag, pending->count);
    }
    pending->count = 0;
}

/* One acknowledgement for each partition and session of the batch. */
static void acknowledge(ir_worker_t *worker, const ir_batch_t *batch) {
    ir_acknowledgement_t pending[256] = {{0}};
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        const ir_message_t *message = &batch->messages[i];
        ir_acknowledgement_t *mine = &pending[message->partition % 256];
        if (mine->count > 0 && mine->session != message->session) {
            flush_acknowledgement(worker, mine);
        }
        mine->partition = message->partition;
        mine->session = message->session;
        mine->tag = message->delivery_tag;
        mine->count++;
    }
    for (size_t i = 0; i < 256; i++) {
        flush_acknowledgement(worker, &pending[i]);
    }
}

static void log_store_refusals(const ir_batch_t *batch) {
    for (uint32_t i = 0; i < batch->n_store_refusals; i++) {
        char id[IR_ID_TEXT_SIZE];
        const ir_store_refusal_t *refused = &batch->store_refusals[i];
        ir_log(IR_LOG_WARN, "%s: message %s, record %d: %s",
               ir_reason_text(refused->refusal.reason),
               ir_id_format(&batch->messages[refused->message].raw_id, id), refused->refusal.record,
               refused->refusal.detail);
    }
}

/* An empty batch would keep an old registry for as long as nothing comes. */
static void follow_registry(const ir_worker_t *worker, ir_batch_t *batch) {
    if (batch->registry != worker->registry) {
        ir_batch_reset(batch, worker->registry);
    }
}

void ir_intake_follow_registry(ir_worker_t *worker) {
    for (size_t i = 0; i < worker->n_spare; i++) {
        follow_registry(worker, worker->spare[i]);
    }
    if (worker->open != NULL && worker->open->n_messages == 0) {
        follow_registry(worker, worker->open);
    }
}

void ir_intake_finish(ir_worker_t *worker) {
    for (ir_batch_t *batch; (batch = ir_ring_pop(worker->done)) != NULL;) {
        if (!batch->undone) {
            acknowledge(worker, batch);
            ir_meters_count(&worker->meters, batch);
            log_store_refusals(batch);
        }
        follow_registry(worker, batch);
        worker->spare[worker->n_spare++] = batch;
    }
}

/* ---- the broker's events ---- */

static void note_unstamped(ir_worker_t *worker, const ir_delivery_t *delivery) {
    ir_metric_increase(worker->meters.messages_unstamped, 1);
    ir_log_limited(&worker->unstamped_logged_ns, LOG_INTERVAL_NS, IR_LOG_WARN,
                   "a message with routing key %.*s has no stamp of its arrival: this worker's "
                   "clock takes its place; the broker does not stamp, or it was in a queue before "
                   "the broker did",
                   IR_VIEW_ARG(delivery->routing_key));
}

static void on_delivery(void *context, const ir_delivery_t *delivery) {
    ir_worker_t *worker = context;
    if (!open_batch(worker)) {
        /* Deliveries stop on the turn's end at the latest; the pipeline has a batch for that. */
        ir_worker_fail(worker, IR_ERR_STATE, "a delivery came while no batch was free");
        return;
    }
    const ir_input_t input = {
        .routing_key = delivery->routing_key,
        .content_type = delivery->content_type,
        .body = delivery->body,
        .name = delivery->name,
        .arrival_ns = delivery->arrival_ns,
        .sent_ns = delivery->sent_ns,
        .now_ns = ir_clock_now(),
        .redelivered = delivery->redelivered,
        .partition = delivery->partition,
        .session = delivery->session,
        .delivery_tag = delivery->tag,
    };
    if (ir_batch_add(worker->open, &worker->analysis, &input) != IR_OK) {
        ir_worker_fail(
            worker, IR_ERR_MEMORY,
            "out of memory for a message; what is not acknowledged goes back to the broker");
        return;
    }
    ir_metric_increase(worker->meters.messages_received, 1);
    ir_metric_increase(worker->meters.messages_redelivered, delivery->redelivered);
    if (delivery->arrival_ns == 0) {
        note_unstamped(worker, delivery);
    }
    if (is_full(worker, worker->open)) {
        ir_intake_dispatch(worker);
    }
}

static void on_turn(void *context) {
    ir_intake_dispatch(context);
}

static void on_oversize(void *context, const ir_delivery_t *delivery, uint64_t size) {
    ir_worker_t *worker = context;
    ir_metric_increase(worker->meters.messages_oversize, 1);
    ir_log(
        IR_LOG_WARN,
        "message of %llu bytes with routing key %.*s is over message-bytes: left to the broker to "
        "dead-letter",
        (unsigned long long)size, IR_VIEW_ARG(delivery->routing_key));
}

static void on_state(void *context, bool connected, const char *text) {
    ir_worker_t *worker = context;
    if (connected) {
        worker->broker_fault[0] = '\0';
        worker->fault_logged_ns = 0;
        ir_log(IR_LOG_INFO, "broker: %s", text);
        return;
    }
    snprintf(worker->broker_fault, sizeof worker->broker_fault, "%s", text);
    ir_log_limited(&worker->fault_logged_ns, LOG_INTERVAL_NS, IR_LOG_WARN, "broker: %s", text);
}

static void on_ready(void *context) {
    ir_worker_t *worker = context;
    worker->complete = true;
    ir_log(IR_LOG_INFO, "every partition is consumed: %u here, by %zu workers in all",
           ir_consumer_partitions(worker->consumer), ir_consumer_workers(worker->consumer));
}

static void on_warning(void *context, const char *text) {
    (void)context;
    ir_log(IR_LOG_WARN, "broker: %s", text);
}

ir_status_t ir_intake_start(ir_worker_t *worker, ir_error_t *error) {
    const ir_worker_options_t *options = worker->options;
    ir_consumer_options_t consumer = {
        .topology = ir_worker_topology(options),
        .worker = options->name,
        .trusted_users = options->trusted_users,
        .prefetch = (uint16_t)options->prefetch,
        .message_bytes = (size_t)options->message_bytes,
        .announce_ns = options->announce_ns,
        .turn = TURN_DELIVERIES,
    };
    ir_worker_broker_options(options, &consumer.broker);
    static const ir_consumer_events_t events = {on_delivery, on_turn,  on_oversize,
                                                on_state,    on_ready, on_warning};
    return ir_consumer_open(worker->base, &consumer, &events, worker, &worker->consumer, error);
}
