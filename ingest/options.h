/* The settings of ir-ingest. */
#ifndef IR_INGEST_OPTIONS_H
#define IR_INGEST_OPTIONS_H

#include "annotation/settings.h"
#include "broker/settings.h"
#include "common/log.h"
#include "common/program.h"
#include "common/settings.h"
#include "common/status.h"
#include "ingest/proxies.h"
#include "ingest/submission.h"

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define IR_INGEST_SETTINGS(SETTING, GROUP) \
    SETTING(TEXT, listen, "listen", 'l', "ADDRESS", NULL, 0, 0, "127.0.0.1:8080", \
        "Address for requests and for /metrics, /healthz and /readyz; with port 0, a free one.") \
    SETTING(TEXT, tokens, "tokens", 't', "FILE", NULL, 0, 0, "tokens.txt", \
        "The motes' tokens, as hashes: lines MOTE sha256:HEX; read again on SIGHUP.") \
    GROUP(ir_broker_settings_t, broker, IR_BROKER_SETTINGS) \
    SETTING(TEXT, registry, "registry", 'r', "FILE", NULL, 0, 0, NULL, \
        "The workers' registry; read again on SIGHUP. Records that no worker could use are " \
        "refused at once. Without a registry only the names are checked.") \
    GROUP(ir_analysis_settings_t, analysis, IR_ANALYSIS_SETTINGS) \
    SETTING(SIZE, body_bytes, "body-bytes", 0, "BYTES", NULL, IR_KIB, 64 * IR_MIB, "1Mi", \
        "Maximum size of a request's body as received, compressed or not.") \
    SETTING(SIZE, expanded_bytes, "expanded-bytes", 0, "BYTES", NULL, IR_KIB, 256 * IR_MIB, "4Mi", \
        "Maximum size of a request's decompressed body.") \
    SETTING(INTEGER, request_packs, "request-packs", 0, "N", NULL, 1, 4000, "1000", \
        "Maximum number of packs in one request (application/x-ndjson).") \
    SETTING(SIZE, header_bytes, "header-bytes", 0, "BYTES", NULL, 512, 256 * IR_KIB, "8Ki", \
        "Maximum size of request line and headers.") \
    SETTING(INTEGER, header_lines, "header-lines", 0, "N", NULL, 8, 10000, "100", \
        "Maximum number of header lines.") \
    SETTING(DURATION, header_timeout_ns, "header-timeout", 0, "TIME", NULL, 0.1 * IR_SECOND, \
        IR_HOUR, "10s", \
        "Maximum time from a request's first byte to the end of its headers.") \
    SETTING(DURATION, body_timeout_ns, "body-timeout", 0, "TIME", NULL, 0.1 * IR_SECOND, IR_HOUR, \
        "30s", \
        "Maximum time for the body after that.") \
    SETTING(DURATION, idle_timeout_ns, "idle-timeout", 0, "TIME", NULL, 0.1 * IR_SECOND, \
        24 * IR_HOUR, "75s", \
        "A connection without a request is closed after this.") \
    SETTING(DURATION, write_timeout_ns, "write-timeout", 0, "TIME", NULL, 0.1 * IR_SECOND, \
        IR_HOUR, "10s", \
        "Maximum time for the peer to read an answer.") \
    SETTING(INTEGER, connections, "connections", 'c', "N", NULL, 1, 1000000, "12000", \
        "Maximum number of connections. The limit on open files, which is raised as far as " \
        "allowed, also limits them.") \
    SETTING(SIZE, request_memory, "request-memory", 0, "BYTES", NULL, IR_MIB, 64 * IR_GIB, \
        "256Mi", \
        "Maximum memory for unfinished requests, in bytes.") \
    SETTING(INTEGER, in_flight, "in-flight", 0, "N", NULL, 1, 1000000, "12000", \
        "Maximum number of requests that wait for the broker.") \
    SETTING(SIZE, in_flight_bytes, "in-flight-bytes", 0, "BYTES", NULL, IR_MIB, 64 * IR_GIB, \
        "128Mi", \
        "Maximum total size of messages that wait for the broker.") \
    SETTING(INTEGER, mote_messages, "mote-messages", 0, "N", NULL, 1, 2000, "64", \
        "Maximum number of unconfirmed messages per mote; beyond that the mote gets 503 at " \
        "once.") \
    SETTING(DURATION, mote_wait_ns, "mote-wait", 0, "TIME", NULL, 0.1 * IR_SECOND, IR_HOUR, "2s", \
        "A mote also gets 503 while one of its messages is unconfirmed for longer than this. " \
        "If no message at all is confirmed for this time, /readyz says 503.") \
    SETTING(DURATION, confirm_timeout_ns, "confirm-timeout", 0, "TIME", NULL, 0.1 * IR_SECOND, \
        IR_HOUR, "10s", \
        "A request whose messages are not confirmed within this time gets 503.") \
    IR_TIMEOUT_SETTING(SETTING, timeout_ns, "10s", "the broker") \
    SETTING(DURATION, backoff_first_ns, "backoff-first", 0, "TIME", NULL, 0.001 * IR_SECOND, \
        60 * IR_SECOND, "100ms", \
        "First pause before the broker is tried again.") \
    SETTING(DURATION, backoff_longest_ns, "backoff-longest", 0, "TIME", NULL, 0.001 * IR_SECOND, \
        IR_HOUR, "2s", \
        "Maximum pause before the broker is tried again.") \
    SETTING(NUMBER, rate, "rate", 0, "N", NULL, 0, 1e9, "10000", \
        "Observations per second that one mote may send on average. Refused ones count, and so " \
        "does each KiB of a decompressed body; 0: no limit.") \
    SETTING(NUMBER, burst, "burst", 0, "N", NULL, 1, 1e12, "100000", \
        "Number of observations that one mote may send at once.") \
    SETTING(DURATION, retry_after_ns, "retry-after", 0, "TIME", NULL, IR_SECOND, IR_HOUR, "5s", \
        "Retry-After of an answer 503, in whole seconds.") \
    SETTING(DURATION, drain_ns, "drain", 0, "TIME", NULL, 0, IR_HOUR, "2s", \
        "After SIGTERM, time in which /readyz says 503 while connections are still accepted, " \
        "so that a balancer notices.") \
    SETTING(DURATION, stop_timeout_ns, "stop-timeout", 0, "TIME", NULL, 0, IR_HOUR, "30s", \
        "After that, time for the requests that were accepted.") \
    SETTING(TEXT, trusted_proxies, "trusted-proxies", 0, "LIST", NULL, 0, 0, NULL, \
        "Addresses or networks, separated by commas, whose X-Forwarded-For is believed in the " \
        "log.") \
    SETTING(TEXT, cors_origins, "cors-origins", 0, "LIST", NULL, 0, 0, NULL, \
        "Origins of web pages that may send (https://river.example), separated by commas, or " \
        "*: all. Empty: none.") \
    SETTING(TEXT, issue_tokens, "issue-tokens", 0, "FILE", NULL, 0, 0, NULL, \
        "Make a token for each mote named in FILE (-: standard input), one a line, or in the " \
        "registry FILE.ttl; write MOTE TOKEN lines to standard output, merge the hashes into " \
        "--tokens, and exit.") \
    SETTING(FLAG, issue_missing, "issue-missing", 0, NULL, NULL, 0, 0, NULL, \
        "With --issue-tokens: only for motes that have no token; the others keep theirs.") \
    IR_LOG_SETTINGS(SETTING, log_level) \
    IR_PROGRAM_SETTINGS(SETTING, core_dumps) \
    SETTING(FLAG, check, "check", 0, NULL, NULL, 0, 0, NULL, \
        "Validate settings and tokens, connect to the broker once, say what the gateway would " \
        "do, and exit.") \
    SETTING(FLAG, offline, "offline", 0, NULL, NULL, 0, 0, NULL, \
        "With --check: look only at settings and files, and connect to nothing.")
/* clang-format on */

/* Filled by common/settings.h; texts are owned. Durations in ns, sizes in bytes. */
typedef struct ir_ingest_options {
    IR_INGEST_SETTINGS(IR_SETTING_MEMBER, IR_SETTING_MEMBERS)
} ir_ingest_options_t;

extern const ir_program_t ir_ingest_program;

/* Values derived from the options, for several files. The options own the texts. */
void ir_ingest_broker_options(const ir_ingest_options_t *options, ir_broker_options_t *broker);
void ir_ingest_limits(const ir_ingest_options_t *options, ir_submission_limits_t *limits);

#endif
