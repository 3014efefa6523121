#include "common/clock.h"
#include "common/invariant.h"
#include "common/log.h"
#include "common/messages.h"
#include "observation/reanalysis.h"
#include "worker/state.h"

#include <stdlib.h>
#include <string.h>

#define TOLD_MAX 20 /* maximum number of log lines about motes in doubt per second */

ir_status_t ir_finish_open(ir_worker_t *worker, ir_error_t *error) {
    worker->parked = calloc((size_t)worker->options->in_flight, sizeof(ir_batch_t *));
    return worker->parked != NULL ? IR_OK
                                  : ir_error_set(error, IR_ERR_MEMORY, "batches: out of memory");
}

void ir_finish_close(ir_worker_t *worker) {
    free(worker->parked);
}

uint64_t ir_finish_messages(const ir_worker_t *worker) {
    uint64_t count =
        ir_pipeline_messages(worker->main_pipeline) + ir_pipeline_messages(worker->aside_pipeline);
    for (size_t i = 0; i < worker->n_parked; i++) {
        count -= worker->parked[i]->n_messages - worker->parked[i]->n_aside;
    }
    return count;
}

/* ---- telling ---- */

static bool may_tell(ir_worker_t *worker) {
    const int64_t now_ns = ir_clock_monotonic();
    if (worker->told == 0 || now_ns - worker->told_ns >= IR_SECOND_NS) {
        worker->told_ns = now_ns;
        worker->told = 0;
    }
    return worker->told++ < TOLD_MAX;
}

static void tell_doubt(ir_worker_t *worker, const ir_message_t *message, const char *id,
                       const char *detail) {
    if (may_tell(worker)) {
        ir_log(IR_LOG_WARN, IR_TEXT_IN_DOUBT, IR_VIEW_ARG(message->mote), id, detail);
    }
}

/* Logs a doubt once per message, even if several of its records are in doubt. */
static void tell_refusals(ir_worker_t *worker, const ir_batch_t *batch) {
    uint32_t told = UINT32_MAX;
    for (uint32_t i = 0; i < batch->n_store_refusals; i++) {
        char id[IR_ID_TEXT_SIZE];
        const ir_store_refusal_t *refused = &batch->store_refusals[i];
        const ir_message_t *message = &batch->messages[refused->message];
        ir_id_format(&message->raw_id, id);
        if (refused->refusal.reason == IR_REASON_NONE && refused->message != told) {
            told = refused->message;
            tell_doubt(worker, message, id, refused->refusal.detail);
        } else if (!ir_batch_is_aside(batch, refused->message)) {
            ir_log(IR_LOG_WARN, "%s: message %s of mote %.*s, record %d: %s",
                   ir_reason_text(refused->refusal.reason), id, IR_VIEW_ARG(message->mote),
                   refused->refusal.record, refused->refusal.detail);
        }
    }
}

/* ---- acknowledging ---- */

typedef struct ir_acknowledgement {
    uint32_t partition, session, count;
    uint64_t tag;
} ir_acknowledgement_t;

static void flush_acknowledgement(ir_worker_t *worker, ir_acknowledgement_t *pending) {
    if (pending->count > 0) {
        worker->transport->acknowledge(worker->stream, pending->partition, pending->session,
                                       pending->tag, pending->count);
    }
    pending->count = 0;
}

static void acknowledge_alone(ir_worker_t *worker, const ir_message_t *message) {
    worker->transport->acknowledge(worker->stream, message->partition, message->session,
                                   message->delivery_tag, 0);
}

static void add_acknowledgement(ir_worker_t *worker, const ir_message_t *message,
                                ir_acknowledgement_t *pending) {
    if (pending->count > 0 && pending->session != message->session) {
        flush_acknowledgement(worker, pending);
    }
    pending->partition = message->partition;
    pending->session = message->session;
    pending->tag = message->delivery_tag;
    pending->count++;
}

/* Sends one acknowledgement for each partition and session of the batch. It covers all messages up
 * to a certain one. So if other messages of the partition are set aside, each message gets its own
 * acknowledgement instead. */
static void acknowledge(ir_worker_t *worker, const ir_batch_t *batch) {
    ir_acknowledgement_t pending[IR_PARTITIONS_MAX] = {{0}};
    IR_INVARIANT(batch->stage == NULL && !batch->undone);
    for (uint32_t i = 0; batch->n_aside > 0 && i < batch->n_messages; i++) {
        worker->held[batch->messages[i].partition] += ir_batch_is_aside(batch, i);
    }
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        const ir_message_t *message = &batch->messages[i];
        if (worker->held[message->partition] == 0) {
            add_acknowledgement(worker, message, &pending[message->partition]);
        } else if (!ir_batch_is_aside(batch, i)) {
            acknowledge_alone(worker, message);
        }
    }
    for (size_t i = 0; i < IR_PARTITIONS_MAX; i++) {
        flush_acknowledgement(worker, &pending[i]);
    }
}

/* ---- finishing messages that were set aside ---- */

static void settle(ir_worker_t *worker, const ir_message_t *message) {
    IR_INVARIANT(worker->held[message->partition] > 0);
    worker->held[message->partition]--;
    acknowledge_alone(worker, message);
    if (ir_doubts_settle(worker->doubts, message->mote) && may_tell(worker)) {
        ir_log(IR_LOG_INFO, "mote %.*s is in doubt no longer", IR_VIEW_ARG(message->mote));
    }
}

static void finish_aside(ir_worker_t *worker) {
    for (ir_batch_t *batch; (batch = ir_pipeline_done(worker->aside_pipeline)) != NULL;) {
        for (uint32_t i = 0; !batch->undone && i < batch->n_messages; i++) {
            settle(worker, &batch->messages[i]);
        }
        if (!batch->undone) {
            ir_meters_count(&worker->meters, batch);
            tell_refusals(worker, batch);
        }
        ir_pipeline_recycle(worker->aside_pipeline, batch, worker->registry);
    }
}

/* ---- passing set-aside messages on ---- */

/* Returns false when the second pipeline has no room. */
static bool pass_message(ir_worker_t *worker, const ir_batch_t *batch, uint32_t message) {
    ir_pipeline_dispatch(worker->aside_pipeline);
    if (!ir_pipeline_room(worker->aside_pipeline)) {
        return false;
    }
    ir_batch_t *aside = ir_pipeline_collect(worker->aside_pipeline, worker->registry);
    if (aside->n_messages == 0) {
        aside->opened_ns = batch->opened_ns;
    }
    if (ir_batch_add_again(aside, &worker->analysis, batch, message) != IR_OK) {
        ir_worker_fail(worker, IR_ERR_MEMORY, "out of memory for a message that is set aside");
        return false;
    }
    ir_pipeline_note_arrival(worker->aside_pipeline, batch->messages[message].arrival_ns);
    return true;
}

/* Returns false if some messages could not be passed on. */
static bool pass_batch(ir_worker_t *worker, const ir_batch_t *batch) {
    for (; worker->next_aside < batch->n_messages; worker->next_aside++) {
        if (ir_batch_is_aside(batch, worker->next_aside) &&
            !pass_message(worker, batch, worker->next_aside)) {
            return false;
        }
    }
    return true;
}

/* Passes messages that were set aside to the second pipeline. A worker that is stopping leaves them
 * to the next worker. */
static void pass_aside(ir_worker_t *worker) {
    while (worker->n_parked > 0) {
        ir_batch_t *batch = worker->parked[0];
        if (worker->phase == IR_PHASE_RUNNING && !pass_batch(worker, batch)) {
            return;
        }
        worker->next_aside = 0;
        worker->n_parked--;
        memmove(worker->parked, worker->parked + 1, worker->n_parked * sizeof(ir_batch_t *));
        ir_pipeline_recycle(worker->main_pipeline, batch, worker->registry);
    }
}

/* Only messages that were set aside are left in the batch. */
static void park(ir_worker_t *worker, ir_batch_t *batch) {
    batch->oldest_ns = 0;
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        const int64_t arrival_ns = batch->messages[i].arrival_ns;
        if (ir_batch_is_aside(batch, i) &&
            (batch->oldest_ns == 0 || arrival_ns < batch->oldest_ns)) {
            batch->oldest_ns = arrival_ns;
        }
    }
    worker->parked[worker->n_parked++] = batch;
}

/* ---- both pipelines ---- */

void ir_finish_batches(ir_worker_t *worker) {
    finish_aside(worker);
    for (ir_batch_t *batch; (batch = ir_pipeline_done(worker->main_pipeline)) != NULL;) {
        if (!batch->undone) {
            acknowledge(worker, batch);
            ir_meters_count(&worker->meters, batch);
            tell_refusals(worker, batch);
        }
        if (!batch->undone && batch->n_aside > 0) {
            park(worker, batch);
        } else {
            ir_pipeline_recycle(worker->main_pipeline, batch, worker->registry);
        }
    }
    pass_aside(worker);
}
