#include "worker/check.h"

#include "broker/rights.h"
#include "broker/stamp.h"
#include "broker/topology.h"
#include "observation/ownership.h"
#include "worker/policy_watch.h"

#include <math.h>
#include <string.h>

#define MASKED_SIZE 512
#define NAMES_SHOWN 20
#define STAMP_CHANNEL 2
#define CLOCK_SECONDS 5 /* that clocks may differ by, as in the alert ClockOff */

typedef struct ir_check {
    const ir_worker_options_t *options;
    FILE *out;
    ir_status_t status;
} ir_check_t;

static void report(ir_check_t *check, const char *what, ir_status_t status, const char *good,
                   const ir_error_t *error) {
    fprintf(check->out, "%-10s %s  %s\n", what, status == IR_OK ? "ok   " : "WRONG",
            status == IR_OK ? good : error->text);
    if (check->status == IR_OK || status == IR_ERR_USAGE) {
        check->status = status;
    }
}

/* Such names are a problem only over HTTP, at gateways that do not have the registry. */
static void note_names(const ir_check_t *check, const ir_registry_t *registry) {
    const ir_sensor_t *found[NAMES_SHOWN];
    const size_t count = ir_registry_not_owned(registry, found, NAMES_SHOWN);
    for (size_t i = 0; i < count && i < NAMES_SHOWN; i++) {
        fprintf(
            check->out,
            "%-10s note   '%s' does not begin with its mote's id '%s': over HTTP it is refused, "
            "unless ir-ingest has the setting registry\n",
            "names", found[i]->name, found[i]->mote->id);
    }
    if (count > NAMES_SHOWN) {
        fprintf(check->out, "%-10s note   and %zu more\n", "names", count - NAMES_SHOWN);
    }
}

static void report_fault(void *context, const char *line) {
    const ir_check_t *check = context;
    fprintf(check->out, "%-10s WRONG  %s\n", "registry", line);
}

static void check_registry(ir_check_t *check) {
    ir_registry_t *registry = NULL;
    ir_error_t error = {.status = IR_OK};
    char text[160] = "";
    const ir_teller_t teller = {report_fault, check};
    const ir_status_t status =
        ir_registry_load(check->options->registry, &registry, &teller, &error);
    if (status == IR_OK) {
        snprintf(text, sizeof text, "%zu motes, %zu sensors", ir_registry_motes(registry),
                 ir_registry_sensors(registry));
    }
    report(check, "registry", status, text, &error);
    if (registry != NULL) {
        note_names(check, registry);
    }
    ir_registry_unref(registry);
}

static void check_stamp(ir_check_t *check, ir_connection_t *connection, int64_t timeout_ns) {
    ir_error_t error = {.status = IR_OK};
    char text[128] = "";
    int64_t ahead_ns = 0;
    ir_status_t status = ir_stamp_check(connection, STAMP_CHANNEL, timeout_ns, &ahead_ns, &error);
    const double ahead = (double)ahead_ns / (double)IR_SECOND_NS;
    if (status == IR_OK && fabs(ahead) > CLOCK_SECONDS) {
        status = ir_error_set(
            &error, IR_ERR_STATE,
            "the broker's clock is %.1f s %s this machine's; set the wrong one (timedatectl)",
            fabs(ahead), ahead > 0 ? "ahead of" : "behind");
    }
    snprintf(text, sizeof text,
             "the broker stamps what arrives; its clock differs by %.1f s from this machine's",
             fabs(ahead));
    report(check, "arrival", status, text, &error);
}

static void check_broker(ir_check_t *check) {
    ir_broker_options_t broker;
    ir_worker_broker_options(check->options, &broker);
    ir_connection_t *connection = NULL;
    ir_error_t error = {.status = IR_OK};
    char masked[MASKED_SIZE];
    const ir_topology_t topology = ir_worker_topology(check->options);
    ir_status_t status = ir_broker_connect(&broker, 0, &connection, &error);
    if (status == IR_OK) {
        status = ir_topology_check(connection, 1, &topology, &error);
    }
    bool complete = true;
    if (status == IR_OK) {
        status = ir_rights_check(connection, &topology, &complete, &error);
    }
    char good[MASKED_SIZE + 80];
    snprintf(good, sizeof good, "%s%s", ir_uri_masked(broker.uri, masked, sizeof masked),
             complete ? "" : "; exchanges or queues are missing, which a worker declares");
    report(check, "broker", status, good, &error);
    if (status == IR_OK) {
        check_stamp(check, connection, broker.timeout_ns);
    }
    ir_broker_disconnect(connection);
}

static void report_each(ir_check_t *check, ir_view_t lines) {
    while (lines.size > 0) {
        ir_error_t error = {.status = IR_OK};
        const char *stop = memchr(lines.data, '\n', lines.size);
        const size_t size = stop != NULL ? (size_t)(stop - lines.data) : lines.size;
        ir_error_set(&error, IR_ERR_STATE, "%.*s", (int)size, lines.data);
        report(check, "policies", IR_ERR_STATE, "", &error);
        lines = ir_view(lines.data + size + (stop != NULL), lines.size - size - (stop != NULL));
    }
}

/* If the policies are unknown, that is not a fault: the management interface may be unavailable. */
static void check_policies(ir_check_t *check) {
    ir_buffer_t reasons;
    ir_buffer_init(&reasons);
    ir_policy_verdict_t verdict = {0};
    ir_error_t error = {.status = IR_OK};
    char text[128];
    if (ir_policies_ask(check->options, &verdict, &reasons, &error) != IR_OK) {
        fprintf(check->out, "%-10s ?      unknown whether queues can drop messages: %s\n",
                "policies", error.text);
    } else if (verdict.faults == 0) {
        snprintf(text, sizeof text, "none of %u queues can drop messages", verdict.queues);
        report(check, "policies", IR_OK, text, &error);
    } else {
        report_each(check, ir_buffer_view(&reasons));
    }
    ir_buffer_free(&reasons);
}

static void check_documents(ir_check_t *check) {
    ir_documents_options_t options;
    ir_worker_documents_options(check->options, &options);
    ir_documents_t *documents = NULL;
    ir_error_t error = {.status = IR_OK};
    char masked[MASKED_SIZE];
    ir_status_t status = ir_documents_open(&options, &documents, &error);
    if (status == IR_OK && !check->options->offline) {
        status = ir_documents_probe(documents, &error);
    }
    report(check, "documents", status, ir_uri_masked(options.uri, masked, sizeof masked), &error);
    ir_documents_close(documents);
}

static void check_graph(ir_check_t *check) {
    ir_graph_options_t options;
    ir_worker_graph_options(check->options, &options);
    ir_graph_t *graph = NULL;
    ir_error_t error = {.status = IR_OK};
    char masked[MASKED_SIZE];
    ir_status_t status = ir_graph_open(&options, &graph, &error);
    if (status == IR_OK && !check->options->offline) {
        status = ir_graph_probe(graph, &error);
    }
    report(check, "graph", status, ir_uri_masked(options.uris, masked, sizeof masked), &error);
    ir_graph_close(graph);
}

static void tell_plan(const ir_check_t *check) {
    const ir_worker_options_t *options = check->options;
    fprintf(check->out,
            "\n"
            "Worker %s would consume its share of %lld partitions (%s queues), at most %lld "
            "messages of each at once,\n"
            "in batches of up to %lld observations, %lld under way; store them in both stores,\n"
            "publish them as %s to %s, and serve metrics at %s.\n",
            options->name, (long long)options->partitions,
            options->queue_type == IR_QUEUE_QUORUM ? "quorum" : "classic",
            (long long)options->prefetch, (long long)options->batch_observations,
            (long long)options->in_flight,
            options->formats[0] != '\0' ? options->formats : "nothing", IR_EXCHANGE_PROCESSED,
            options->http);
}

ir_status_t ir_worker_check(const ir_worker_options_t *options, FILE *out) {
    ir_check_t check = {.options = options, .out = out, .status = IR_OK};
    check_registry(&check);
    if (!options->offline) {
        check_broker(&check);
        check_policies(&check);
    }
    check_documents(&check);
    check_graph(&check);
    tell_plan(&check);
    return check.status;
}

ir_status_t ir_worker_declare(const ir_worker_options_t *options, ir_error_t *error) {
    ir_broker_options_t broker;
    ir_worker_broker_options(options, &broker);
    const ir_topology_t topology = ir_worker_topology(options);
    ir_connection_t *connection = NULL;
    ir_status_t status = ir_broker_connect(&broker, 0, &connection, error);
    if (status != IR_OK) {
        return status;
    }
    status = ir_topology_declare(connection, 1, &topology, error);
    ir_broker_disconnect(connection);
    return status;
}
