#include "ingest/meters.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const int codes[] = {202, 400, 401, 403, 404, 405, 413, 415, 429, 503};

#define FIELD(member) offsetof(ir_ingest_meters_t, member)

static const ir_metric_row_t single[] = {
    {FIELD(messages), IR_METRIC_COUNTER, "ir_ingest_messages_total", NULL,
     "Messages confirmed by the broker and answered with 202."},
    {FIELD(observations), IR_METRIC_COUNTER, "ir_ingest_observations_total", NULL,
     "Observations in these messages."},
    {FIELD(bytes), IR_METRIC_COUNTER, "ir_ingest_bytes_total", NULL,
     "Bytes of the bodies of these messages."},
    {FIELD(records_refused), IR_METRIC_COUNTER, "ir_ingest_records_refused_total", NULL,
     "Records and packs for which a request was refused."},
    {FIELD(late), IR_METRIC_COUNTER, "ir_ingest_late_total", NULL,
     "Messages that the broker confirmed or refused after their request had been answered with "
     "503."},
    {FIELD(connections), IR_METRIC_GAUGE, "ir_ingest_connections", NULL, "Open HTTP connections."},
    {FIELD(reading), IR_METRIC_GAUGE, "ir_ingest_requests_reading", NULL,
     "Requests with a large body that waits to be decoded, or is being decoded."},
    {FIELD(in_flight), IR_METRIC_GAUGE, "ir_ingest_requests_in_flight", NULL,
     "Requests that wait for the broker."},
    {FIELD(in_flight_bytes), IR_METRIC_GAUGE, "ir_ingest_bytes_in_flight", NULL,
     "Memory of the messages on their way to the broker."},
    {FIELD(motes_waiting), IR_METRIC_GAUGE, "ir_ingest_motes_waiting", NULL,
     "Motes that get 503 (waiting) until the broker has confirmed their open messages."},
    {FIELD(messages_waiting), IR_METRIC_GAUGE, "ir_ingest_messages_waiting", NULL,
     "Open messages of these motes."},
    {FIELD(given_up), IR_METRIC_COUNTER, "ir_ingest_given_up_total", NULL,
     "Late messages that the gateway stopped waiting for, to keep room for other motes."},
    {FIELD(set_aside), IR_METRIC_COUNTER, "ir_broker_set_aside_total", NULL,
     "Connections to the broker that were set aside to wait for late confirms, since the start."},
    {FIELD(connected), IR_METRIC_GAUGE, "ir_broker_connected", NULL,
     "1 while the publishing connection is open."},
    {FIELD(blocked), IR_METRIC_GAUGE, "ir_broker_blocked", NULL,
     "1 while the broker blocks publishers."},
    {FIELD(reconnects), IR_METRIC_COUNTER, "ir_broker_reconnects_total", NULL,
     "Connections to the broker after the first."},
    {FIELD(motes), IR_METRIC_GAUGE, "ir_ingest_motes", NULL, "Motes that have a token."},
    {FIELD(reloads), IR_METRIC_COUNTER, "ir_tokens_reloads_total", "result=\"done\"",
     "Reloads of the tokens."},
    {FIELD(reload_failures), IR_METRIC_COUNTER, "ir_tokens_reloads_total", "result=\"failed\"",
     "Reloads of the tokens."},
    {FIELD(registry_reloads), IR_METRIC_COUNTER, "ir_registry_reloads_total", "result=\"done\"",
     "Reloads of the registry."},
    {FIELD(registry_reload_failures), IR_METRIC_COUNTER, "ir_registry_reloads_total",
     "result=\"failed\"", "Reloads of the registry."},
    {FIELD(registry_sensors), IR_METRIC_GAUGE, "ir_registry_sensors", NULL,
     "Sensors in the registry; 0 without the setting registry."},
};

ir_status_t ir_ingest_meters_open(ir_ingest_meters_t *meters, ir_error_t *error) {
    char labels[64];
    memset(meters, 0, sizeof *meters);
    meters->metrics = ir_metrics_new();
    if (meters->metrics == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "metrics: out of memory");
    }
    ir_metrics_add_rows(meters->metrics, meters, single, sizeof single / sizeof single[0]);
    ir_culprits_open(
        &meters->culprits, meters->metrics, "ir_ingest_refused_top",
        "Records refused, of the 16 motes with the most; an answer 429 counts as one.");
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        snprintf(labels, sizeof labels, "code=\"%d\"", codes[i]);
        meters->answers[i].code = codes[i];
        meters->answers[i].metric =
            ir_metrics_add(meters->metrics, IR_METRIC_COUNTER, "ir_http_requests_total", labels,
                           "Requests to /v1/observations, by the status of the answer.");
    }
    for (int i = 0; i < IR_CLOSING_COUNT; i++) {
        snprintf(labels, sizeof labels, "reason=\"%s\"", ir_closing_text((ir_closing_t)i));
        meters->closed[i] =
            ir_metrics_add(meters->metrics, IR_METRIC_COUNTER, "ir_http_closed_total", labels,
                           "Connections closed because they exceeded a limit. broken: not HTTP, or "
                           "ended within a request.");
    }
    meters->confirm_seconds =
        ir_metrics_add_histogram(meters->metrics, "ir_ingest_confirm_seconds", NULL,
                                 "Time from a complete request to the broker's confirm.");
    return IR_OK;
}

void ir_ingest_meters_close(ir_ingest_meters_t *meters) {
    ir_metrics_free(meters->metrics);
    meters->metrics = NULL;
}

void ir_ingest_meters_answer(const ir_ingest_meters_t *meters, int code) {
    for (size_t i = 0; i < IR_METER_CODES; i++) {
        if (meters->answers[i].code == code) {
            ir_metric_increase(meters->answers[i].metric, 1);
        }
    }
}
