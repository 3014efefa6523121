#include "worker/meters.h"

#include "common/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const stage_texts[IR_STAGE_COUNT] = {"documents", "graph", "republish"};

const char *ir_worker_stage_text(ir_worker_stage_t stage) {
    return stage_texts[stage];
}

/* Adds the series that exist once per worker. */
#define FIELD(member) offsetof(ir_meters_t, member)

static const ir_metric_row_t single[] = {
    {FIELD(messages_received), IR_METRIC_COUNTER, "ir_messages_received_total", NULL,
     "Messages delivered by the broker."},
    {FIELD(messages_redelivered), IR_METRIC_COUNTER, "ir_messages_redelivered_total", NULL,
     "Messages that the broker had delivered before."},
    {FIELD(messages_acknowledged), IR_METRIC_COUNTER, "ir_messages_acknowledged_total", NULL,
     "Messages stored, republished and acknowledged."},
    {FIELD(messages_oversize), IR_METRIC_COUNTER, "ir_messages_oversize_total", NULL,
     "Messages over message-bytes, which the worker leaves to the broker to dead-letter."},
    {FIELD(messages_unstamped), IR_METRIC_COUNTER, "ir_messages_unstamped_total", NULL,
     "Messages without a stamp of their arrival; the worker's clock was used instead."},
    {FIELD(observations_stored), IR_METRIC_COUNTER, "ir_observations_total", "state=\"stored\"",
     "Observations: stored now, or duplicate because they were stored before."},
    {FIELD(observations_duplicate), IR_METRIC_COUNTER, "ir_observations_total",
     "state=\"duplicate\"",
     "Observations: stored now, or duplicate because they were stored before."},
    {FIELD(revisions), IR_METRIC_COUNTER, "ir_revisions_total", NULL,
     "Quality flags decided later than their observation."},
    {FIELD(dead_letters), IR_METRIC_COUNTER, "ir_dead_letters_total", NULL,
     "Messages published to the exchange ir.rejected."},
    {FIELD(dead_letters_left_out), IR_METRIC_COUNTER, "ir_dead_letters_left_out_total", NULL,
     "Dead letters not published because ir.rejected was full; their messages are in the "
     "documents."},
    {FIELD(motes_in_doubt), IR_METRIC_GAUGE, "ir_motes_in_doubt", NULL,
     "Motes of which a server refuses a message, while it is not yet proved that the message is at "
     "fault."},
    {FIELD(messages_in_doubt), IR_METRIC_GAUGE, "ir_messages_in_doubt", NULL,
     "Messages of these motes that wait for the proof."},
    {FIELD(batches), IR_METRIC_COUNTER, "ir_batches_total", NULL,
     "Batches stored, republished and acknowledged."},
    {FIELD(batches_in_flight), IR_METRIC_GAUGE, "ir_batches_in_flight", NULL,
     "Batches that are being stored or published."},
    {FIELD(messages_in_flight), IR_METRIC_GAUGE, "ir_messages_in_flight", NULL,
     "Messages delivered and not acknowledged yet."},
    {FIELD(oldest_age), IR_METRIC_GAUGE, "ir_oldest_message_age_seconds", NULL,
     "Age of the oldest message in flight since its arrival, in whole seconds; 0 without any."},
    {FIELD(partitions), IR_METRIC_GAUGE, "ir_partitions", NULL,
     "Partitions that this worker consumes."},
    {FIELD(partition_share), IR_METRIC_GAUGE, "ir_partition_share", NULL,
     "Partitions that this worker should consume."},
    {FIELD(partitions_unserved), IR_METRIC_GAUGE, "ir_partitions_unserved", NULL,
     "Partitions that no worker is known to consume."},
    {FIELD(set_aside), IR_METRIC_COUNTER, "ir_messages_set_aside_total", NULL,
     "Messages that RabbitMQ could not deliver, moved to ir.rejected by the brokers."},
    {FIELD(partition_losses), IR_METRIC_COUNTER, "ir_partition_losses_total", NULL,
     "Number of times the broker withdrew or refused a partition, or its queue did not answer."},
    {FIELD(objects_missing), IR_METRIC_COUNTER, "ir_broker_objects_missing_total", NULL,
     "Exchanges, queues and bindings that were missing and declared again."},
    {FIELD(workers), IR_METRIC_GAUGE, "ir_workers", NULL,
     "Workers that this worker knows, itself included."},
    {FIELD(reconnects), IR_METRIC_COUNTER, "ir_broker_reconnects_total", NULL,
     "Connections to the broker after the first."},
    {FIELD(connected), IR_METRIC_GAUGE, "ir_broker_connected", NULL,
     "1 while all consuming connections are open."},
    {FIELD(registry_sensors), IR_METRIC_GAUGE, "ir_registry_sensors", NULL,
     "Sensors in the registry."},
    {FIELD(registry_reloads), IR_METRIC_COUNTER, "ir_registry_reloads_total", "result=\"done\"",
     "Reloads of the registry."},
    {FIELD(registry_reload_failures), IR_METRIC_COUNTER, "ir_registry_reloads_total",
     "result=\"failed\"", "Reloads of the registry."},
};

static void add_reasons_and_flags(ir_meters_t *m) {
    char labels[64];
    for (int reason = 1; reason < IR_REASON_COUNT; reason++) {
        snprintf(labels, sizeof labels, "reason=\"%s\"", ir_reason_text((ir_reason_t)reason));
        m->rejected[reason] = ir_metrics_add(m->metrics, IR_METRIC_COUNTER, "ir_rejected_total",
                                             labels, "Messages and records refused, by reason.");
    }
    ir_culprits_open(
        &m->culprits, m->metrics, "ir_rejected_top",
        "Messages and records refused, of the 16 motes with the most. A mote with more than a "
        "sixteenth of all refusals is among them; its count may be too high by as much.");
    ir_culprits_open(&m->heaviest, m->metrics, "ir_received_bytes_top",
                     "Bytes of the messages of the 16 motes that send the most.");
    static const int flags[] = {IR_FLAG_GOOD, IR_FLAG_NOT_EVALUATED, IR_FLAG_SUSPECT, IR_FLAG_FAIL,
                                IR_FLAG_MISSING};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        snprintf(labels, sizeof labels, "flag=\"%s\"", ir_flag_text(flags[i]));
        m->aggregates[flags[i]] =
            ir_metrics_add(m->metrics, IR_METRIC_COUNTER, "ir_quality_total", labels,
                           "Observations by their aggregate quality flag.");
    }
}

static void add_stages(ir_meters_t *m) {
    char labels[64];
    for (int stage = 0; stage < IR_STAGE_COUNT; stage++) {
        snprintf(labels, sizeof labels, "stage=\"%s\"", stage_texts[stage]);
        m->retries[stage] =
            ir_metrics_add(m->metrics, IR_METRIC_COUNTER, "ir_stage_retries_total", labels,
                           "Times that a stage failed and retried after a pause.");
        m->stage_ready[stage] = ir_metrics_add(m->metrics, IR_METRIC_GAUGE, "ir_stage_ready",
                                               labels, "1 while the stage's server answers.");
        m->stage_seconds[stage] = ir_metrics_add_histogram(
            m->metrics, "ir_stage_seconds", labels, "Time that a stage spends on one batch.");
    }
    m->message_seconds = ir_metrics_add_histogram(
        m->metrics, "ir_message_seconds", NULL, "Time from delivery to acknowledgement, by batch.");
    m->arrival_seconds =
        ir_metrics_add_histogram(m->metrics, "ir_arrival_seconds", NULL,
                                 "Time from arrival at the broker or gateway to acknowledgement, "
                                 "by message, without messages that were stored before.");
}

ir_status_t ir_meters_open(ir_meters_t *meters, const ir_format_t *const *formats, size_t n_formats,
                           ir_error_t *error) {
    memset(meters, 0, sizeof *meters);
    meters->metrics = ir_metrics_new();
    if (meters->metrics == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "metrics: out of memory");
    }
    ir_metrics_add_rows(meters->metrics, meters, single, sizeof single / sizeof single[0]);
    add_reasons_and_flags(meters);
    add_stages(meters);
    meters->heard = ir_heard_new(meters->metrics);
    if (meters->heard == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "metrics: out of memory");
    }
    for (size_t i = 0; i < n_formats; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "format=\"%s\"", formats[i]->name);
        meters->republished[i] =
            ir_metrics_add(meters->metrics, IR_METRIC_COUNTER, "ir_messages_republished_total",
                           labels, "Messages published to the exchange ir.processed.");
    }
    return IR_OK;
}

void ir_meters_close(ir_meters_t *meters) {
    ir_heard_free(meters->heard);
    ir_metrics_free(meters->metrics);
    meters->heard = NULL;
    meters->metrics = NULL;
}

/* Returns the name under which a message is counted: its mote or, if the routing key names no mote,
 * the key. */
static ir_view_t sender_of(const ir_message_t *message) {
    return message->mote.size > 0 ? message->mote : message->key_text;
}

static void blame(ir_meters_t *meters, const ir_message_t *message, const ir_refusal_t *refusal,
                  uint64_t count) {
    char why[sizeof refusal->detail + 64];
    snprintf(why, sizeof why, "%s: %s", ir_reason_text(refusal->reason), refusal->detail);
    ir_culprits_add(&meters->culprits, sender_of(message), count, why);
}

static void count_refusals(ir_meters_t *meters, const ir_batch_t *batch,
                           const ir_message_t *message) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < message->n_refusals; i++) {
        const ir_refusal_t *refusal = &batch->refusals[message->first_refusal + i];
        ir_metric_increase(meters->rejected[refusal->reason], refusal->count);
        count += refusal->count;
    }
    if (count > 0) {
        blame(meters, message, &batch->refusals[message->first_refusal], count);
    }
}

static void count_message(ir_meters_t *meters, const ir_batch_t *batch,
                          const ir_message_t *message) {
    uint64_t stored = 0;
    uint64_t duplicate = 0;
    for (uint32_t i = 0; i < message->n_observations; i++) {
        const ir_observation_t *observation = &batch->observations[message->first_observation + i];
        stored += observation->state == IR_OBSERVATION_NEW;
        duplicate += observation->state == IR_OBSERVATION_DUPLICATE;
        ir_metric_increase(meters->aggregates[observation->aggregate % 10], 1);
    }
    count_refusals(meters, batch, message);
    ir_culprits_count(&meters->heaviest, sender_of(message), message->body.size);
    ir_metric_increase(meters->observations_stored, stored);
    ir_metric_increase(meters->observations_duplicate, duplicate);
}

/* Records how long a message took since its arrival. Messages that were stored before are left out,
 * because their arrival is the earlier, stored one. */
static void count_arrival(ir_meters_t *meters, const ir_message_t *message, int64_t now_ns) {
    if (message->stamped && !message->known) {
        const int64_t took_ns = now_ns - message->arrival_ns;
        ir_metric_histogram_record(meters->arrival_seconds, took_ns > 0 ? took_ns : 0);
    }
    if (message->n_observations > 0) {
        ir_heard_note(meters->heard, message->mote, message->arrival_ns);
    }
}

void ir_meters_count(ir_meters_t *meters, const ir_batch_t *batch) {
    const int64_t now_ns = ir_clock_now();
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        if (!ir_batch_is_aside(batch, i)) {
            count_message(meters, batch, &batch->messages[i]);
            count_arrival(meters, &batch->messages[i], now_ns);
        }
    }
    for (uint32_t i = 0; i < batch->n_store_refusals; i++) {
        const ir_store_refusal_t *refusal = &batch->store_refusals[i];
        if (!ir_batch_is_aside(batch, refusal->message)) {
            ir_metric_increase(meters->rejected[refusal->refusal.reason], 1);
            blame(meters, &batch->messages[refusal->message], &refusal->refusal, 1);
        }
    }
    uint64_t revisions = 0;
    for (uint32_t i = 0; i < batch->n_revisions; i++) {
        revisions += !ir_batch_is_aside(batch, batch->revisions[i].observation.message);
    }
    ir_metric_increase(meters->revisions, revisions);
    ir_metric_increase(meters->messages_acknowledged, batch->n_messages - batch->n_aside);
    ir_metric_increase(meters->batches, 1);
    ir_metric_histogram_record(meters->message_seconds, ir_clock_monotonic() - batch->opened_ns);
}
