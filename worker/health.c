#include "worker/state.h"

bool ir_health_ready(void *context, ir_buffer_t *reasons) {
    ir_worker_t *worker = context;
    bool ready = true;
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        const bool started = ir_stage_started(worker->stages[i]);
        if (!ir_stage_ready(worker->stages[i], reasons)) {
            ready = false;
            if (!started) {
                ir_buffer_append_format(reasons, "%s: not there yet\n",
                                        ir_worker_stage_text((ir_worker_stage_t)i));
            }
        }
    }
    if (worker->consumer == NULL || !ir_consumer_connected(worker->consumer)) {
        ir_buffer_append_format(reasons, "broker: %s\n",
                                worker->broker_fault[0] != '\0' ? worker->broker_fault
                                                                : "not connected yet");
        ready = false;
    } else if (!ir_consumer_ready(worker->consumer, reasons)) {
        ready = false;
    }
    ready = ir_policy_watch_ready(worker->policies, reasons) && ready;
    if (worker->phase >= IR_PHASE_STOPPING) {
        ir_buffer_append_text(reasons, "stopping\n");
        ready = false;
    }
    return ready;
}

void ir_health_refresh(void *context) {
    ir_worker_t *worker = context;
    ir_meters_t *meters = &worker->meters;
    ir_buffer_t ignored;
    ir_buffer_init(&ignored);
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        ir_metric_set(meters->stage_ready[i], ir_stage_ready(worker->stages[i], &ignored));
    }
    ir_buffer_free(&ignored);
    ir_metric_set(meters->batches_in_flight, (int64_t)ir_intake_batches(worker));
    ir_metric_set(meters->messages_in_flight, (int64_t)ir_intake_messages(worker));
    ir_metric_set(meters->registry_sensors, (int64_t)ir_registry_sensors(worker->registry));
    if (worker->consumer != NULL) {
        ir_metric_set(meters->connected, ir_consumer_connected(worker->consumer));
        ir_metric_set(meters->partitions, ir_consumer_partitions(worker->consumer));
        ir_metric_set(meters->partition_share, ir_consumer_share(worker->consumer));
        ir_metric_set(meters->partitions_unserved, ir_consumer_unserved(worker->consumer));
        ir_metric_set(meters->partition_losses, (int64_t)ir_consumer_losses(worker->consumer));
        ir_metric_set(meters->set_aside, (int64_t)ir_consumer_set_aside(worker->consumer));
        ir_metric_set(meters->objects_missing, (int64_t)ir_consumer_missing(worker->consumer));
        ir_metric_set(meters->workers, (int64_t)ir_consumer_workers(worker->consumer));
        ir_metric_set(meters->reconnects, (int64_t)ir_consumer_reconnects(worker->consumer));
    }
}
