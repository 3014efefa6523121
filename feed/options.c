#include "feed/options.h"

#include "send/sender.h"

#include <string.h>

#define ROUND_PACKS_MAX 10e6

#define IR_OPTIONS ir_feed_options_t
static const ir_setting_t settings[] = {IR_FEED_SETTINGS(IR_SETTING_ROW, IR_SETTING_ROWS)};

static ir_status_t check(const void *given, ir_error_t *error) {
    const ir_feed_options_t *options = given;
    ir_targets_t targets;
    ir_status_t status = ir_broker_settings_check(&options->broker, error);
    if (status == IR_OK) {
        status = ir_feed_target(options, NULL, &targets, error);
    }
    if (status == IR_OK) {
        ir_targets_free(&targets);
    }
    return status;
}

static ir_status_t applies(const void *given, const char *setting, ir_error_t *error) {
    const ir_feed_options_t *options = given;
    return options->check || strcmp(setting, "registry") != 0
               ? IR_OK
               : ir_error_set(error, IR_ERR_USAGE, "registry: applies only with --check");
}

const ir_program_t ir_feed_program = {
    .name = "ir-feed",
    .purpose = "Sends what loggers and LoRaWAN networks deliver: CSV, TOA5, RDB, uplinks as JSON.",
    .usage = "",
    .notes =
        "Examples:\n"
        "  ir-feed --map gauges.ini --check --registry river.ttl\n"
        "  ir-feed --map gauges.ini --state DIR --target http://GATEWAY:8080 --mote-tokens FILE\n"
        "  ir-feed --map gauges.ini --state DIR --target mqtt://user@HOST --follow\n"
        "Signals: on SIGINT, SIGTERM and SIGHUP it stops sending, waits for the confirms, saves "
        "its progress, and exits; after a second signal it does not wait.\n"
        "Exit status: 0 everything read is confirmed; 2 wrong usage, settings or mapping; 1 "
        "anything else, including unusable rows.\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
    .check = check,
    .applies = applies,
};

ir_status_t ir_feed_target(const ir_feed_options_t *options, const ir_mote_tokens_t *tokens,
                           ir_targets_t *targets, ir_error_t *error) {
    ir_target_options_t shared = {
        .ca = ir_setting_text(options->send.ca),
        .mqtt_password = ir_setting_text(options->send.mqtt_password),
        .tokens = tokens,
        .connections = (unsigned)options->connections,
        .packs = (unsigned)options->send.request_packs,
        .timeout_ns = options->timeout_ns,
    };
    ir_broker_settings_options(&options->broker, ir_feed_program.name, options->timeout_ns,
                               &shared.broker);
    const ir_status_t status =
        ir_targets_parse(ir_setting_text(options->target), &shared, targets, error);
    if (status == IR_OK && targets->count > 1) {
        ir_targets_free(targets);
        return ir_error_set(error, IR_ERR_USAGE, "target: one only");
    }
    return status;
}
