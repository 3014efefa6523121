/* The settings of ir-worker. */
#ifndef IR_WORKER_OPTIONS_H
#define IR_WORKER_OPTIONS_H

#include "annotation/settings.h"
#include "broker/consumer.h"
#include "broker/settings.h"
#include "common/clock.h"
#include "common/settings.h"
#include "common/status.h"
#include "observation/batch.h"
#include "store/settings.h"

#include <stdbool.h>
#include <stdint.h>

/* Filled by common/settings.h, which owns the texts. Durations in ns, sizes in bytes. */
typedef struct ir_worker_options {
    char *name;
    ir_broker_settings_t broker;
    char *management, *management_password;
    int64_t management_interval_ns;
    char *trusted_users;
    int64_t partitions;
    int queue_type;
    int64_t prefetch;
    int64_t announce_ns;
    int64_t message_bytes;
    ir_store_settings_t stores;
    ir_format_settings_t format;
    char *registry;
    ir_analysis_settings_t analysis;
    int64_t series;
    char *formats;
    int64_t batch_observations, batch_bytes;
    int64_t in_flight;
    int64_t timeout_ns;
    int64_t backoff_first_ns, backoff_longest_ns;
    int64_t start_timeout_ns, stop_timeout_ns;
    char *http;
    int log_level;
    bool core_dumps;
    bool check, offline, declare;
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
