#include "worker/options.h"

#include "http/listener.h"
#include "worker/management.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_DELIVERIES 256

#define IR_OPTIONS ir_worker_options_t
static const ir_setting_t settings[] = {IR_WORKER_SETTINGS(IR_SETTING_ROW, IR_SETTING_ROWS)};

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
