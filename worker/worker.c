#include "worker/worker.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/program.h"
#include "worker/state.h"

#include <event2/event.h>

#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define UPKEEP_SECONDS 1
#define ASIDE_IN_FLIGHT 1                 /* batches that are proved at the same time */
#define ASK_DENIED_NS (10 * IR_SECOND_NS) /* until a refused routing key is tried again */

static void leave_loop(ir_worker_t *worker) {
    worker->phase = IR_PHASE_STOPPED;
    event_base_loopbreak(worker->base);
}

void ir_worker_fail(ir_worker_t *worker, ir_status_t status, const char *text) {
    worker->status = ir_error_set(&worker->error, status, "%s", text);
    leave_loop(worker);
}

static void abandon(ir_worker_t *worker) {
    worker->abandoned = true;
    ir_pipeline_abandon(worker->main_pipeline);
}

/* ---- the loop's events ---- */

static void advance_phase(ir_worker_t *worker) {
    if (worker->phase == IR_PHASE_STARTING && ir_pipeline_started(worker->main_pipeline)) {
        worker->phase = IR_PHASE_RUNNING;
        ir_log(IR_LOG_INFO, "stores ready; consuming");
        ir_error_t error;
        const ir_status_t status = ir_intake_start(worker, &error);
        if (status != IR_OK) {
            ir_worker_fail(worker, status, error.text);
        }
    }
    if (worker->phase == IR_PHASE_STOPPING && ir_pipeline_batches(worker->main_pipeline) == 0 &&
        (ir_pipeline_collected(worker->main_pipeline) == 0 || worker->abandoned)) {
        leave_loop(worker);
    }
}

/* Ends the worker if a store refuses its credentials at the start. (For the broker, worker/intake.c
 * does the same.) */
static void check_refusal(ir_worker_t *worker) {
    ir_error_t why;
    if (worker->phase == IR_PHASE_STARTING && ir_pipeline_refused(worker->main_pipeline, &why)) {
        ir_worker_fail(worker, why.status, why.text);
    }
}

static void on_wake(evutil_socket_t fd, short what, void *context) {
    (void)what;
    uint64_t count = 0;
    (void)!read(fd, &count, sizeof count);
    ir_worker_t *worker = context;
    ir_finish_batches(worker);
    ir_intake_dispatch(worker);
    check_refusal(worker);
    advance_phase(worker);
}

static void check_start(ir_worker_t *worker) {
    const int64_t bound = worker->options->start_timeout_ns;
    if (bound == 0 || worker->complete || ir_clock_monotonic() - worker->started_ns < bound) {
        return;
    }
    ir_buffer_t reasons;
    ir_buffer_init(&reasons);
    ir_health_ready(worker, &reasons);
    for (size_t i = 0; i < reasons.size; i++) {
        reasons.data[i] = reasons.data[i] == '\n' ? ';' : reasons.data[i];
    }
    char text[sizeof worker->error.text];
    snprintf(text, sizeof text, "not everything was there within start-timeout: %.*s",
             IR_VIEW_ARG(ir_buffer_view(&reasons)));
    ir_buffer_free(&reasons);
    ir_worker_fail(worker, IR_ERR_TIMEOUT, text);
}

static void on_upkeep(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_worker_t *worker = context;
    if (worker->phase < IR_PHASE_STOPPING) {
        check_start(worker);
    }
    if (worker->phase == IR_PHASE_STOPPING && !worker->abandoned &&
        ir_clock_monotonic() - worker->stopping_ns > worker->options->stop_timeout_ns) {
        ir_log(IR_LOG_WARN, "stop-timeout is over: messages in progress go back to the broker");
        abandon(worker);
    }
    advance_phase(worker);
}

static void on_stop(evutil_socket_t number, short what, void *context) {
    (void)what;
    ir_worker_t *worker = context;
    if (worker->phase == IR_PHASE_STOPPING) {
        ir_log(IR_LOG_WARN, "second signal: messages in progress go back to the broker");
        abandon(worker);
        advance_phase(worker);
        return;
    }
    ir_log(IR_LOG_INFO, "signal %d: finishing what is under way", (int)number);
    worker->stopping_ns = ir_clock_monotonic();
    if (worker->phase == IR_PHASE_STARTING) {
        abandon(worker);
    }
    worker->phase = IR_PHASE_STOPPING;
    /* Proofs take long, so they are abandoned; the next worker repeats them. */
    ir_pipeline_abandon(worker->aside_pipeline);
    if (worker->stream != NULL) {
        worker->transport->stop(worker->stream);
    }
    ir_finish_batches(worker);
    ir_intake_dispatch(worker);
    advance_phase(worker);
}

/* ---- reloading the registry ---- */

static ir_status_t load_registry(void *context, void **made, ir_error_t *error) {
    const ir_worker_t *worker = context;
    ir_registry_t *registry = NULL;
    const ir_status_t status =
        ir_registry_load(worker->options->registry, &registry, &ir_log_teller, error);
    *made = registry;
    return status;
}

static void *swap_registry(void *context, void *made) {
    ir_worker_t *worker = context;
    ir_registry_t *old = worker->registry;
    worker->registry = made;
    ir_pipeline_follow_registry(worker->main_pipeline, worker->registry);
    ir_pipeline_follow_registry(worker->aside_pipeline, worker->registry);
    ir_metric_increase(worker->meters.registry_reloads, 1);
    ir_log(IR_LOG_INFO, "registry read again: %zu motes, %zu sensors",
           ir_registry_motes(worker->registry), ir_registry_sensors(worker->registry));
    return old;
}

static void keep_registry(void *context, const ir_error_t *error) {
    ir_worker_t *worker = context;
    ir_metric_increase(worker->meters.registry_reload_failures, 1);
    ir_log(IR_LOG_ERROR, IR_TEXT_REGISTRY_KEPT, error->text);
}

static bool registry_in_use(const void *old) {
    return ir_registry_shared(old);
}

static void free_registry(void *old) {
    ir_registry_unref(old);
}

static const ir_reload_work_t registry_work = {load_registry, swap_registry, keep_registry,
                                               registry_in_use, free_registry};

static void on_reload(evutil_socket_t number, short what, void *context) {
    (void)number;
    (void)what;
    const ir_worker_t *worker = context;
    ir_reload_request(worker->reload);
}

/* ---- start and end ---- */

static ir_status_t open_pipelines(ir_worker_t *worker, ir_error_t *error) {
    worker->denied = ir_denied_new(ASK_DENIED_NS);
    worker->doubts = ir_doubts_new();
    if (worker->denied == NULL || worker->doubts == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "out of memory");
    }
    ir_pipeline_options_t options = {
        .worker = worker->options,
        .analysis = &worker->analysis,
        .formats = worker->formats,
        .n_formats = worker->n_formats,
        .denied = worker->denied,
        .doubts = worker->doubts,
        .meters = &worker->meters,
        .in_flight = (size_t)worker->options->in_flight,
        .wake_fd = worker->wake_fd,
    };
    ir_status_t status =
        ir_pipeline_open(&options, worker->registry, &worker->main_pipeline, error);
    if (status == IR_OK) {
        options.doubts = NULL;
        options.in_flight = ASIDE_IN_FLIGHT;
        status = ir_pipeline_open(&options, worker->registry, &worker->aside_pipeline, error);
    }
    return status == IR_OK ? ir_finish_open(worker, error) : status;
}

static ir_status_t start_pipelines(ir_worker_t *worker, ir_error_t *error) {
    const ir_status_t status = ir_pipeline_start(worker->main_pipeline, error);
    return status == IR_OK ? ir_pipeline_start(worker->aside_pipeline, error) : status;
}

static ir_status_t open_events(ir_worker_t *worker, ir_error_t *error) {
    static const struct timeval upkeep = {.tv_sec = UPKEEP_SECONDS};
    worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    worker->base = worker->wake_fd >= 0 ? event_base_new() : NULL;
    if (worker->base == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "event loop: out of memory or descriptors");
    }
    worker->on_wake =
        event_new(worker->base, worker->wake_fd, EV_READ | EV_PERSIST, on_wake, worker);
    worker->on_upkeep = event_new(worker->base, -1, EV_PERSIST, on_upkeep, worker);
    worker->on_hup = evsignal_new(worker->base, SIGHUP, on_reload, worker);
    worker->on_term = evsignal_new(worker->base, SIGTERM, on_stop, worker);
    worker->on_int = evsignal_new(worker->base, SIGINT, on_stop, worker);
    struct event *const all[] = {worker->on_wake, worker->on_upkeep, worker->on_hup,
                                 worker->on_term, worker->on_int};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i] == NULL || event_add(all[i], i == 1 ? &upkeep : NULL) != 0) {
            return ir_error_set(error, IR_ERR_MEMORY, "event loop: out of memory");
        }
    }
    return IR_OK;
}

static ir_status_t open_worker(ir_worker_t *worker, ir_error_t *error) {
    const ir_worker_options_t *options = worker->options;
    ir_analysis_settings_analysis(&options->analysis, options->format.base_iri, &worker->analysis);
    ir_status_t status =
        ir_formats_parse(options->formats, worker->formats, &worker->n_formats, error);
    if (status == IR_OK) {
        status = ir_registry_load(options->registry, &worker->registry, &ir_log_teller, error);
    }
    if (status == IR_OK) {
        status = ir_meters_open(&worker->meters, worker->formats, worker->n_formats, error);
    }
    if (status == IR_OK) {
        status = open_events(worker, error);
    }
    if (status == IR_OK) {
        status = ir_reload_open(worker->base, &registry_work, worker, &worker->reload, error);
    }
    if (status == IR_OK) {
        status =
            ir_endpoint_open(worker->base, options->http, worker->meters.metrics, ir_health_ready,
                             ir_health_refresh, worker, &worker->endpoint, error);
    }
    if (status == IR_OK) {
        status = ir_policy_watch_start(options, &worker->policies, error);
    }
    return status == IR_OK ? open_pipelines(worker, error) : status;
}

static void free_events(ir_worker_t *worker) {
    struct event *const all[] = {worker->on_wake, worker->on_upkeep, worker->on_hup,
                                 worker->on_term, worker->on_int};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i] != NULL) {
            event_free(all[i]);
        }
    }
    if (worker->base != NULL) {
        event_base_free(worker->base);
    }
    if (worker->wake_fd >= 0) {
        close(worker->wake_fd);
    }
}

static void join_pipeline(ir_pipeline_t *pipeline, bool failed) {
    if (pipeline != NULL && failed) {
        ir_pipeline_abandon(pipeline);
    }
    if (pipeline != NULL) {
        ir_pipeline_join(pipeline);
    }
}

static void close_worker(ir_worker_t *worker) {
    join_pipeline(worker->main_pipeline, worker->status != IR_OK);
    join_pipeline(worker->aside_pipeline, worker->status != IR_OK);
    ir_policy_watch_stop(worker->policies);
    ir_reload_close(worker->reload);
    worker->transport->close(worker->stream);
    ir_pipeline_close(worker->main_pipeline);
    ir_pipeline_close(worker->aside_pipeline);
    ir_finish_close(worker);
    ir_doubts_free(worker->doubts);
    ir_denied_free(worker->denied);
    ir_endpoint_free(worker->endpoint);
    free_events(worker);
    ir_meters_close(&worker->meters);
    ir_registry_unref(worker->registry);
}

ir_status_t ir_worker_run(const ir_worker_options_t *options, const ir_transport_t *transport,
                          const void *transport_options, ir_error_t *error) {
    ir_worker_t worker = {.options = options,
                          .transport = transport,
                          .transport_options = transport_options,
                          .wake_fd = -1,
                          .started_ns = ir_clock_monotonic()};
    signal(SIGPIPE, SIG_IGN);
    worker.status = open_worker(&worker, &worker.error);
    if (worker.status == IR_OK) {
        worker.status = start_pipelines(&worker, &worker.error);
    }
    if (worker.status == IR_OK) {
        ir_log(IR_LOG_INFO, "listening on http://%s", ir_endpoint_address(worker.endpoint));
        ir_log(IR_LOG_INFO, "worker %s: %zu motes and %zu sensors in %s", options->name,
               ir_registry_motes(worker.registry), ir_registry_sensors(worker.registry),
               options->registry);
        event_base_dispatch(worker.base);
        ir_program_ends();
        ir_log(IR_LOG_INFO, "ending");
    }
    close_worker(&worker);
    if (worker.status != IR_OK && error != NULL) {
        *error = worker.error;
    }
    return worker.status;
}
