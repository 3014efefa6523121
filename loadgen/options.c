#include "loadgen/options.h"

#include "annotation/format.h"
#include "common/clock.h"
#include "loadgen/feed.h"

#include <stddef.h>
#include <string.h>

#define SECOND 1e9
#define DAY 86400e9

#define FIELD(member) offsetof(ir_loadgen_options_t, member)

static const ir_setting_t settings[] = {
    {"replay", 'r', IR_SETTING_TEXT, "FILE", NULL, 0, 0, "loadgen/usgs_river_observations.csv.gz",
     FIELD(replay), "Observations to send: CSV, plain or gzip (see loadgen/README.md)."},
    {"repeat", 'n', IR_SETTING_INTEGER, "N", NULL, 1, 1000000, "1", FIELD(repeat),
     "Sends the file so often, shifted in time so that every observation is new; the last time as "
     "it is."},
    {"messages", 'm', IR_SETTING_INTEGER, "N", NULL, 0, 1e15, "0", FIELD(messages),
     "Sends at most so many messages; 0: all."},
    {"single-records", '1', IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(single_records),
     "One observation a message, not one station and time."},
    {"format", 0, IR_SETTING_CHOICE, "WORD", "json|cbor", 0, 0, "json", FIELD(format),
     "SenML as JSON or CBOR."},
    {"rate", 'R', IR_SETTING_NUMBER, "N", NULL, 0, 1e9, "0", FIELD(rate),
     "Observations a second, on a schedule that waits for nobody; 0: as fast as confirms allow."},
    {"window", 'w', IR_SETTING_INTEGER, "N", NULL, 1, IR_FEED_WINDOW_MAX, "2000", FIELD(window),
     "Most messages sent and not yet confirmed."},
    {"dump", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(dump),
     "Writes the packs to standard output, one a line, and sends nothing."},
    {"subscribe", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, "true", FIELD(subscribe),
     "Listens to what is republished, to measure end to end."},
    {"no-subscribe", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(no_subscribe),
     "Does not listen."},
    {"formats", 'f', IR_SETTING_TEXT, "LIST", NULL, 0, 0, "jsonld,senml", FIELD(formats),
     "Formats in which a message must come back to be complete, separated by commas; empty: the "
     "first to come will do."},
    {"outstanding", 0, IR_SETTING_INTEGER, "N", NULL, 1000, 100e6, "2000000", FIELD(outstanding),
     "Messages that may be under way before sending waits for the oldest; 64 bytes of memory each "
     "when used."},
    {"no-wait", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(no_wait),
     "Ends when all is confirmed, without waiting for what is republished."},
    {"drain-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0, 365 * DAY, "60s",
     FIELD(drain_timeout_ns), "Gives up waiting when nothing has come back for this long."},
    {"retry-for", 0, IR_SETTING_DURATION, "TIME", NULL, 0, 365 * DAY, "60s", FIELD(retry_for_ns),
     "Gives up when RabbitMQ was away or refused messages for this long."},
    {"out", 'o', IR_SETTING_TEXT, "DIR", NULL, 0, 0, NULL, FIELD(out),
     "Directory for ledger.txt, latency.hgrm, latency_corrected.hgrm and summary.json; without it "
     "the summary goes to standard output."},
    {"amqp", 'a', IR_SETTING_URI, "URI", NULL, 0, 0, "amqp://localhost", FIELD(amqp),
     "RabbitMQ: amqp(s)://[USER@]HOST[:PORT][/VHOST]; several, separated by commas, are tried in "
     "turn."},
    {"amqp-password", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL, FIELD(amqp_password),
     "RabbitMQ's password."},
    {"amqp-ca", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, FIELD(amqp_ca),
     "Certificate authority for amqps."},
    {"heartbeat", 0, IR_SETTING_DURATION, "TIME", NULL, 2 * SECOND, 600 * SECOND, "20s",
     FIELD(heartbeat_ns), "AMQP heartbeat interval."},
    {"timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * SECOND, 3600 * SECOND, "30s",
     FIELD(timeout_ns), "Longest wait for one answer of the broker."},
    {"log-level", 0, IR_SETTING_CHOICE, "WORD", "error|warn|info|debug", 0, 0, "info",
     FIELD(log_level), "Least important messages to log."},
};

const ir_program_t ir_loadgen_program = {
    .name = "ir-loadgen",
    .purpose = "Sends observations as motes would, and measures how long they take to come out "
               "again.",
    .usage = "",
    .notes = "Signals: SIGINT and SIGTERM send nothing new, wait for the confirms, write ledger "
             "and summary, and exit; a second one waits for nothing.\n"
             "Exit status: 0 everything was confirmed and (unless --no-wait or --no-subscribe) "
             "came back, 2 wrong usage or settings, 1 anything else.\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
};

static const char *text_or_null(const char *text) {
    return text != NULL && text[0] != '\0' ? text : NULL;
}

void ir_loadgen_broker_options(const ir_loadgen_options_t *options, const char *role,
                               ir_broker_options_t *broker) {
    *broker = (ir_broker_options_t){
        .uri = options->amqp,
        .password = text_or_null(options->amqp_password),
        .name = role,
        .ca_file = text_or_null(options->amqp_ca),
        .timeout_ns = options->timeout_ns,
        .heartbeat_s = (int)(options->heartbeat_ns / IR_SECOND_NS),
    };
}

void ir_loadgen_packs_options(const ir_loadgen_options_t *options, ir_packs_options_t *packs) {
    *packs = (ir_packs_options_t){
        .format = (ir_pack_format_t)options->format,
        .single_records = options->single_records,
        .repeat = options->repeat,
        .messages = (uint64_t)options->messages,
    };
}

static void all_formats(ir_loadgen_formats_t *formats) {
    size_t count = 0;
    const ir_format_t *const *known = ir_formats(&count);
    *formats = (ir_loadgen_formats_t){.any = true};
    for (size_t i = 0; i < count && i < IR_RECEIPTS_FORMATS_MAX; i++) {
        formats->names[formats->count++] = known[i]->name;
    }
}

static bool has_name(const ir_loadgen_formats_t *formats, const char *name) {
    for (unsigned i = 0; i < formats->count; i++) {
        if (strcmp(formats->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

ir_status_t ir_loadgen_formats(const ir_loadgen_options_t *options, ir_loadgen_formats_t *formats,
                               ir_error_t *error) {
    ir_loadgen_formats_t found = {.count = 0};
    for (const char *rest = options->formats != NULL ? options->formats : ""; *rest != '\0';) {
        const size_t size = strcspn(rest, ",");
        const ir_format_t *format = ir_format_find(ir_view(rest, size));
        if (format == NULL && size > 0) {
            return ir_error_set(error, IR_ERR_USAGE,
                                "formats: '%.*s' is not a format; known are ntriples, nquads, "
                                "turtle, jsonld, sensorthings, senml, csv, json",
                                (int)size, rest);
        }
        if (format != NULL && !has_name(&found, format->name) &&
            found.count < IR_RECEIPTS_FORMATS_MAX) {
            found.names[found.count++] = format->name;
        }
        rest += size + (rest[size] == ',');
    }
    if (found.count == 0) {
        all_formats(&found);
    }
    *formats = found;
    return IR_OK;
}

ir_status_t ir_loadgen_options_check(const ir_loadgen_options_t *options, ir_error_t *error) {
    ir_loadgen_formats_t formats;
    if (text_or_null(options->replay) == NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "replay: name the file to send");
    }
    if (options->dump && options->format != IR_PACK_JSON) {
        return ir_error_set(error, IR_ERR_USAGE, "dump: CBOR has no lines; use --format json");
    }
    ir_broker_options_t broker;
    ir_loadgen_broker_options(options, "", &broker);
    ir_error_t cause;
    if (ir_broker_check(&broker, &cause) != IR_OK) {
        return ir_error_set(error, cause.status, "amqp: %s", cause.text);
    }
    return ir_loadgen_formats(options, &formats, error);
}
