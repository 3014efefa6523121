#include "worker/worker.h"

#include "common/clock.h"
#include "common/log.h"
#include "worker/state.h"

#include <event2/event.h>

#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define UPKEEP_SECONDS 1

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
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        ir_stage_abandon(worker->stages[i]);
    }
}

/* ---- the loop's events ---- */

static bool stages_started(const ir_worker_t *worker) {
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        if (!ir_stage_started(worker->stages[i])) {
            return false;
        }
    }
    return true;
}

static void advance_phase(ir_worker_t *worker) {
    if (worker->phase == IR_PHASE_STARTING && stages_started(worker)) {
        worker->phase = IR_PHASE_RUNNING;
        ir_log(IR_LOG_INFO, "stores are there; consuming");
        ir_error_t error;
        const ir_status_t status = ir_intake_start(worker, &error);
        if (status != IR_OK) {
            ir_worker_fail(worker, status, error.text);
        }
    }
    if (worker->phase == IR_PHASE_STOPPING && ir_intake_batches(worker) == 0 &&
        (worker->open == NULL || worker->open->n_messages == 0 || worker->abandoned)) {
        leave_loop(worker);
    }
}

static void on_wake(evutil_socket_t fd, short what, void *context) {
    (void)what;
    uint64_t count = 0;
    (void)!read(fd, &count, sizeof count);
    ir_worker_t *worker = context;
    ir_intake_finish(worker);
    ir_intake_dispatch(worker);
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
        ir_log(IR_LOG_WARN, "stop-timeout is over: what is under way goes back to the broker");
        abandon(worker);
    }
    advance_phase(worker);
}

static void on_stop(evutil_socket_t number, short what, void *context) {
    (void)what;
    ir_worker_t *worker = context;
    if (worker->phase == IR_PHASE_STOPPING) {
        ir_log(IR_LOG_WARN, "second signal: what is under way goes back to the broker");
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
    if (worker->consumer != NULL) {
        ir_consumer_stop(worker->consumer);
    }
    ir_intake_dispatch(worker);
    advance_phase(worker);
}

/* ---- the registry is read again ---- */

static ir_status_t load_registry(void *context, void **made, ir_error_t *error) {
    const ir_worker_t *worker = context;
    ir_registry_t *registry = NULL;
    const ir_status_t status = ir_registry_load(worker->options->registry, &registry, error);
    *made = registry;
    return status;
}

static void *swap_registry(void *context, void *made) {
    ir_worker_t *worker = context;
    ir_registry_t *old = worker->registry;
    worker->registry = made;
    ir_intake_follow_registry(worker);
    ir_documents_stage_outdate(worker->documents);
    ir_metric_increase(worker->meters.registry_reloads, 1);
    ir_log(IR_LOG_INFO, "registry read again: %zu motes, %zu sensors",
           ir_registry_motes(worker->registry), ir_registry_sensors(worker->registry));
    return old;
}

static void keep_registry(void *context, const ir_error_t *error) {
    ir_worker_t *worker = context;
    ir_metric_increase(worker->meters.registry_reload_failures, 1);
    ir_log(IR_LOG_ERROR, "registry stays as it was: %s", error->text);
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

static ir_status_t open_stores(ir_worker_t *worker, ir_error_t *error) {
    ir_graph_options_t graph;
    ir_worker_graph_options(worker->options, &graph);
    ir_broker_options_t broker;
    ir_worker_broker_options(worker->options, &broker);
    ir_status_t status =
        ir_documents_stage_open(worker->options, &worker->analysis, &worker->documents, error);
    if (status == IR_OK) {
        status = ir_graph_open(&graph, &worker->graph, error);
    }
    if (status == IR_OK) {
        worker->republish =
            ir_republish_new(&broker, worker->formats, worker->n_formats, &graph.format,
                             ir_documents_stage_keeps(worker->documents), &worker->meters);
        if (worker->republish == NULL) {
            status = ir_error_set(error, IR_ERR_MEMORY, "republish: out of memory");
        }
    }
    return status;
}

static ir_status_t graph_ready(void *context, ir_error_t *error) {
    return ir_graph_probe(context, error);
}

static ir_status_t graph_present(void *context, ir_error_t *error) {
    return ir_graph_present(context, error);
}

static ir_outcome_t graph_run(void *context, ir_batch_t *batch, ir_error_t *error) {
    return ir_graph_put(context, batch, error);
}

static ir_status_t start_stages(ir_worker_t *worker, ir_error_t *error) {
    const ir_stage_work_t works[IR_STAGE_COUNT] = {
        {.name = "documents",
         .ready = ir_documents_stage_ready,
         .run = ir_documents_stage_run,
         .idle = ir_documents_stage_idle,
         .present = ir_documents_stage_present,
         .context = worker->documents},
        {.name = "graph",
         .ready = graph_ready,
         .run = graph_run,
         .present = graph_present,
         .context = worker->graph},
        {.name = "republish",
         .run = ir_republish_run,
         .idle = ir_republish_idle,
         .context = worker->republish},
    };
    for (int i = IR_STAGE_COUNT - 1; i >= 0; i--) {
        const ir_stage_options_t options = {
            .backoff_first_ns = worker->options->backoff_first_ns,
            .backoff_longest_ns = worker->options->backoff_longest_ns,
            .capacity = worker->n_batches,
            .next = i + 1 < IR_STAGE_COUNT ? worker->stages[i + 1] : NULL,
            .done = worker->done,
            .wake_fd = worker->wake_fd,
            .retries = worker->meters.retries[i],
            .seconds = worker->meters.stage_seconds[i],
        };
        const ir_status_t status = ir_stage_start(&works[i], &options, &worker->stages[i], error);
        if (status != IR_OK) {
            return status;
        }
    }
    return IR_OK;
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
        status = ir_registry_load(options->registry, &worker->registry, error);
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
    if (status == IR_OK) {
        status = ir_intake_open(worker, error);
    }
    return status == IR_OK ? open_stores(worker, error) : status;
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

static void join_stages(ir_worker_t *worker) {
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        if (worker->stages[i] != NULL && worker->status != IR_OK) {
            ir_stage_abandon(worker->stages[i]);
        }
    }
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        ir_stage_join(worker->stages[i]);
    }
}

static void close_worker(ir_worker_t *worker) {
    join_stages(worker);
    ir_policy_watch_stop(worker->policies);
    ir_reload_close(worker->reload);
    ir_consumer_close(worker->consumer);
    ir_republish_free(worker->republish);
    ir_graph_close(worker->graph);
    ir_documents_stage_close(worker->documents);
    ir_intake_close(worker);
    ir_endpoint_free(worker->endpoint);
    free_events(worker);
    ir_meters_close(&worker->meters);
    ir_registry_unref(worker->registry);
}

ir_status_t ir_worker_run(const ir_worker_options_t *options, ir_error_t *error) {
    ir_worker_t worker = {.options = options, .wake_fd = -1, .started_ns = ir_clock_monotonic()};
    signal(SIGPIPE, SIG_IGN);
    worker.status = open_worker(&worker, &worker.error);
    if (worker.status == IR_OK) {
        worker.status = start_stages(&worker, &worker.error);
    }
    if (worker.status == IR_OK) {
        ir_log(IR_LOG_INFO, "listening on http://%s", ir_endpoint_address(worker.endpoint));
        ir_log(IR_LOG_INFO, "worker %s: %zu motes and %zu sensors in %s", options->name,
               ir_registry_motes(worker.registry), ir_registry_sensors(worker.registry),
               options->registry);
        event_base_dispatch(worker.base);
        ir_log(IR_LOG_INFO, "ending");
    }
    close_worker(&worker);
    if (worker.status != IR_OK && error != NULL) {
        *error = worker.error;
    }
    return worker.status;
}
