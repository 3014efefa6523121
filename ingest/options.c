#include "ingest/options.h"

#include "common/log.h"
#include "common/program.h"
#include "http/listener.h"
#include "ingest/cors.h"

#include <stddef.h>

#define FIELD(member) offsetof(ir_ingest_options_t, member)

static const ir_setting_t settings[] = {
    {"listen", 'l', IR_SETTING_TEXT, "ADDRESS", NULL, 0, 0, "127.0.0.1:8080", FIELD(listen),
     "Address for requests and for /metrics, /healthz and /readyz; with port 0, a free one."},
    {"tokens", 't', IR_SETTING_TEXT, "FILE", NULL, 0, 0, "tokens.txt", FIELD(tokens),
     "The motes' tokens, as hashes: lines MOTE sha256:HEX; read again on SIGHUP."},
    IR_BROKER_SETTINGS(ir_ingest_options_t, broker),
    {"registry", 'r', IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, FIELD(registry),
     "The workers' registry; read again on SIGHUP. What no worker could use is refused at once. "
     "Without it only the names are checked."},
    IR_ANALYSIS_SETTINGS(ir_ingest_options_t, analysis),
    {"body-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, IR_KIB, 64 * IR_MIB, "1Mi", FIELD(body_bytes),
     "Maximum size of a request's body as received, compressed or not."},
    {"expanded-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, IR_KIB, 256 * IR_MIB, "4Mi",
     FIELD(expanded_bytes), "Maximum size of a request's decompressed body."},
    {"request-packs", 0, IR_SETTING_INTEGER, "N", NULL, 1, 4000, "1000", FIELD(request_packs),
     "Maximum number of packs in one request (application/x-ndjson)."},
    {"header-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, 512, 256 * IR_KIB, "8Ki",
     FIELD(header_bytes), "Maximum size of request line and headers."},
    {"header-lines", 0, IR_SETTING_INTEGER, "N", NULL, 8, 10000, "100", FIELD(header_lines),
     "Maximum number of header lines."},
    {"header-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, IR_HOUR, "10s",
     FIELD(header_timeout_ns),
     "Maximum time from a request's first byte to the end of its headers."},
    {"body-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, IR_HOUR, "30s",
     FIELD(body_timeout_ns), "Maximum time for the body after that."},
    {"idle-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, 24 * IR_HOUR, "75s",
     FIELD(idle_timeout_ns), "A connection without a request is closed after this."},
    {"write-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, IR_HOUR, "10s",
     FIELD(write_timeout_ns), "Maximum time for the peer to read an answer."},
    {"connections", 'c', IR_SETTING_INTEGER, "N", NULL, 1, 1000000, "12000", FIELD(connections),
     "Maximum number of connections. The limit on open files, which is raised as far as allowed, "
     "also limits them."},
    {"request-memory", 0, IR_SETTING_SIZE, "BYTES", NULL, IR_MIB, 64 * IR_GIB, "256Mi",
     FIELD(request_memory), "Maximum memory for unfinished requests, in bytes."},
    {"in-flight", 0, IR_SETTING_INTEGER, "N", NULL, 1, 1000000, "12000", FIELD(in_flight),
     "Maximum number of requests that wait for the broker."},
    {"in-flight-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, IR_MIB, 64 * IR_GIB, "128Mi",
     FIELD(in_flight_bytes), "Maximum total size of messages that wait for the broker."},
    {"mote-messages", 0, IR_SETTING_INTEGER, "N", NULL, 1, 2000, "64", FIELD(mote_messages),
     "Maximum number of unconfirmed messages per mote; beyond that the mote gets 503 at once."},
    {"mote-wait", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, IR_HOUR, "2s",
     FIELD(mote_wait_ns),
     "A mote also gets 503 while one of its messages is unconfirmed for longer than this. If no "
     "message at all is confirmed for so long, /readyz says 503."},
    {"confirm-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, IR_HOUR, "10s",
     FIELD(confirm_timeout_ns),
     "A request whose messages are not confirmed within this time gets 503."},
    {"timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, IR_HOUR, "10s",
     FIELD(timeout_ns), "Maximum time to wait for an answer from the broker."},
    {"backoff-first", 0, IR_SETTING_DURATION, "TIME", NULL, 0.001 * IR_SECOND, 60 * IR_SECOND,
     "100ms", FIELD(backoff_first_ns), "First pause before the broker is tried again."},
    {"backoff-longest", 0, IR_SETTING_DURATION, "TIME", NULL, 0.001 * IR_SECOND, IR_HOUR, "2s",
     FIELD(backoff_longest_ns), "Maximum pause before the broker is tried again."},
    {"rate", 0, IR_SETTING_NUMBER, "N", NULL, 0, 1e9, "10000", FIELD(rate),
     "Observations per second that one mote may send on average. Refused ones count, and so does "
     "each KiB; 0: no limit."},
    {"burst", 0, IR_SETTING_NUMBER, "N", NULL, 1, 1e12, "100000", FIELD(burst),
     "Number of observations that one mote may send at once."},
    {"retry-after", 0, IR_SETTING_DURATION, "TIME", NULL, IR_SECOND, IR_HOUR, "5s",
     FIELD(retry_after_ns), "Retry-After of an answer 503, in whole seconds."},
    {"drain", 0, IR_SETTING_DURATION, "TIME", NULL, 0, IR_HOUR, "2s", FIELD(drain_ns),
     "After SIGTERM, time in which /readyz says 503 while connections are still accepted, so that "
     "a balancer notices."},
    {"stop-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0, IR_HOUR, "30s",
     FIELD(stop_timeout_ns), "After that, time for the requests that were accepted."},
    {"trusted-proxies", 0, IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(trusted_proxies),
     "Addresses or networks, separated by commas, whose X-Forwarded-For is believed in the log."},
    {"cors-origins", 0, IR_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, FIELD(cors_origins),
     "Origins of web pages that may send (https://river.example), separated by commas, or *: all. "
     "Empty: none."},
    {"issue-tokens", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, FIELD(issue_tokens),
     "Make a token for each mote named in FILE (-: standard input), one a line, or in the registry "
     "FILE.ttl; write MOTE TOKEN lines to standard output, merge the hashes into --tokens, and "
     "exit."},
    {"issue-missing", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(issue_missing),
     "With --issue-tokens: only for motes that have no token; the others keep theirs."},
    IR_LOG_SETTINGS(ir_ingest_options_t, log_level),
    IR_PROGRAM_SETTINGS(ir_ingest_options_t, core_dumps),
    {"check", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(check),
     "Validate settings and tokens, connect to the broker once, say what the gateway would do, and "
     "exit."},
    {"offline", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(offline),
     "With --check: look only at settings and files, and connect to nothing."},
};

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
