#include "worker/state.h"

#include "common/clock.h"

static bool pipeline_ready(const ir_pipeline_t *pipeline, ir_buffer_t *reasons) {
    bool ready = true;
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        ir_stage_t *stage = ir_pipeline_stage(pipeline, (ir_worker_stage_t)i);
        const bool started = ir_stage_started(stage);
        if (!ir_stage_ready(stage, reasons)) {
            ready = false;
            if (!started) {
                ir_buffer_append_format(reasons, "%s: not there yet\n",
                                        ir_worker_stage_text((ir_worker_stage_t)i));
            }
        }
    }
    return ready;
}

static ir_transport_figures_t figures_of(const ir_worker_t *worker) {
    ir_transport_figures_t figures = {.connected = false};
    if (worker->stream != NULL) {
        worker->transport->figures(worker->stream, &figures);
    }
    return figures;
}

static bool transport_ready(const ir_worker_t *worker, ir_buffer_t *reasons) {
    if (!figures_of(worker).connected) {
        ir_buffer_append_format(reasons, "broker: %s\n",
                                worker->broker_fault[0] != '\0' ? worker->broker_fault
                                                                : "not connected yet");
        return false;
    }
    return worker->transport->ready(worker->stream, reasons);
}

bool ir_health_ready(void *context, ir_buffer_t *reasons) {
    ir_worker_t *worker = context;
    bool ready = pipeline_ready(worker->main_pipeline, reasons);
    ready = pipeline_ready(worker->aside_pipeline, reasons) && ready;
    ready = transport_ready(worker, reasons) && ready;
    ready = ir_policy_watch_ready(worker->policies, reasons) && ready;
    if (worker->phase >= IR_PHASE_STOPPING) {
        ir_buffer_append_text(reasons, "stopping\n");
        ready = false;
    }
    return ready;
}

/* In seconds. */
static int64_t oldest_age(const ir_worker_t *worker) {
    const int64_t main_ns = ir_pipeline_oldest(worker->main_pipeline);
    const int64_t aside_ns = ir_pipeline_oldest(worker->aside_pipeline);
    const int64_t oldest_ns =
        main_ns == 0 || (aside_ns != 0 && aside_ns < main_ns) ? aside_ns : main_ns;
    return oldest_ns != 0 ? (ir_clock_now() - oldest_ns) / IR_SECOND_NS : 0;
}

void ir_health_refresh(void *context) {
    ir_worker_t *worker = context;
    ir_meters_t *meters = &worker->meters;
    ir_buffer_t ignored;
    ir_buffer_init(&ignored);
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        ir_stage_t *stage = ir_pipeline_stage(worker->main_pipeline, (ir_worker_stage_t)i);
        ir_metric_set(meters->stage_ready[i], ir_stage_ready(stage, &ignored));
    }
    ir_buffer_free(&ignored);
    ir_metric_set(meters->batches_in_flight,
                  (int64_t)(ir_pipeline_batches(worker->main_pipeline) +
                            ir_pipeline_batches(worker->aside_pipeline)));
    ir_metric_set(meters->messages_in_flight, (int64_t)ir_finish_messages(worker));
    ir_metric_set(meters->oldest_age, oldest_age(worker));
    ir_metric_set(meters->motes_in_doubt, (int64_t)ir_doubts_motes(worker->doubts));
    ir_metric_set(meters->messages_in_doubt, (int64_t)ir_doubts_messages(worker->doubts));
    ir_metric_set(meters->registry_sensors, (int64_t)ir_registry_sensors(worker->registry));
    if (worker->stream != NULL) {
        const ir_transport_figures_t figures = figures_of(worker);
        ir_metric_set(meters->connected, figures.connected);
        ir_metric_set(meters->partitions, figures.partitions);
        ir_metric_set(meters->partition_share, figures.share);
        ir_metric_set(meters->partitions_unserved, figures.unserved);
        ir_metric_set(meters->partition_losses, (int64_t)figures.losses);
        ir_metric_set(meters->objects_missing, (int64_t)figures.missing);
        ir_metric_set(meters->workers, (int64_t)figures.workers);
        ir_metric_set(meters->reconnects, (int64_t)figures.reconnects);
    }
}
