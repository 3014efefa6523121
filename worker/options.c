#include "worker/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1e9
#define DAY 86400e9
#define KIB 1024.0
#define MIB (1024.0 * KIB)
#define GIB (1024.0 * MIB)

#define FIELD(member) offsetof(ir_worker_options_t, member)

static const ir_setting_t settings[] = {
    {"name", 'n', IR_SETTING_TEXT, "NAME", NULL, 0, 0, NULL, FIELD(name),
     "Unique name of this worker; by default HOST-PID."},
    {"amqp", 'a', IR_SETTING_URI, "URI", NULL, 0, 0, "amqp://localhost", FIELD(amqp),
     "RabbitMQ: amqp(s)://[USER@]HOST[:PORT][/VHOST]; several, separated by commas, are tried in "
     "turn."},
    {"amqp-password", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL, FIELD(amqp_password),
     "RabbitMQ's password."},
    {"amqp-ca", 0, IR_SETTING_TEXT, "FILE", NULL, 0, 0, NULL, FIELD(amqp_ca),
     "Certificate authority for amqps."},
    {"heartbeat", 0, IR_SETTING_DURATION, "TIME", NULL, 2 * SECOND, 600 * SECOND, "20s",
     FIELD(heartbeat_ns), "AMQP heartbeat interval."},
    {"partitions", 'p', IR_SETTING_INTEGER, "N", NULL, 1, 256, "8", FIELD(partitions),
     "Number of queues that observations are spread over; the same for all workers."},
    {"queue-type", 0, IR_SETTING_CHOICE, "TYPE", "quorum|classic", 0, 0, "quorum",
     FIELD(queue_type), "Type of the queues; the same for all workers."},
    {"prefetch", 0, IR_SETTING_INTEGER, "N", NULL, 1, 65535, "1000", FIELD(prefetch),
     "Unacknowledged messages of one partition that the broker lets out."},
    {"announce", 0, IR_SETTING_DURATION, "TIME", NULL, 0.05 * SECOND, 60 * SECOND, "1s",
     FIELD(announce_ns),
     "How often the worker announces itself; silent for four times this, it "
     "counts as gone."},
    {"message-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, KIB, 128 * MIB, "12Mi",
     FIELD(message_bytes), "Larger messages are not read but dead-lettered whole by the broker."},
    {"documents", 'd', IR_SETTING_URI, "URI", NULL, 0, 0, "sqlite:documents.sqlite",
     FIELD(documents), "Document store: mongodb://HOST/DATABASE, sqlite:PATH or null:"},
    {"documents-password", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL,
     FIELD(documents_password), "Password of the document store."},
    {"graph", 'g', IR_SETTING_URI, "URIS", NULL, 0, 0, "nquads:graph", FIELD(graph),
     "Graph store: sparql+http(s)://HOST/PATH?strategy=quads|graph-store|update, nquads:DIR or "
     "null:; several share the motes."},
    {"graph-user", 0, IR_SETTING_TEXT, "NAME", NULL, 0, 0, NULL, FIELD(graph_user),
     "User name at the graph store."},
    {"graph-password", 0, IR_SETTING_SECRET, "TEXT", NULL, 0, 0, NULL, FIELD(graph_password),
     "Password at the graph store."},
    {"graph-detail", 0, IR_SETTING_CHOICE, "WORD", "lean|full", 0, 0, "lean", FIELD(graph_detail),
     "How much RDF an observation becomes."},
    {"graph-name", 0, IR_SETTING_CHOICE, "WORD", "default|day|mote", 0, 0, "default",
     FIELD(graph_name), "Which graph the statements go to."},
    {"segment-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, 64 * KIB, 64 * GIB, "64Mi",
     FIELD(segment_bytes), "An N-Quads segment is sealed when it has grown to this."},
    {"registry", 'r', IR_SETTING_TEXT, "FILE", NULL, 0, 0, "registry.ttl", FIELD(registry),
     "The registry of motes and sensors, Turtle; read again on SIGHUP."},
    {"base-iri", 0, IR_SETTING_TEXT, "IRI", NULL, 0, 0, "https://intelligent-river.example/id/",
     FIELD(base_iri), "Start of the IRIs that the worker makes; ends in '/' or '#'."},
    {"unregistered", 0, IR_SETTING_CHOICE, "WORD", "reject|accept", 0, 0, "reject",
     FIELD(unregistered), "What a sensor gets that the registry does not know."},
    {"pack-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, 64, 64 * MIB, "1Mi", FIELD(pack_bytes),
     "Largest SenML pack that is analysed."},
    {"pack-depth", 0, IR_SETTING_INTEGER, "N", NULL, 2, 1000, "16", FIELD(pack_depth),
     "Deepest nesting in a pack."},
    {"pack-records", 0, IR_SETTING_INTEGER, "N", NULL, 1, 1000000, "10000", FIELD(pack_records),
     "Most records in a pack."},
    {"future-limit", 0, IR_SETTING_DURATION, "TIME", NULL, 0, 36500 * DAY, "1d",
     FIELD(future_limit_ns), "An observation may be this far ahead of the clock."},
    {"series", 0, IR_SETTING_INTEGER, "N", NULL, 1, 10000000, "50000", FIELD(series),
     "Series whose recent points are kept in memory; others are read again from the store."},
    {"formats", 'f', IR_SETTING_TEXT, "LIST", NULL, 0, 0, "jsonld,senml", FIELD(formats),
     "Formats to publish, separated by commas; empty: none."},
    {"batch-observations", 0, IR_SETTING_INTEGER, "N", NULL, 1, 1000000, "5000",
     FIELD(batch_observations), "A batch is sent on when it has this many observations."},
    {"batch-bytes", 0, IR_SETTING_SIZE, "BYTES", NULL, KIB, 256 * MIB, "4Mi", FIELD(batch_bytes),
     "… or message bodies of this size."},
    {"in-flight", 0, IR_SETTING_INTEGER, "N", NULL, 1, 64, "4", FIELD(in_flight),
     "Batches under way at once."},
    {"timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0.1 * SECOND, 3600 * SECOND, "30s",
     FIELD(timeout_ns), "Longest wait for one answer of a broker or store."},
    {"backoff-first", 0, IR_SETTING_DURATION, "TIME", NULL, 0.001 * SECOND, 60 * SECOND, "200ms",
     FIELD(backoff_first_ns), "First wait before a store is asked again."},
    {"backoff-longest", 0, IR_SETTING_DURATION, "TIME", NULL, 0.001 * SECOND, 3600 * SECOND, "10s",
     FIELD(backoff_longest_ns), "Longest wait before a store is asked again."},
    {"start-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0, DAY, "0s", FIELD(start_timeout_ns),
     "Give up when broker and stores are not all there after this; 0: keep trying."},
    {"stop-timeout", 0, IR_SETTING_DURATION, "TIME", NULL, 0, DAY, "30s", FIELD(stop_timeout_ns),
     "On SIGTERM, batches under way may take this long; what is left goes back to the broker."},
    {"http", 0, IR_SETTING_TEXT, "ADDRESS", NULL, 0, 0, "127.0.0.1:0", FIELD(http),
     "Where /metrics, /healthz and /readyz are served; port 0 takes a free one."},
    {"log-level", 0, IR_SETTING_CHOICE, "WORD", "error|warn|info|debug", 0, 0, "info",
     FIELD(log_level), "Least important messages to log."},
    {"check", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(check),
     "Validate settings and registry, try broker and stores, say what would be done, and exit."},
    {"declare", 0, IR_SETTING_FLAG, NULL, NULL, 0, 0, NULL, FIELD(declare),
     "Declare exchanges, queues and bindings at the broker, and exit."},
};

const ir_program_t ir_worker_program = {
    .name = "ir-worker",
    .purpose = "Fetches observations from RabbitMQ, checks and annotates them, stores them as "
               "documents and as RDF, and publishes them again.",
    .usage = "",
    .notes = "Signals: SIGHUP reads the registry again; SIGTERM and SIGINT finish what is under "
             "way, acknowledge it and exit; a second one leaves it to the next worker.\n"
             "Exit status: 0 done, 2 wrong usage or settings, 1 anything else.\n",
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
};

static const char *text_or_null(const char *text) {
    return text != NULL && text[0] != '\0' ? text : NULL;
}

void ir_worker_broker_options(const ir_worker_options_t *options, const char *role,
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

void ir_worker_documents_options(const ir_worker_options_t *options,
                                 ir_documents_options_t *documents) {
    *documents = (ir_documents_options_t){
        .uri = options->documents,
        .password = text_or_null(options->documents_password),
        .timeout_ns = options->timeout_ns,
    };
}

void ir_worker_graph_options(const ir_worker_options_t *options, ir_graph_options_t *graph) {
    *graph = (ir_graph_options_t){
        .uris = options->graph,
        .user = text_or_null(options->graph_user),
        .password = text_or_null(options->graph_password),
        .timeout_ns = options->timeout_ns,
        .segment_bytes = options->segment_bytes,
        .writer = options->name,
        .format = {.base_iri = options->base_iri,
                   .detail = (ir_graph_detail_t)options->graph_detail,
                   .naming = (ir_graph_naming_t)options->graph_name},
    };
}

void ir_worker_analysis(const ir_worker_options_t *options, ir_analysis_t *analysis) {
    *analysis = (ir_analysis_t){
        .limits = {.bytes = (size_t)options->pack_bytes,
                   .depth = (unsigned)options->pack_depth,
                   .records = (unsigned)options->pack_records,
                   .future_ns = options->future_limit_ns},
        .accept_unregistered = options->unregistered == 1,
        .base_iri = options->base_iri,
    };
}

static bool has_format(const ir_format_t *const *formats, size_t count, const ir_format_t *format) {
    for (size_t i = 0; i < count; i++) {
        if (formats[i] == format) {
            return true;
        }
    }
    return false;
}

ir_status_t ir_worker_formats(const ir_worker_options_t *options,
                              const ir_format_t *formats[static IR_WORKER_FORMATS_MAX],
                              size_t *n_formats, ir_error_t *error) {
    size_t count = 0;
    const char *rest = options->formats != NULL ? options->formats : "";
    while (*rest != '\0') {
        const size_t size = strcspn(rest, ",");
        const ir_format_t *format = ir_format_find(ir_view(rest, size));
        if (size > 0 && format == NULL) {
            return ir_error_set(error, IR_ERR_USAGE,
                                "formats: '%.*s' is not a format; known are ntriples, nquads, "
                                "turtle, jsonld, sensorthings, senml, csv, json",
                                (int)size, rest);
        }
        if (format != NULL && !has_format(formats, count, format)) {
            if (count == IR_WORKER_FORMATS_MAX) {
                return ir_error_set(error, IR_ERR_USAGE, "formats: at most %d",
                                    IR_WORKER_FORMATS_MAX);
            }
            formats[count++] = format;
        }
        rest += size + (rest[size] == ',');
    }
    *n_formats = count;
    return IR_OK;
}

ir_status_t ir_worker_options_complete(ir_worker_options_t *options, ir_error_t *error) {
    if (!ir_base_iri_valid(options->base_iri)) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "base-iri: '%s' is not an IRI that ends in '/' or '#'",
                            options->base_iri != NULL ? options->base_iri : "");
    }
    if (options->pack_bytes > options->message_bytes) {
        return ir_error_set(error, IR_ERR_USAGE,
                            "pack-bytes (%lld) is more than message-bytes (%lld): such packs could "
                            "never be read",
                            (long long)options->pack_bytes, (long long)options->message_bytes);
    }
    ir_broker_options_t broker;
    ir_worker_broker_options(options, options->name, &broker);
    ir_error_t cause;
    if (ir_broker_check(&broker, &cause) != IR_OK) {
        return ir_error_set(error, cause.status, "amqp: %s", cause.text);
    }
    if (text_or_null(options->name) != NULL) {
        return IR_OK;
    }
    char host[64] = "worker";
    gethostname(host, sizeof host - 1);
    char name[96];
    snprintf(name, sizeof name, "%s-%ld", host, (long)getpid());
    return ir_settings_set(&ir_worker_program, options, "name", name, error);
}
