#include "loadgen/settings.h"

#include "common/log.h"
#include "common/program.h"
#include "loadgen/modes.h"
#include "loadgen/options.h"
#include "loadgen/produce/producer.h"
#include "loadgen/source/simulation.h"

#include <stddef.h>

#define FIELD(member) offsetof(ir_loadgen_options_t, member)

static const ir_setting_t settings[] = {
    {"replay", 'r', IR_SETTING_TEXT, "FILE", NULL, 0, 0, "loadgen/usgs_river_observations.csv.gz",
     FIELD(replay), "Observations to send: CSV, plain or gzip (see loadgen/README.md)."},
    {"repeat", 'n', IR_SETTING_INTEGER, "N", NULL, 1, 1000000, "1", FIELD(repeat),
     "How often the file is sent. Repetitions are shifted in time, so that every observation is "
     "new; the last one is not shifted."},
    {"messages", 'm', IR_SETTING_INTEGER, "N", NULL, 0, 1e15, "0", FIELD(messages),
     "Maximum number of messages to send; 0: all."},
    {"single-records", '1', IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(single_records),
     "Send each observation as a separate message, instead of all observations of one station and "
     "time together."},
    {"simulate", 's', IR_SETTING_INTEGER, "N", NULL, 0, IR_SIMULATION_MOTES_MAX, "0",
     FIELD(simulate),
     "Number of simulated motes along simulated rivers, instead of a replay; 14 bytes of memory "
     "each."},
    {"seed", 0, IR_SETTING_INTEGER, "N", NULL, 0, 9e15, "1", FIELD(seed),
     "Seed of the simulation and of random arrivals; the same seed and start give the same "
     "messages."},
    {"records", 0, IR_SETTING_INTEGER, "N", NULL, 1, IR_SIMULATION_RECORDS_MAX, "7", FIELD(records),
     "Records in each message of the simulation; 7: all sensors of a mote at one time."},
    {"interval", 0, IR_SETTING_DURATION, "TIME", NULL, IR_SECOND, IR_DAY, "15min",
     FIELD(interval_ns),
     "Time between two measurements of a simulated sensor, in the time of the data; whole "
     "seconds."},
    {"start", 0, IR_SETTING_TEXT, "TIME", NULL, 0, 0, NULL, FIELD(start),
     "Time of the simulation's first data, for example 2025-05-01T04:00:00Z; empty: chosen so that "
     "the data end now."},
    {"fault-duplicates", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, IR_FAULTS_SHARE_MAX, "0",
     FIELD(faults.duplicates), "Share of simulated messages that repeat the previous one."},
    {"fault-late", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, IR_FAULTS_SHARE_MAX, "0",
     FIELD(faults.late),
     "Share of simulated messages that are sent after newer ones of their mote."},
    {"fault-malformed", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, 1, "0", FIELD(faults.malformed),
     "Share of simulated messages that must be refused as a whole."},
    {"fault-unknown", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, 1, "0", FIELD(faults.unknown),
     "Share of simulated messages with one record of a sensor that is not in the registry."},
    {"fault-skew", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, 1, "0", FIELD(faults.skew),
     "Share of simulated motes whose clock is wrong, each by a different time of up to two hours."},
    {"fault-bursts", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, 1, "0", FIELD(faults.bursts),
     "Share of simulated messages that a mote sends eight at once after a silence."},
    {"relative-share", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, 1, "0", FIELD(timings.relative),
     "Share of messages with relative times (before their arrival)."},
    {"clockless-share", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, 1, "0", FIELD(timings.clockless),
     "Share of messages without times."},
    {"named-share", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, 1, "0", FIELD(timings.named),
     "Share of these two kinds that are sent with a name (AMQP: message-id, HTTP: Idempotency-Key; "
     "MQTT has none)."},
    {"repeated-share", 0, IR_SETTING_NUMBER, "SHARE", NULL, 0, 1, "0", FIELD(timings.repeated),
     "Share of simulated messages without times that repeat their mote's first one byte for byte, "
     "as a new reading."},
    {"write-registry", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, FIELD(write_registry),
     "Write the registry (Turtle) of the simulated motes, and send nothing."},
    {"write-motes", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, FIELD(write_motes),
     "Write the names of the motes, one per line, and send nothing."},
    {"format", 0, IR_SETTING_CHOICE, "WORD", "json|cbor", 0, 0, "json", FIELD(format),
     "SenML as JSON or CBOR."},
    {"rate", 'R', IR_SETTING_NUMBER, "N", NULL, 0, 1e9, "0", FIELD(rate),
     "Observations per second, on an open-loop schedule; 0: as fast as confirms allow."},
    {"arrivals", 0, IR_SETTING_CHOICE, "WORD", "constant|poisson", 0, 0, "constant",
     FIELD(arrivals), "Whether messages are due at even or at random intervals."},
    {"pace", 0, IR_SETTING_NUMBER, "FACTOR", NULL, 0, 1e9, "0", FIELD(pace),
     "Send at the times of the data, accelerated by this factor, instead of at a rate."},
    {"duration", 'd', IR_SETTING_DURATION, "TIME", NULL, 0, 365 * IR_DAY, "0s", FIELD(duration_ns),
     "How long to send; 0: until the messages end."},
    {"rate-steps", 0, IR_SETTING_TEXT, "FROM:TO:STEP:SECONDS", NULL, 0, 0, NULL, FIELD(rate_steps),
     "Several rates, each for so many seconds and with its own line in the summary."},
    {"find-max", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(find_max),
     "Find the highest sustained rate: everything due is sent, the backlog does not grow, and the "
     "99th percentile stays within its bound."},
    {"p99-bound", 0, IR_SETTING_DURATION, "TIME", NULL, 1e6, IR_DAY, "1s", FIELD(p99_bound_ns),
     "With --find-max: bound on the 99th percentile of the latency."},
    {"trial", 0, IR_SETTING_DURATION, "TIME", NULL, 0.2 * IR_SECOND, IR_DAY, "10s", FIELD(trial_ns),
     "With --find-max: how long each trial is measured."},
    {"warm-up", 0, IR_SETTING_DURATION, "TIME", NULL, 0, IR_DAY, "2s", FIELD(warm_up_ns),
     "With --find-max: how long each trial runs before it is measured."},
    {"late-bound", 0, IR_SETTING_DURATION, "TIME", NULL, 1e6, IR_DAY, "50ms", FIELD(late_bound_ns),
     "A run is not valid if the generator itself sent more than 1 % of the messages later than "
     "this."},
    {"target", 't', IR_SETTING_URI, "URI[,URI...]", NULL, 0, 0, NULL, FIELD(target),
     "Where to send: amqp(s)://, mqtt(s)://, http(s)://HOST:PORT, or null: (nowhere). Several "
     "targets, separated by commas, share the motes. Empty: the broker of 'amqp'."},
    {"threads", 0, IR_SETTING_INTEGER, "N", NULL, 1, 256, "1", FIELD(threads),
     "Threads for each target; they share the motes."},
    {"connections", 'c', IR_SETTING_INTEGER, "N", NULL, 0, 65536, "0", FIELD(connections),
     "Connections to each target, shared by its threads; 0: one per thread, 16 for HTTP."},
    IR_SEND_SETTINGS(ir_loadgen_options_t, send),
    {"window", 'w', IR_SETTING_INTEGER, "N", NULL, 1, IR_PRODUCER_WINDOW_MAX, "2000", FIELD(window),
     "Maximum number of unconfirmed messages per thread."},
    {"dump", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(dump),
     "Write the packs to standard output, one per line, and send nothing."},
    {"subscribe", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, "true", FIELD(subscribe),
     "Subscribe to the republished messages, to measure end-to-end."},
    {"no-subscribe", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(no_subscribe),
     "Do not subscribe."},
    {"formats", 'f', IR_SETTING_TEXT, "LIST", NULL, 0, 0, "jsonld,senml", FIELD(formats),
     "Formats in which a message must come back to be complete, separated by commas; empty: any "
     "one."},
    {"outstanding", 0, IR_SETTING_INTEGER, "N", NULL, 1000, 100e6, "2000000", FIELD(outstanding),
     "Maximum number of incomplete messages; beyond that, sending waits for the oldest. 64 bytes "
     "of memory each."},
    {"no-wait", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(no_wait),
     "Stop when everything is confirmed, without waiting until it is republished."},
    {"drain-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0, 365 * IR_DAY, "60s",
     FIELD(drain_timeout_ns), "Stop waiting when nothing has come back for this long."},
    {"retry-for", 0, IR_SETTING_DURATION, "TIME", NULL, 0, 365 * IR_DAY, "60s", FIELD(retry_for_ns),
     "Exit if a target is away or refuses messages for this long."},
    {"out", 'o', IR_SETTING_TEXT, "DIR", NULL, 0, 0, NULL, FIELD(out),
     "Directory for ledger.txt, series.csv, histograms and summary.json; without it the summary "
     "goes to standard output."},
    {"json", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(json),
     "Write the summary to standard output, too."},
    {"no-ledger", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(no_ledger),
     "Write no ledger (one line for every message and observation)."},
    {"series-interval", 0, IR_SETTING_DURATION, "TIME", NULL, 0.01 * IR_SECOND, IR_DAY, "1s",
     FIELD(series_interval_ns), "Time between two rows of series.csv."},
    IR_BROKER_SETTINGS(ir_loadgen_options_t, broker),
    {"timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, 3600 * IR_SECOND, "30s",
     FIELD(timeout_ns), "Maximum time to wait for an answer from the broker."},
    IR_LOG_SETTINGS(ir_loadgen_options_t, log_level),
    IR_PROGRAM_SETTINGS(ir_loadgen_options_t, core_dumps),
};

static ir_status_t check(const void *given, ir_error_t *error) {
    const ir_loadgen_options_t *options = given;
    ir_loadgen_formats_t formats;
    ir_plan_t plan;
    ir_targets_t targets;
    if (ir_setting_text(options->replay) == NULL) {
        return ir_error_set(error, IR_ERR_USAGE, "replay: name the file to send");
    }
    if (options->dump && options->format != IR_PACK_JSON) {
        return ir_error_set(error, IR_ERR_USAGE, "dump: CBOR has no lines; use --format json");
    }
    if (options->timings.relative + options->timings.clockless > 1) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "relative-share and clockless-share add up to more than 1");
    }
    if (ir_setting_text(options->write_registry) != NULL && options->simulate == 0) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "write-registry: needs --simulate N; the registry of the replay is "
                            "loadgen/usgs_river.ttl");
    }
    ir_status_t status = ir_broker_settings_check(&options->broker, error);
    if (status == IR_OK) {
        status = ir_loadgen_formats(options, &formats, error);
    }
    if (status == IR_OK) {
        status = ir_loadgen_plan(options, &plan, error);
    }
    if (status == IR_OK) {
        status = ir_loadgen_targets(options, NULL, &targets, error);
    }
    if (status == IR_OK) {
        ir_targets_free(&targets);
    }
    return status;
}

const ir_program_t ir_loadgen_program = {
    .name = "ir-loadgen",
    .purpose = "Sends observations as motes would, and measures how long they take until they are "
               "published.",
    .usage = "",
    .notes = "Examples:\n"
             "  ir-loadgen --amqp amqp://HOST --out DIR --rate 2000 --duration 60s\n"
             "  ir-loadgen --target http://GATEWAY:8080 --mote-tokens FILE --amqp amqp://HOST "
             "--rate-steps 1000:5000:1000:30 --out DIR\n"
             "  ir-loadgen --target mqtt://user@HOST --amqp amqp://HOST --find-max --p99-bound "
             "500ms\n"
             "  ir-loadgen --target null: --threads 2 --rate 400000 --duration 10s\n"
             "Signals: on SIGINT, SIGTERM and SIGHUP it stops sending, waits for the confirms, "
             "writes ledger and summary, and exits; after a second signal it does not wait.\n"
             "Exit status: 0 the run is complete (whole duration, rate kept, all messages "
             "confirmed and, unless --no-wait or --no-subscribe, back) and its figures are valid; "
             "2 wrong usage or settings; 1 anything else.\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
    .check = check,
    .applies = ir_modes_check,
};
