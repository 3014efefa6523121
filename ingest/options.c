#include "ingest/options.h"

#include "http/listener.h"
#include "ingest/cors.h"

#include <stddef.h>

#define IR_OPTIONS ir_ingest_options_t
static const ir_setting_t settings[] = {IR_INGEST_SETTINGS(IR_SETTING_ROW, IR_SETTING_ROWS)};

static ir_status_t check(const void *given, ir_error_t *error) {
    const ir_ingest_options_t *options = given;
    ir_proxies_t proxies;
    ir_status_t status = ir_broker_settings_check(&options->broker, error);
    if (status == IR_OK) {
        status = ir_listener_check(options->listen, error);
    }
    if (status == IR_OK) {
        status = ir_proxies_parse(options->trusted_proxies, &proxies, error);
    }
    if (status == IR_OK) {
        status = ir_cors_check(options->cors_origins, error);
    }
    return status == IR_OK && options->offline && !options->check
               ? ir_error_set(error, IR_ERR_USAGE, "offline: it goes with --check")
               : status;
}

const ir_program_t ir_ingest_program = {
    .name = "ir-ingest",
    .purpose =
        "Receives observations over HTTP and publishes them to RabbitMQ; answers 202 when the "
        "broker has confirmed them.",
    .usage = "",
    .notes = "Signals: SIGHUP reads tokens and registry again; SIGTERM and SIGINT finish accepted "
             "requests and exit; a second one exits at once.\n"
             "Exit status: 0 done, 2 wrong usage or settings, 1 anything else.\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
    .check = check,
};

void ir_ingest_broker_options(const ir_ingest_options_t *options, ir_broker_options_t *broker) {
    ir_broker_settings_options(&options->broker, "ir-ingest", options->timeout_ns, broker);
    broker->trial_bytes = (size_t)options->analysis.limits.pack_bytes;
    if (broker->trial_bytes > broker->message_bytes) {
        broker->trial_bytes = broker->message_bytes;
    }
}

void ir_ingest_limits(const ir_ingest_options_t *options, ir_submission_limits_t *limits) {
    *limits =
        (ir_submission_limits_t){.body_bytes = (size_t)options->body_bytes,
                                 .expanded_bytes = (size_t)options->expanded_bytes,
                                 .packs = (size_t)options->request_packs,
                                 .senml = ir_limit_settings_limits(&options->analysis.limits)};
}
