#include "worker/options.h"

#include "common/log.h"
#include "common/program.h"
#include "http/listener.h"
#include "worker/management.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_DELIVERIES 256
#define FIELD(member) offsetof(ir_worker_options_t, member)

static const ir_setting_t settings[] = {
    {"name", 'n', IR_SETTING_TEXT, "NAME", NULL, 0, 0, NULL, FIELD(name),
     "Unique name of this worker; by default HOST-PID."},
    IR_BROKER_SETTINGS(ir_worker_options_t, broker),
    {"management", 0, IR_SETTING_TEXT, "URI", NULL, 0, 0, NULL, FIELD(management),
     "RabbitMQ's management interface, http(s)://USER@HOST:15672; several, separated by commas, "
     "are tried in turn. A policy that can drop messages makes the worker not ready."},
    {"management-password", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL,
     FIELD(management_password), "Password for the management interface."},
    {"management-interval", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, IR_DAY, "30s",
     FIELD(management_interval_ns), "Interval of queries to the management interface."},
    {"trusted-users", 0, IR_SETTING_TEXT, "LIST", NULL, 0, 0, "gateway,operator",
     FIELD(trusted_users),
     "RabbitMQ users, separated by commas, whose header ir-arrival is trusted: those of gateways, "
     "and the one that replays dead letters. For other users the broker's stamp counts."},
    {"partitions", 'p', IR_SETTING_INTEGER, "N", NULL, 1, 256, "8", FIELD(partitions),
     "Number of queues for observations; the same for all workers."},
    {"queue-type", 0, IR_SETTING_CHOICE, "TYPE", "quorum|classic", 0, 0, "quorum",
     FIELD(queue_type), "Type of the queues; the same for all workers."},
    {"prefetch", 0, IR_SETTING_INTEGER, "N", NULL, 1, 65535, "1000", FIELD(prefetch),
     "Maximum number of unacknowledged messages per partition."},
    {"announce", 0, IR_SETTING_DURATION, "TIME", NULL, 0.05 * IR_SECOND, 60 * IR_SECOND, "1s",
     FIELD(announce_ns),
     "How often the worker announces itself. After four times this without an announcement the "
     "others consider it gone."},
    {"message-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, IR_KIB, 128 * IR_MIB, "12Mi",
     FIELD(message_bytes), "Larger messages are not read; the broker dead-letters them."},
    IR_STORE_SETTINGS(ir_worker_options_t, stores),
    IR_FORMAT_SETTINGS(ir_worker_options_t, format),
    IR_REGISTRY_SETTING(ir_worker_options_t, registry, " Read again on SIGHUP."),
    IR_ANALYSIS_SETTINGS(ir_worker_options_t, analysis),
    {"series", 0, IR_SETTING_INTEGER, "N", NULL, 1, 10000000, "50000", FIELD(series),
     "Number of series whose recent points are kept in memory; the points of other series are read "
     "from the store."},
    {"formats", 'f', IR_SETTING_TEXT, "LIST", NULL, 0, 0, "jsonld,senml", FIELD(formats),
     "Formats to publish, separated by commas: " IR_FORMAT_NAMES "; empty: none."},
    {"batch-observations", 0, IR_SETTING_INTEGER, "N", NULL, 1, 1000000, "5000",
     FIELD(batch_observations), "A batch is full when it has this many observations."},
    {"batch-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, IR_KIB, 256 * IR_MIB, "4Mi",
     FIELD(batch_bytes), "A batch is full when its message bodies have this size."},
    {"in-flight", 0, IR_SETTING_INTEGER, "N", NULL, 1, 64, "4", FIELD(in_flight),
     "Maximum number of batches in progress."},
    {"timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * IR_SECOND, 3600 * IR_SECOND, "30s",
     FIELD(timeout_ns), "Maximum time to wait for an answer from a broker or store."},
    {"backoff-first", 0, IR_SETTING_DURATION, "TIME", NULL, 0.001 * IR_SECOND, 60 * IR_SECOND,
     "200ms", FIELD(backoff_first_ns), "First pause before a store is tried again."},
    {"backoff-longest", 0, IR_SETTING_DURATION, "TIME", NULL, 0.001 * IR_SECOND, 3600 * IR_SECOND,
     "10s", FIELD(backoff_longest_ns), "Maximum pause before a store is tried again."},
    {"start-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0, IR_DAY, "0s",
     FIELD(start_timeout_ns),
     "Exit if broker and stores are not all available after this; 0: keep trying."},
    {"stop-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0, IR_DAY, "30s", FIELD(stop_timeout_ns),
     "After SIGTERM, time for the batches in progress; the rest goes back to the broker."},
    {"http", 0, IR_SETTING_TEXT, "ADDRESS", NULL, 0, 0, "127.0.0.1:0", FIELD(http),
     "Address of /metrics, /healthz and /readyz; with port 0, a free one."},
    IR_LOG_SETTINGS(ir_worker_options_t, log_level),
    IR_PROGRAM_SETTINGS(ir_worker_options_t, core_dumps),
    {"check", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(check),
     "Validate settings and registry, connect to broker and stores once, say what the worker would "
     "do, and exit."},
    {"offline", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(offline),
     "With --check: look only at settings and files, and connect to nothing."},
    {"declare", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(declare),
     "Declare exchanges, queues and bindings at the broker, and exit."},
};

static ir_status_t check(const void *given, ir_error_t *error) {
    const ir_worker_options_t *options = given;
    const ir_format_t *formats[IR_FORMATS_MAX];
    size_t count = 0;
    ir_store_settings_warn(&options->stores);
    ir_status_t status = ir_format_settings_check(&options->format, error);
    if (status == IR_OK) {
        status = ir_formats_parse(options->formats, formats, &count, error);
    }
    if (status == IR_OK) {
        status = ir_broker_settings_check(&options->broker, error);
    }
    if (status == IR_OK) {
        status = ir_management_check(options->management, error);
    }
    if (status == IR_OK) {
        status = ir_listener_check(options->http, error);
    }
    if (status == IR_OK && options->analysis.limits.pack_bytes > options->message_bytes) {
        status = ir_error_set(error, IR_ERR_USAGE,
                              "pack-bytes (%lld) is more than message-bytes (%lld): such packs "
                              "could never be read",
                              (long long)options->analysis.limits.pack_bytes,
                              (long long)options->message_bytes);
    }
    return status == IR_OK && options->offline && !options->check
               ? ir_error_set(error, IR_ERR_USAGE, "offline: it goes with --check")
               : status;
}

const ir_program_t ir_worker_program = {
    .name = "ir-worker",
    .purpose = "Fetches observations from RabbitMQ, checks and annotates them, stores them as "
               "documents and as RDF, and republishes them.",
    .usage = "",
    .notes =
        "Signals: SIGHUP reads the registry again; SIGTERM and SIGINT finish the messages in "
        "progress, acknowledge them and exit; a second signal leaves them to the next worker.\n"
        "Exit status: 0 done, 2 wrong usage or settings, 1 anything else.\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
    .check = check,
};

void ir_worker_broker_options(const ir_worker_options_t *options, ir_broker_options_t *broker) {
    ir_broker_settings_options(&options->broker, options->name, options->timeout_ns, broker);
    broker->trial_bytes = broker->message_bytes;
}

void ir_worker_consumer_options(const ir_worker_options_t *options,
                                ir_consumer_options_t *consumer) {
    *consumer = (ir_consumer_options_t){
        .topology = ir_worker_topology(options),
        .worker = options->name,
        .trusted_users = options->trusted_users,
        .prefetch = (uint16_t)options->prefetch,
        .message_bytes = (size_t)options->message_bytes,
        .announce_ns = options->announce_ns,
        .turn = TURN_DELIVERIES,
    };
    ir_worker_broker_options(options, &consumer->broker);
}

ir_topology_t ir_worker_topology(const ir_worker_options_t *options) {
    return (ir_topology_t){.partitions = (unsigned)options->partitions,
                           .queue_type = (ir_queue_type_t)options->queue_type};
}

void ir_worker_documents_options(const ir_worker_options_t *options,
                                 ir_documents_options_t *documents) {
    ir_store_settings_documents(&options->stores, options->timeout_ns, documents);
}

void ir_worker_graph_options(const ir_worker_options_t *options, ir_graph_options_t *graph) {
    ir_store_settings_graph(&options->stores, &options->format, options->name, options->timeout_ns,
                            graph);
}

ir_status_t ir_worker_options_complete(ir_worker_options_t *options, ir_error_t *error) {
    if (ir_setting_text(options->name) != NULL) {
        return IR_OK;
    }
    char host[64] = "worker";
    gethostname(host, sizeof host - 1);
    char name[96];
    snprintf(name, sizeof name, "%s-%ld", host, (long)getpid());
    return ir_settings_set(&ir_worker_program, options, "name", name, error);
}
