#include "ingest/check.h"

#include "broker/topology.h"
#include "ingest/tokens.h"

#define MASKED_SIZE 512

static bool report(FILE *out, const char *what, ir_status_t status, const char *good,
                   const ir_error_t *error) {
    fprintf(out, "%-10s %s  %s\n", what, status == IR_OK ? "ok   " : "WRONG",
            status == IR_OK ? good : error->text);
    return status == IR_OK;
}

static bool check_tokens(const ir_ingest_options_t *options, FILE *out) {
    ir_tokens_t *tokens = NULL;
    ir_error_t error = {.status = IR_OK};
    char text[160] = "";
    ir_status_t status = ir_tokens_load(options->tokens, &tokens, &error);
    if (status == IR_OK && ir_tokens_count(tokens) == 0) {
        status = ir_error_set(&error, IR_ERR_SYNTAX,
                              "%s: it has no token, so every request would be refused; each line "
                              "is MOTE sha256:HEX",
                              options->tokens);
    } else if (status == IR_OK) {
        snprintf(text, sizeof text, "%zu for %zu motes", ir_tokens_count(tokens),
                 ir_tokens_motes(tokens));
    }
    ir_tokens_free(tokens);
    return report(out, "tokens", status, text, &error);
}

static void report_fault(void *context, const char *line) {
    fprintf(context, "%-10s WRONG  %s\n", "registry", line);
}

static bool check_registry(const ir_ingest_options_t *options, FILE *out) {
    ir_registry_t *registry = NULL;
    ir_error_t error = {.status = IR_OK};
    char text[160] = "";
    if (ir_setting_text(options->registry) == NULL) {
        fprintf(out, "%-10s note   none: only the names of sensors are checked\n", "registry");
        return true;
    }
    const ir_teller_t teller = {report_fault, out};
    const ir_status_t status = ir_registry_load(options->registry, &registry, &teller, &error);
    if (status == IR_OK) {
        snprintf(text, sizeof text, "%zu motes, %zu sensors", ir_registry_motes(registry),
                 ir_registry_sensors(registry));
    }
    ir_registry_unref(registry);
    return report(out, "registry", status, text, &error);
}

static bool check_broker(const ir_ingest_options_t *options, FILE *out) {
    ir_broker_options_t broker;
    ir_ingest_broker_options(options, &broker);
    ir_connection_t *connection = NULL;
    ir_error_t error = {.status = IR_OK};
    char masked[MASKED_SIZE];
    const ir_status_t status = ir_broker_connect(&broker, 0, &connection, &error);
    ir_broker_disconnect(connection);
    return report(out, "broker", status, ir_uri_masked(broker.uri, masked, sizeof masked), &error);
}

bool ir_ingest_check(const ir_ingest_options_t *options, FILE *out) {
    const bool tokens = check_tokens(options, out);
    const bool registry = check_registry(options, out);
    const bool broker = options->offline || check_broker(options, out);
    fprintf(out,
            "\n"
            "The gateway would accept requests at %s on up to %lld connections, bodies of up to "
            "%lld bytes\n"
            "(%lld after decompression), publish them to %s, answer within %lld ms, and serve "
            "metrics there, too.\n",
            options->listen, (long long)options->connections, (long long)options->body_bytes,
            (long long)options->expanded_bytes, IR_EXCHANGE_OBSERVATIONS,
            (long long)(options->confirm_timeout_ns / 1000000));
    return tokens && registry && broker;
}
