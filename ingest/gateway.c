#include "ingest/gateway.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/program.h"
#include "ingest/state.h"

#include <event2/event.h>

#include <signal.h>

#define TICK_MS 100

/* ---- what the endpoint shows ---- */

static bool is_ready(void *context, ir_buffer_t *reasons) {
    ir_gateway_t *gateway = context;
    char fault[320];
    const bool open = ir_outlet_state(gateway->outlet) == IR_OUTLET_OPEN;
    const bool stalled = open && ir_outlet_stalled(gateway->outlet);
    if (stalled) {
        ir_buffer_append_text(reasons, "broker: it does not confirm the open messages\n");
    }
    if (!open) {
        ir_buffer_append_format(reasons, "broker: %s\n",
                                ir_outlet_fault(gateway->outlet, fault, sizeof fault));
    }
    if (gateway->phase != IR_GATEWAY_RUNNING) {
        ir_buffer_append_text(reasons, "stopping\n");
    }
    return open && !stalled && gateway->phase == IR_GATEWAY_RUNNING;
}

static void refresh(void *context) {
    ir_gateway_t *gateway = context;
    const ir_ingest_meters_t *meters = &gateway->meters;
    const ir_outlet_state_t state = ir_outlet_state(gateway->outlet);
    ir_metric_set(meters->connections, (int64_t)ir_connections_count(gateway->connections));
    ir_metric_set(meters->in_flight, (int64_t)gateway->n_waiting);
    ir_metric_set(meters->reading, (int64_t)ir_decoder_count(gateway->decoder));
    ir_metric_set(meters->in_flight_bytes, (int64_t)gateway->shipped_bytes);
    ir_metric_set(meters->connected, state == IR_OUTLET_OPEN || state == IR_OUTLET_BLOCKED);
    ir_metric_set(meters->blocked, state == IR_OUTLET_BLOCKED);
    ir_metric_set(meters->reconnects, (int64_t)ir_outlet_reconnects(gateway->outlet));
    ir_metric_set(meters->motes, (int64_t)ir_tokens_motes(gateway->tokens));
    ir_metric_set(meters->registry_sensors,
                  gateway->registry != NULL ? (int64_t)ir_registry_sensors(gateway->registry) : 0);
    const ir_outlet_counts_t counts = ir_outlet_counts(gateway->outlet);
    ir_metric_set(meters->motes_waiting, (int64_t)counts.motes_waiting);
    ir_metric_set(meters->messages_waiting, (int64_t)counts.messages_waiting);
    ir_metric_set(meters->set_aside, (int64_t)counts.set_aside);
    ir_metric_set(meters->given_up, (int64_t)counts.given_up);
}

/* ---- stopping ---- */

static void enter_phase(ir_gateway_t *gateway, ir_gateway_phase_t phase) {
    gateway->phase = phase;
    gateway->phase_ns = ir_clock_monotonic();
}

static void begin_closing(ir_gateway_t *gateway) {
    enter_phase(gateway, IR_GATEWAY_CLOSING);
    ir_connections_close(gateway->connections);
}

static void advance_phase(ir_gateway_t *gateway, int64_t now_ns) {
    const int64_t elapsed_ns = now_ns - gateway->phase_ns;
    if (gateway->phase == IR_GATEWAY_DRAINING && elapsed_ns >= gateway->options->drain_ns) {
        begin_closing(gateway);
    } else if (gateway->phase == IR_GATEWAY_CLOSING) {
        const bool quiet = gateway->n_waiting == 0 && ir_connections_quiet(gateway->connections);
        const bool late = elapsed_ns > gateway->options->stop_timeout_ns;
        if (late && !quiet) {
            ir_log(IR_LOG_WARN, "stop-timeout is over: %zu requests stay unanswered",
                   gateway->n_waiting);
        }
        if (quiet || late) {
            event_base_loopbreak(gateway->base);
        }
    }
}

/* ---- the loop's events ---- */

/* Called at the end of a turn in which messages were sent. */
static void on_sent(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    const ir_gateway_t *gateway = context;
    ir_outlet_wake(gateway->outlet);
}

static void on_read(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_reading_go_on(context);
}

static void on_settled(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_waiting_settle(context);
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd;
    (void)what;
    ir_gateway_t *gateway = context;
    const int64_t now_ns = ir_clock_monotonic();
    ir_reading_expire(gateway, now_ns);
    ir_waiting_expire(gateway, now_ns);
    advance_phase(gateway, now_ns);
    if (ir_outlet_state(gateway->outlet) == IR_OUTLET_REFUSED) {
        event_base_loopbreak(gateway->base);
    }
}

static void on_stop(evutil_socket_t number, short what, void *context) {
    (void)what;
    ir_gateway_t *gateway = context;
    if (gateway->phase != IR_GATEWAY_RUNNING) {
        ir_log(IR_LOG_WARN, "second signal: %zu requests are not answered", gateway->n_waiting);
        event_base_loopbreak(gateway->base);
        return;
    }
    ir_log(IR_LOG_INFO, "signal %d: finishing accepted requests", (int)number);
    enter_phase(gateway, IR_GATEWAY_DRAINING);
    advance_phase(gateway, gateway->phase_ns);
}

/* ---- reloading the tokens ---- */

static ir_status_t load_tokens(void *context, void **made, ir_error_t *error) {
    const ir_gateway_t *gateway = context;
    ir_tokens_t *tokens = NULL;
    const ir_status_t status = ir_tokens_load(gateway->options->tokens, &tokens, error);
    *made = tokens;
    return status;
}

static void *swap_tokens(void *context, void *made) {
    ir_gateway_t *gateway = context;
    ir_tokens_t *old = gateway->tokens;
    gateway->tokens = made;
    ir_tokens_inherit(gateway->tokens, old);
    ir_metric_increase(gateway->meters.reloads, 1);
    ir_log(IR_LOG_INFO, "tokens read again: %zu for %zu motes", ir_tokens_count(gateway->tokens),
           ir_tokens_motes(gateway->tokens));
    return old;
}

static void keep_tokens(void *context, const ir_error_t *error) {
    ir_gateway_t *gateway = context;
    ir_metric_increase(gateway->meters.reload_failures, 1);
    ir_log(IR_LOG_ERROR, IR_TEXT_TOKENS_KEPT, error->text);
}

static void free_tokens(void *old) {
    ir_tokens_free(old);
}

/* An account may be used only in the turn of the loop in which it was looked up. */
static const ir_reload_work_t tokens_work = {
    .load = load_tokens, .swap = swap_tokens, .failed = keep_tokens, .free = free_tokens};

/* ---- reloading the registry ---- */

static ir_status_t load_registry(void *context, void **made, ir_error_t *error) {
    const ir_gateway_t *gateway = context;
    ir_registry_t *registry = NULL;
    const ir_status_t status =
        ir_registry_load(gateway->options->registry, &registry, &ir_log_teller, error);
    *made = registry;
    return status;
}

static void *swap_registry(void *context, void *made) {
    ir_gateway_t *gateway = context;
    ir_registry_t *old = gateway->registry;
    gateway->registry = made;
    ir_metric_increase(gateway->meters.registry_reloads, 1);
    ir_log(IR_LOG_INFO, "registry read again: %zu motes, %zu sensors",
           ir_registry_motes(gateway->registry), ir_registry_sensors(gateway->registry));
    return old;
}

static void keep_registry(void *context, const ir_error_t *error) {
    ir_gateway_t *gateway = context;
    ir_metric_increase(gateway->meters.registry_reload_failures, 1);
    ir_log(IR_LOG_ERROR, IR_TEXT_REGISTRY_KEPT, error->text);
}

static bool registry_in_use(const void *old) {
    return ir_registry_shared(old);
}

static void free_registry(void *old) {
    ir_registry_unref(old);
}

/* A body that is decoded in the thread keeps a reference to the registry with which decoding
 * started. */
static const ir_reload_work_t registry_work = {.load = load_registry,
                                               .swap = swap_registry,
                                               .failed = keep_registry,
                                               .in_use = registry_in_use,
                                               .free = free_registry};

static ir_status_t open_registry(ir_gateway_t *gateway, ir_error_t *error) {
    if (ir_setting_text(gateway->options->registry) == NULL) {
        return IR_OK;
    }
    const ir_status_t status =
        ir_registry_load(gateway->options->registry, &gateway->registry, &ir_log_teller, error);
    return status == IR_OK ? ir_reload_open(gateway->base, &registry_work, gateway,
                                            &gateway->registry_reload, error)
                           : status;
}

static void on_reload(evutil_socket_t number, short what, void *context) {
    (void)number;
    (void)what;
    const ir_gateway_t *gateway = context;
    ir_reload_request(gateway->reload);
    if (gateway->registry_reload != NULL) {
        ir_reload_request(gateway->registry_reload);
    }
}

/* ---- start and end ---- */

static ir_status_t open_outlet(ir_gateway_t *gateway, ir_error_t *error) {
    const ir_ingest_options_t *options = gateway->options;
    ir_outlet_options_t outlet = {.capacity = (size_t)options->in_flight,
                                  .memory = (size_t)options->in_flight_bytes,
                                  .mote_messages = (size_t)options->mote_messages,
                                  .late_ns = options->mote_wait_ns,
                                  .backoff_first_ns = options->backoff_first_ns,
                                  .backoff_longest_ns = options->backoff_longest_ns};
    ir_ingest_broker_options(options, &outlet.broker);
    return ir_outlet_start(&outlet, &gateway->outlet, error);
}

static ir_status_t open_connections(ir_gateway_t *gateway, ir_error_t *error) {
    const ir_ingest_options_t *options = gateway->options;
    ir_connections_options_t connections = {
        .address = options->listen,
        .bounds = {.most = (size_t)options->connections,
                   .header_lines = (size_t)options->header_lines,
                   .header_bytes = (size_t)options->header_bytes,
                   .body_bytes = (size_t)options->body_bytes,
                   .memory_bytes = (size_t)options->request_memory,
                   .header_ns = options->header_timeout_ns,
                   .body_ns = options->body_timeout_ns,
                   .idle_ns = options->idle_timeout_ns,
                   .answer_ns = options->confirm_timeout_ns + options->write_timeout_ns},
        .on_request = ir_intake_request,
        .context = gateway,
    };
    for (int i = 0; i < IR_CLOSING_COUNT; i++) {
        connections.closed[i] = gateway->meters.closed[i];
    }
    return ir_connections_open(gateway->base, &connections, &gateway->connections, error);
}

static ir_status_t open_events(ir_gateway_t *gateway, ir_error_t *error) {
    static const struct timeval tick = {.tv_usec = TICK_MS * 1000};
    gateway->on_sent = event_new(gateway->base, -1, 0, on_sent, gateway);
    gateway->on_read = event_new(gateway->base, ir_decoder_fd(gateway->decoder),
                                 EV_READ | EV_PERSIST, on_read, gateway);
    gateway->on_settled = event_new(gateway->base, ir_outlet_fd(gateway->outlet),
                                    EV_READ | EV_PERSIST, on_settled, gateway);
    gateway->on_tick = event_new(gateway->base, -1, EV_PERSIST, on_tick, gateway);
    gateway->on_hup = evsignal_new(gateway->base, SIGHUP, on_reload, gateway);
    gateway->on_term = evsignal_new(gateway->base, SIGTERM, on_stop, gateway);
    gateway->on_int = evsignal_new(gateway->base, SIGINT, on_stop, gateway);
    struct event *const all[] = {gateway->on_settled, gateway->on_tick, gateway->on_hup,
                                 gateway->on_term,    gateway->on_int,  gateway->on_read};
    bool good = gateway->on_sent != NULL;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        good = good && all[i] != NULL && event_add(all[i], i == 1 ? &tick : NULL) == 0;
    }
    return good ? IR_OK : ir_error_set(error, IR_ERR_MEMORY, "event loop: out of memory");
}

/* Uses a change list, because the library turns reading and writing on and off several times per
 * request. */
static struct event_base *new_base(void) {
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config != NULL &&
        event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0) {
        base = event_base_new_with_config(config);
    }
    if (config != NULL) {
        event_config_free(config);
    }
    return base;
}

static ir_status_t open_reading(ir_gateway_t *gateway, ir_error_t *error) {
    const ir_ingest_options_t *options = gateway->options;
    ir_submission_limits_t limits;
    ir_ingest_limits(options, &limits);
    gateway->bucket_limits = (ir_bucket_limits_t){options->rate, options->burst};
    const ir_status_t status = ir_proxies_parse(options->trusted_proxies, &gateway->proxies, error);
    if (status != IR_OK) {
        return status;
    }
    gateway->reader = ir_submission_reader_new(&limits);
    gateway->base = gateway->reader != NULL ? new_base() : NULL;
    if (gateway->base == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "event loop: out of memory");
    }
    return ir_decoder_start(&limits, (size_t)options->mote_messages, &gateway->decoder, error);
}

static ir_status_t open_gateway(ir_gateway_t *gateway, ir_error_t *error) {
    ir_status_t status = ir_tokens_load(gateway->options->tokens, &gateway->tokens, error);
    if (status == IR_OK) {
        status = open_reading(gateway, error);
    }
    if (status == IR_OK) {
        status = ir_ingest_meters_open(&gateway->meters, error);
    }
    if (status == IR_OK) {
        status = ir_endpoint_new(gateway->meters.metrics, is_ready, refresh, gateway,
                                 &gateway->endpoint, error);
    }
    if (status == IR_OK) {
        status = open_connections(gateway, error);
    }
    if (status == IR_OK) {
        status = open_outlet(gateway, error);
    }
    if (status == IR_OK) {
        status = ir_reload_open(gateway->base, &tokens_work, gateway, &gateway->reload, error);
    }
    if (status == IR_OK) {
        status = open_registry(gateway, error);
    }
    return status == IR_OK ? open_events(gateway, error) : status;
}

static void close_gateway(ir_gateway_t *gateway) {
    struct event *const all[] = {gateway->on_sent, gateway->on_settled, gateway->on_tick,
                                 gateway->on_hup,  gateway->on_term,    gateway->on_int,
                                 gateway->on_read};
    ir_connections_free(gateway->connections);
    ir_waiting_forget(gateway);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i] != NULL) {
            event_free(all[i]);
        }
    }
    ir_reload_close(gateway->reload);
    ir_reload_close(gateway->registry_reload);
    ir_outlet_stop(gateway->outlet);
    ir_endpoint_free(gateway->endpoint);
    if (gateway->base != NULL) {
        event_base_free(gateway->base);
    }
    ir_decoder_stop(gateway->decoder);
    ir_submission_reader_free(gateway->reader);
    ir_ingest_meters_close(&gateway->meters);
    ir_tokens_free(gateway->tokens);
    ir_registry_unref(gateway->registry);
}

/* If the login is refused before the first connection, a setting is wrong. Later, the user may be
 * missing only for a while, so the gateway waits. */
static ir_status_t tell_end(const ir_gateway_t *gateway, ir_error_t *error) {
    char fault[sizeof error->text];
    if (ir_outlet_state(gateway->outlet) == IR_OUTLET_REFUSED) {
        return ir_error_set(error, IR_ERR_AUTH, "%s",
                            ir_outlet_fault(gateway->outlet, fault, sizeof fault));
    }
    ir_log(IR_LOG_INFO, "ending");
    return IR_OK;
}

ir_status_t ir_gateway_run(const ir_ingest_options_t *options, ir_error_t *error) {
    ir_gateway_t gateway = {.options = options};
    char where[IR_WHERE_SIZE];
    signal(SIGPIPE, SIG_IGN);
    TAILQ_INIT(&gateway.waiting);
    ir_status_t status = open_gateway(&gateway, error);
    if (status == IR_OK) {
        ir_log(IR_LOG_INFO, "listening on http://%s",
               ir_connections_where(gateway.connections, where, sizeof where));
        ir_log(IR_LOG_INFO, "%zu tokens for %zu motes in %s; at most %zu connections",
               ir_tokens_count(gateway.tokens), ir_tokens_motes(gateway.tokens), options->tokens,
               ir_connections_most(gateway.connections));
        event_base_dispatch(gateway.base);
        ir_program_ends();
        status = tell_end(&gateway, error);
    }
    close_gateway(&gateway);
    return status;
}
