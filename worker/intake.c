#include "broker/topology.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/messages.h"
#include "observation/analysis.h"
#include "worker/state.h"

#include <stdio.h>
#include <string.h>

#define LOG_INTERVAL_NS (10 * IR_SECOND_NS)

/* ---- batches ---- */

void ir_intake_dispatch(ir_worker_t *worker) {
    ir_pipeline_dispatch(worker->main_pipeline);
    ir_pipeline_dispatch(worker->aside_pipeline);
    const bool room = ir_pipeline_room(worker->main_pipeline);
    if (worker->phase == IR_PHASE_RUNNING && worker->stream != NULL && room == worker->paused) {
        worker->paused = !room;
        if (room) {
            worker->transport->resume(worker->stream);
        } else {
            worker->transport->pause(worker->stream);
        }
    }
}

/* ---- the transport's events ---- */

static void note_unstamped(ir_worker_t *worker, const ir_delivery_t *delivery) {
    ir_metric_increase(worker->meters.messages_unstamped, 1);
    ir_log_limited(&worker->unstamped_logged_ns, LOG_INTERVAL_NS, IR_LOG_WARN, IR_TEXT_UNSTAMPED,
                   IR_VIEW_ARG(delivery->routing_key));
}

static void on_delivery(void *context, const ir_delivery_t *delivery) {
    ir_worker_t *worker = context;
    ir_batch_t *batch = ir_pipeline_collect(worker->main_pipeline, worker->registry);
    if (batch == NULL) {
        /* Cannot happen: without room the transport is paused, and a paused transport delivers
         * nothing. */
        ir_worker_fail(worker, IR_ERR_STATE, "a delivery came while no batch was free");
        return;
    }
    const ir_batch_input_t input = {
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
    if (ir_batch_add(batch, &worker->analysis, &input) != IR_OK) {
        ir_worker_fail(
            worker, IR_ERR_MEMORY,
            "out of memory for a message; what is not acknowledged goes back to the broker");
        return;
    }
    ir_pipeline_note_arrival(worker->main_pipeline,
                             input.arrival_ns != 0 ? input.arrival_ns : input.now_ns);
    ir_metric_increase(worker->meters.messages_received, 1);
    ir_metric_increase(worker->meters.messages_redelivered, delivery->redelivered);
    if (delivery->arrival_ns == 0) {
        note_unstamped(worker, delivery);
    }
    if (ir_pipeline_full(worker->main_pipeline)) {
        ir_intake_dispatch(worker);
    }
}

static void on_turn(void *context) {
    ir_intake_dispatch(context);
}

static void on_warning(void *context, const char *text) {
    (void)context;
    ir_log(IR_LOG_WARN, "broker: %s", text);
}

/* Returns the sender that a routing key names: its mote, or else the whole key. */
static ir_view_t named_by(ir_view_t key) {
    const ir_view_t prefix = ir_view_text(IR_ROUTING_PREFIX);
    const bool mote = key.size > prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0;
    return mote ? ir_view(key.data + prefix.size, key.size - prefix.size) : key;
}

static void on_oversize(void *context, const ir_delivery_t *delivery, uint64_t size) {
    ir_worker_t *worker = context;
    ir_metric_increase(worker->meters.messages_oversize, 1);
    ir_culprits_count(&worker->meters.culprits, named_by(delivery->routing_key), 1);
    ir_log(IR_LOG_WARN, IR_TEXT_OVERSIZE, (unsigned long long)size,
           IR_VIEW_ARG(delivery->routing_key));
}

static void on_set_aside(void *context, unsigned partition, ir_view_t key) {
    ir_worker_t *worker = context;
    char text[320];
    snprintf(text, sizeof text, IR_TEXT_TAKEN_ASIDE, partition, IR_VIEW_ARG(key));
    ir_metric_increase(worker->meters.set_aside, 1);
    ir_culprits_count(&worker->meters.culprits, named_by(key), 1);
    on_warning(worker, text);
}

/* If the broker refuses the login before anything was consumed, a setting is wrong, and the worker
 * ends. Later, the user may be missing only for a while, so the worker waits. */
static void on_state(void *context, const ir_error_t *why) {
    ir_worker_t *worker = context;
    if (why == NULL) {
        worker->broker_fault[0] = '\0';
        worker->fault_logged_ns = 0;
        worker->welcome = true;
        ir_log(IR_LOG_INFO, "broker: connected to RabbitMQ");
        return;
    }
    if (why->status == IR_ERR_AUTH && !worker->welcome) {
        ir_worker_fail(worker, IR_ERR_AUTH, why->text);
        return;
    }
    snprintf(worker->broker_fault, sizeof worker->broker_fault, "%s", why->text);
    ir_log_limited(&worker->fault_logged_ns, LOG_INTERVAL_NS, IR_LOG_WARN, "broker: %s", why->text);
}

static void on_ready(void *context) {
    ir_worker_t *worker = context;
    ir_transport_figures_t figures;
    worker->transport->figures(worker->stream, &figures);
    worker->complete = true;
    ir_log(IR_LOG_INFO, "every partition is consumed: %u here, by %zu workers in all",
           figures.partitions, figures.workers);
}

ir_status_t ir_intake_start(ir_worker_t *worker, ir_error_t *error) {
    static const ir_transport_events_t events = {on_delivery, on_turn,    on_oversize, on_state,
                                                 on_ready,    on_warning, on_set_aside};
    return worker->transport->open(worker->base, worker->transport_options, &events, worker,
                                   &worker->stream, error);
}
