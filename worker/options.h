/* The settings of ir-worker. */
#ifndef IR_WORKER_OPTIONS_H
#define IR_WORKER_OPTIONS_H

#include "annotation/settings.h"
#include "broker/consumer.h"
#include "broker/settings.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "common/settings.h"
#include "common/status.h"
#include "observation/batch.h"
#include "store/settings.h"

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define IR_WORKER_SETTINGS(SETTING, GROUP) \
    SETTING(TEXT, name, "name", 'n', "NAME", NULL, 0, 0, NULL, \
        "Unique name of this worker; by default HOST-PID.") \
    GROUP(ir_broker_settings_t, broker, IR_BROKER_SETTINGS) \
    SETTING(TEXT, management, "management", 0, "URI", NULL, 0, 0, NULL, \
        "RabbitMQ's management interface, http(s)://USER@HOST:15672; several, separated by " \
        "commas, are tried in turn. A policy that can drop messages makes the worker not " \
        "ready.") \
    SETTING(SECRET, management_password, "management-password", 0, "TEXT", NULL, 0, 0, NULL, \
        "Password for the management interface.") \
    SETTING(DURATION, management_interval_ns, "management-interval", 0, "TIME", NULL, \
        0.1 * IR_SECOND, IR_DAY, "30s", \
        "Interval of queries to the management interface.") \
    IR_TRUSTED_USERS_SETTING(SETTING, trusted_users) \
    SETTING(INTEGER, partitions, "partitions", 'p', "N", NULL, 1, 256, "8", \
        "Number of queues for observations; the same for all workers.") \
    SETTING(CHOICE, queue_type /* ir_queue_type_t */, "queue-type", 0, "TYPE", "quorum|classic", 0, 0, "quorum", \
        "Type of the queues; the same for all workers.") \
    SETTING(INTEGER, prefetch, "prefetch", 0, "N", NULL, 1, 65535, "1000", \
        "Maximum number of unacknowledged messages per partition.") \
    SETTING(DURATION, announce_ns, "announce", 0, "TIME", NULL, 0.05 * IR_SECOND, 60 * IR_SECOND, \
        "1s", \
        "How often the worker announces itself. After four times this without an announcement " \
        "the others consider it gone.") \
    SETTING(SIZE, message_bytes, "message-bytes", 0, "BYTES", NULL, IR_KIB, 128 * IR_MIB, "12Mi", \
        "Larger messages are not read; the broker dead-letters them.") \
    GROUP(ir_store_settings_t, stores, IR_STORE_SETTINGS) \
    GROUP(ir_format_settings_t, format, IR_FORMAT_SETTINGS) \
    IR_REGISTRY_SETTING(SETTING, registry, " Read again on SIGHUP.") \
    GROUP(ir_analysis_settings_t, analysis, IR_ANALYSIS_SETTINGS) \
    SETTING(INTEGER, series, "series", 0, "N", NULL, 1, 10000000, "50000", \
        "Number of series whose recent points are kept in memory; the points of other series " \
        "are read from the store.") \
    SETTING(TEXT, formats, "formats", 'f', "LIST", NULL, 0, 0, "jsonld,senml", \
        "Formats to publish, separated by commas: " IR_FORMAT_NAMES "; empty: none.") \
    SETTING(INTEGER, batch_observations, "batch-observations", 0, "N", NULL, 1, 1000000, "5000", \
        "A batch is full when it has this many observations.") \
    SETTING(SIZE, batch_bytes, "batch-bytes", 0, "BYTES", NULL, IR_KIB, 256 * IR_MIB, "4Mi", \
        "A batch is full when its message bodies have this size.") \
    SETTING(INTEGER, in_flight, "in-flight", 0, "N", NULL, 1, 64, "4", \
        "Maximum number of batches in progress.") \
    IR_TIMEOUT_SETTING(SETTING, timeout_ns, "30s", "a broker or store") \
    SETTING(DURATION, backoff_first_ns, "backoff-first", 0, "TIME", NULL, 0.001 * IR_SECOND, \
        60 * IR_SECOND, "200ms", \
        "First pause before a store is tried again.") \
    SETTING(DURATION, backoff_longest_ns, "backoff-longest", 0, "TIME", NULL, 0.001 * IR_SECOND, \
        3600 * IR_SECOND, "10s", \
        "Maximum pause before a store is tried again.") \
    SETTING(DURATION, start_timeout_ns, "start-timeout", 0, "TIME", NULL, 0, IR_DAY, "0s", \
        "Exit if broker and stores are not all available after this; 0: keep trying.") \
    SETTING(DURATION, stop_timeout_ns, "stop-timeout", 0, "TIME", NULL, 0, IR_DAY, "30s", \
        "After SIGTERM, time for the batches in progress; the rest goes back to the broker.") \
    SETTING(TEXT, http, "http", 0, "ADDRESS", NULL, 0, 0, "127.0.0.1:0", \
        "Address of /metrics, /healthz and /readyz; with port 0, a free one.") \
    IR_LOG_SETTINGS(SETTING, log_level) \
    IR_PROGRAM_SETTINGS(SETTING, core_dumps) \
    SETTING(FLAG, check, "check", 0, NULL, NULL, 0, 0, NULL, \
        "Validate settings and registry, connect to broker and stores once, say what the " \
        "worker would do, and exit.") \
    SETTING(FLAG, offline, "offline", 0, NULL, NULL, 0, 0, NULL, \
        "With --check: look only at settings and files, and connect to nothing.") \
    SETTING(FLAG, declare, "declare", 0, NULL, NULL, 0, 0, NULL, \
        "Declare exchanges, queues and bindings at the broker, and exit.")
/* clang-format on */

/* Filled by common/settings.h, which owns the texts. Durations in ns, sizes in bytes. */
typedef struct ir_worker_options {
    IR_WORKER_SETTINGS(IR_SETTING_MEMBER, IR_SETTING_MEMBERS)
} ir_worker_options_t;

extern const ir_program_t ir_worker_program;

/* Derive other options from the settings. Texts are not copied, so the settings must outlive
 * them. */
void ir_worker_broker_options(const ir_worker_options_t *options, ir_broker_options_t *broker);
void ir_worker_consumer_options(const ir_worker_options_t *options,
                                ir_consumer_options_t *consumer);
ir_topology_t ir_worker_topology(const ir_worker_options_t *options);
void ir_worker_documents_options(const ir_worker_options_t *options,
                                 ir_documents_options_t *documents);
void ir_worker_graph_options(const ir_worker_options_t *options, ir_graph_options_t *graph);

/* Sets an empty name to HOST-PID. */
ir_status_t ir_worker_options_complete(ir_worker_options_t *options, ir_error_t *error);

#endif
