/* The settings of ir-loadgen, and their translation into the options of its parts. */
#ifndef IR_LOADGEN_OPTIONS_H
#define IR_LOADGEN_OPTIONS_H

#include "annotation/formats/format.h"
#include "broker/settings.h"
#include "common/log.h"
#include "common/program.h"
#include "common/settings.h"
#include "common/status.h"
#include "loadgen/plan.h"
#include "loadgen/source/source.h"
#include "loadgen/track/tracker.h"
#include "send/settings.h"
#include "send/target.h"

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define IR_TIMING_SETTINGS(SETTING, in) \
    SETTING(NUMBER, in relative, "relative-share", 0, "SHARE", NULL, 0, 1, "0", \
        "Share of messages with relative times (before their arrival).") \
    SETTING(NUMBER, in clockless, "clockless-share", 0, "SHARE", NULL, 0, 1, "0", \
        "Share of messages without times.") \
    SETTING(NUMBER, in named, "named-share", 0, "SHARE", NULL, 0, 1, "0", \
        "Share of the messages of these two kinds that have a name (AMQP: message-id, HTTP: " \
        "Idempotency-Key; MQTT has none).") \
    SETTING(NUMBER, in repeated, "repeated-share", 0, "SHARE", NULL, 0, 1, "0", \
        "Share of simulated messages without times that repeat their mote's first one byte for " \
        "byte, as a new reading.")

#define IR_FAULT_SETTINGS(SETTING, in) \
    SETTING(NUMBER, in duplicates, "fault-duplicates", 0, "SHARE", NULL, 0, \
        IR_FAULTS_SHARE_MAX, "0", \
        "Share of simulated messages that repeat the previous one.") \
    SETTING(NUMBER, in late, "fault-late", 0, "SHARE", NULL, 0, IR_FAULTS_SHARE_MAX, "0", \
        "Share of simulated messages that are sent after newer ones of their mote.") \
    SETTING(NUMBER, in malformed, "fault-malformed", 0, "SHARE", NULL, 0, 1, "0", \
        "Share of simulated messages that must be refused as a whole.") \
    SETTING(NUMBER, in unknown, "fault-unknown", 0, "SHARE", NULL, 0, 1, "0", \
        "Share of simulated messages with one record of a sensor that is not in the registry.") \
    SETTING(NUMBER, in skew, "fault-skew", 0, "SHARE", NULL, 0, 1, "0", \
        "Share of simulated motes whose clock is wrong, each by a different time of up to two " \
        "hours.") \
    SETTING(NUMBER, in bursts, "fault-bursts", 0, "SHARE", NULL, 0, 1, "0", \
        "Share of simulated messages in bursts: a mote is silent, then sends eight at once.")

#define IR_LOADGEN_SETTINGS(SETTING, GROUP) \
    SETTING(TEXT, replay, "replay", 'r', "FILE", NULL, 0, 0, \
        "loadgen/usgs_river_observations.csv.gz", \
        "Observations to send: CSV, plain or gzip (see loadgen/README.md).") \
    SETTING(INTEGER, repeat, "repeat", 'n', "N", NULL, 1, 1000000, "1", \
        "How often the file is sent. Repetitions are shifted in time, so that every " \
        "observation is new; the last one is not shifted.") \
    SETTING(INTEGER, messages, "messages", 'm', "N", NULL, 0, 1e15, "0", \
        "Maximum number of messages to send; 0: all.") \
    SETTING(FLAG, single_records, "single-records", '1', NULL, NULL, 0, 0, NULL, \
        "Send each observation as a separate message, instead of all observations of one " \
        "station and time together.") \
    SETTING(INTEGER, simulate, "simulate", 's', "N", NULL, 0, IR_SIMULATION_MOTES_MAX, "0", \
        "Number of simulated motes along simulated rivers, instead of a replay; 14 bytes of " \
        "memory each.") \
    SETTING(INTEGER, seed, "seed", 0, "N", NULL, 0, 9e15, "1", \
        "Seed of the simulation and of random arrivals; the same seed and start give the same " \
        "messages.") \
    SETTING(INTEGER, records, "records", 0, "N", NULL, 1, IR_SIMULATION_RECORDS_MAX, "7", \
        "Records in each message of the simulation; 7: all sensors of a mote at one time.") \
    SETTING(DURATION, interval_ns, "interval", 0, "TIME", NULL, IR_SECOND, IR_DAY, "15min", \
        "Time between two measurements of a simulated sensor, in the time of the data; whole " \
        "seconds.") \
    SETTING(TEXT, start, "start", 0, "TIME", NULL, 0, 0, NULL, \
        "Time of the simulation's first data, for example 2025-05-01T04:00:00Z; empty: chosen " \
        "so that the data end now.") \
    GROUP(ir_faults_t, faults, IR_FAULT_SETTINGS) \
    GROUP(ir_timings_t, timings, IR_TIMING_SETTINGS) \
    SETTING(TEXT, write_registry, "write-registry", 0, "FILE", NULL, 0, 0, NULL, \
        "Write the registry (Turtle) of the simulated motes, and send nothing.") \
    SETTING(TEXT, write_motes, "write-motes", 0, "FILE", NULL, 0, 0, NULL, \
        "Write the names of the motes, one per line, and send nothing.") \
    SETTING(CHOICE, format /* ir_pack_format_t */, "format", 0, "WORD", "json|cbor", 0, 0, "json", \
        "SenML as JSON or CBOR.") \
    SETTING(NUMBER, rate, "rate", 'R', "N", NULL, 0, 1e9, "0", \
        "Observations per second, on an open-loop schedule; 0: as fast as confirms allow.") \
    SETTING(CHOICE, arrivals /* ir_arrivals_t */, "arrivals", 0, "WORD", "constant|poisson", 0, 0, "constant", \
        "Whether messages are due at even or at random intervals.") \
    SETTING(NUMBER, pace, "pace", 0, "FACTOR", NULL, 0, 1e9, "0", \
        "Send at the times of the data, accelerated by this factor, instead of at a rate.") \
    SETTING(DURATION, duration_ns, "duration", 'd', "TIME", NULL, 0, 365 * IR_DAY, "0s", \
        "How long to send; 0: until the messages end.") \
    SETTING(TEXT, rate_steps, "rate-steps", 0, "FROM:TO:STEP:SECONDS", NULL, 0, 0, NULL, \
        "Several rates, each for SECONDS and with its own line in the summary.") \
    SETTING(FLAG, find_max, "find-max", 0, NULL, NULL, 0, 0, NULL, \
        "Find the highest sustained rate: everything due is sent, the backlog does not grow, " \
        "and the 99th percentile stays within its bound.") \
    SETTING(DURATION, p99_bound_ns, "p99-bound", 0, "TIME", NULL, 1e6, IR_DAY, "1s", \
        "With --find-max: bound on the 99th percentile of the latency.") \
    SETTING(DURATION, trial_ns, "trial", 0, "TIME", NULL, 0.2 * IR_SECOND, IR_DAY, "10s", \
        "With --find-max: how long each trial is measured.") \
    SETTING(DURATION, warm_up_ns, "warm-up", 0, "TIME", NULL, 0, IR_DAY, "2s", \
        "With --find-max: how long each trial runs before it is measured.") \
    SETTING(DURATION, late_bound_ns, "late-bound", 0, "TIME", NULL, 1e6, IR_DAY, "50ms", \
        "A run is not valid if the generator itself sent more than 1 % of the messages later " \
        "than this.") \
    SETTING(URI, target, "target", 't', "URI[,URI...]", NULL, 0, 0, NULL, \
        "Where to send: amqp(s)://, mqtt(s)://, http(s)://HOST:PORT, or null: (nowhere). " \
        "Several targets, separated by commas, share the motes. Empty: the broker of 'amqp'.") \
    SETTING(INTEGER, threads, "threads", 0, "N", NULL, 1, 256, "1", \
        "Threads for each target; they share the motes.") \
    SETTING(INTEGER, connections, "connections", 'c', "N", NULL, 0, 65536, "0", \
        "Connections to each target, shared by its threads; 0: one per thread, 16 for HTTP.") \
    GROUP(ir_send_settings_t, send, IR_SEND_SETTINGS) \
    SETTING(INTEGER, window, "window", 'w', "N", NULL, 1, IR_PRODUCER_WINDOW_MAX, "2000", \
        "Maximum number of unconfirmed messages per thread.") \
    SETTING(FLAG, dump, "dump", 0, NULL, NULL, 0, 0, NULL, \
        "Write the packs to standard output, one per line, and send nothing.") \
    SETTING(FLAG, subscribe, "subscribe", 0, NULL, NULL, 0, 0, "true", \
        "Subscribe to the republished messages, to measure end-to-end.") \
    SETTING(FLAG, no_subscribe, "no-subscribe", 0, NULL, NULL, 0, 0, NULL, \
        "Do not subscribe.") \
    SETTING(TEXT, formats, "formats", 'f', "LIST", NULL, 0, 0, "jsonld,senml", \
        "Formats in which a message must come back to be complete, separated by commas; empty: " \
        "any one.") \
    SETTING(INTEGER, outstanding, "outstanding", 0, "N", NULL, 1000, 100e6, "2000000", \
        "Maximum number of incomplete messages; beyond that, sending waits for the oldest. 64 " \
        "bytes of memory each.") \
    SETTING(FLAG, no_wait, "no-wait", 0, NULL, NULL, 0, 0, NULL, \
        "Stop when everything is confirmed, without waiting until it is republished.") \
    SETTING(DURATION, drain_timeout_ns, "drain-timeout", 0, "TIME", NULL, 0, 365 * IR_DAY, "60s", \
        "Stop waiting when nothing has come back for this long.") \
    SETTING(DURATION, retry_for_ns, "retry-for", 0, "TIME", NULL, 0, 365 * IR_DAY, "60s", \
        "Exit if a target is away or refuses messages for this long.") \
    SETTING(TEXT, out, "out", 'o', "DIR", NULL, 0, 0, NULL, \
        "Directory for ledger.txt, series.csv, histograms and summary.json; without it the " \
        "summary goes to standard output.") \
    SETTING(FLAG, json, "json", 0, NULL, NULL, 0, 0, NULL, \
        "Write the summary to standard output, too.") \
    SETTING(FLAG, no_ledger, "no-ledger", 0, NULL, NULL, 0, 0, NULL, \
        "Write no ledger (one line for every message and observation).") \
    SETTING(DURATION, series_interval_ns, "series-interval", 0, "TIME", NULL, 0.01 * IR_SECOND, \
        IR_DAY, "1s", \
        "Time between two rows of series.csv.") \
    GROUP(ir_broker_settings_t, broker, IR_BROKER_SETTINGS) \
    IR_TIMEOUT_SETTING(SETTING, timeout_ns, "30s", "the broker") \
    IR_LOG_SETTINGS(SETTING, log_level) \
    IR_PROGRAM_SETTINGS(SETTING, core_dumps)
/* clang-format on */

/* Filled by common/settings.h; texts are owned. Durations in ns. */
typedef struct ir_loadgen_options {
    IR_LOADGEN_SETTINGS(IR_SETTING_MEMBER, IR_SETTING_MEMBERS)
} ir_loadgen_options_t;

/* Derives the options of one part. The options own the texts. */
void ir_loadgen_broker_options(const ir_loadgen_options_t *options, const char *role,
                               ir_broker_options_t *broker);
ir_status_t ir_loadgen_source(const ir_loadgen_options_t *options, ir_source_t *source,
                              ir_error_t *error);

/* `tokens` may be NULL. The tokens and the options must outlive the targets. */
ir_status_t ir_loadgen_targets(const ir_loadgen_options_t *options, const ir_mote_tokens_t *tokens,
                               ir_targets_t *targets, ir_error_t *error);
ir_status_t ir_loadgen_plan(const ir_loadgen_options_t *options, ir_plan_t *plan,
                            ir_error_t *error);

typedef struct ir_loadgen_formats {
    const char *names[IR_FORMATS_MAX]; /* constants */
    unsigned count;
    bool any; /* no format was named: subscribes to all formats, and the first arrival counts */
} ir_loadgen_formats_t;

ir_status_t ir_loadgen_formats(const ir_loadgen_options_t *options, ir_loadgen_formats_t *formats,
                               ir_error_t *error);

static inline bool ir_loadgen_subscribes(const ir_loadgen_options_t *options) {
    return options->subscribe && !options->no_subscribe;
}

/* The run writes files and sends nothing. */
static inline bool ir_loadgen_writes(const ir_loadgen_options_t *options) {
    return ir_setting_text(options->write_registry) != NULL ||
           ir_setting_text(options->write_motes) != NULL;
}

#endif
