/* The settings of ir-worker. */
#ifndef IR_WORKER_OPTIONS_H
#define IR_WORKER_OPTIONS_H

#include "annotation/format.h"
#include "broker/connection.h"
#include "broker/consumer.h"
#include "common/clock.h"
#include "common/settings.h"
#include "common/status.h"
#include "observation/batch.h"
#include "store/documents.h"
#include "store/graph.h"

#include <stdbool.h>
#include <stdint.h>

#define IR_WORKER_FORMATS_MAX 8

/* Filled by common/settings.h; texts are owned. Durations in ns, sizes in bytes. */
typedef struct ir_worker_options {
    char *name;
    char *amqp, *amqp_password, *amqp_ca;
    int64_t heartbeat_ns;
    int64_t partitions;
    int queue_type;
    int64_t prefetch;
    int64_t announce_ns;
    int64_t message_bytes;
    char *documents, *documents_password;
    char *graph, *graph_user, *graph_password;
    int graph_detail, graph_name;
    int64_t segment_bytes;
    char *registry;
    char *base_iri;
    int unregistered;
    int64_t pack_bytes, pack_depth, pack_records;
    int64_t future_limit_ns;
    int64_t series;
    char *formats;
    int64_t batch_observations, batch_bytes;
    int64_t in_flight;
    int64_t timeout_ns;
    int64_t backoff_first_ns, backoff_longest_ns;
    int64_t start_timeout_ns, stop_timeout_ns;
    char *http;
    int log_level;
    bool check, declare;
} ir_worker_options_t;

extern const ir_program_t ir_worker_program;

/* What follows from the options and is wanted in several places. Texts belong to the options. */
void ir_worker_broker_options(const ir_worker_options_t *options, const char *role,
                              ir_broker_options_t *broker);
void ir_worker_documents_options(const ir_worker_options_t *options,
                                 ir_documents_options_t *documents);
void ir_worker_graph_options(const ir_worker_options_t *options, ir_graph_options_t *graph);
void ir_worker_analysis(const ir_worker_options_t *options, ir_analysis_t *analysis);

/* The formats to publish, in the order given, without repeats; names an unknown one in `error`. */
ir_status_t ir_worker_formats(const ir_worker_options_t *options,
                              const ir_format_t *formats[static IR_WORKER_FORMATS_MAX],
                              size_t *n_formats, ir_error_t *error);

/* Checks that go beyond one setting; fills an empty name with HOST-PID. */
ir_status_t ir_worker_options_complete(ir_worker_options_t *options, ir_error_t *error);

#endif
