#include "feed/options.h"

#include "common/log.h"
#include "common/program.h"
#include "send/sender.h"

#include <string.h>

#define FIELD(member) offsetof(ir_feed_options_t, member)
#define ROUND_PACKS_MAX 10e6

static const ir_setting_t settings[] = {
    {"map", 'm', IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, FIELD(map),
     "The mapping file: where the data files are, and which column is which sensor."},
    {"state", 's', IR_SETTING_TEXT, "DIR", NULL, 0, 0, NULL, FIELD(state),
     "Directory that records how far each file is confirmed, and holds uplinks; empty: files are "
     "read from their start."},
    {"target", 't', IR_SETTING_URI, "URI", NULL, 0, 0, NULL, FIELD(target),
     "Where to send: http(s)://HOST:PORT, mqtt(s)://, amqp(s)://, or null: (nowhere). Empty: the "
     "broker of 'amqp'."},
    {"follow", 'f', IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(follow),
     "Continue after everything is sent: look for new rows, and subscribe to uplinks."},
    {"check", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(check),
     "Send nothing; show the columns, the unusable rows, and the first packs."},
    {"registry", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, FIELD(registry),
     "With --check: also check that the sensors are registered, with their mote and unit."},
    {"poll", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, IR_DAY, "5s", FIELD(poll_ns),
     "With --follow: interval at which a position's files are checked for new rows."},
    {"round", 0, IR_SETTING_INTEGER, "N", NULL, 1, ROUND_PACKS_MAX, "20000", FIELD(round_packs),
     "Maximum number of a position's packs that are read, sorted by time and confirmed together; "
     "about 300 bytes of memory each."},
    {"window", 'w', IR_SETTING_INTEGER, "N", NULL, 1, IR_SENDER_OPEN_MAX, "2000", FIELD(window),
     "Maximum number of unconfirmed packs."},
    {"connections", 'c', IR_SETTING_INTEGER, "N", NULL, 0, 1024, "0", FIELD(connections),
     "Connections for HTTP; 0: 16."},
    {"spool-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, IR_MIB, 1024 * IR_GIB, "64Mi",
     FIELD(spool_bytes),
     "Maximum size on disk of a position's waiting uplinks; beyond that the program disconnects "
     "from their broker."},
    {"retry-for", 0, IR_SETTING_DURATION, "TIME", NULL, 0, 365 * IR_DAY, "0s", FIELD(retry_for_ns),
     "Exit if the target is away for this long; 0: never."},
    IR_SEND_SETTINGS(ir_feed_options_t, send),
    IR_BROKER_SETTINGS(ir_feed_options_t, broker),
    {"timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, 3600 * IR_SECOND, "30s",
     FIELD(timeout_ns), "Maximum time to wait for an answer from a server."},
    IR_LOG_SETTINGS(ir_feed_options_t, log_level),
    IR_PROGRAM_SETTINGS(ir_feed_options_t, core_dumps),
};

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
