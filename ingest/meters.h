/* The metrics of ir-ingest, under the names that /metrics shows. */
#ifndef IR_INGEST_METERS_H
#define IR_INGEST_METERS_H

#include "common/culprits.h"
#include "common/metrics.h"
#include "common/status.h"
#include "http/connections.h"

#define IR_METER_CODES 16

typedef struct ir_ingest_meters {
    ir_metrics_t *metrics;
    struct {
        int code;
        ir_metric_t *metric;
    } answers[IR_METER_CODES];
    ir_metric_t *closed[IR_CLOSING_COUNT];
    ir_metric_t *messages, *observations, *bytes; /* answered with 202 */
    ir_metric_t *records_refused, *late;
    ir_culprits_t culprits;
    ir_metric_t *connections, *reading, *in_flight, *in_flight_bytes;
    ir_metric_t *motes_waiting, *messages_waiting, *given_up, *set_aside;
    ir_metric_t *connected, *blocked, *reconnects;
    ir_metric_t *motes, *reloads, *reload_failures;
    ir_metric_t *registry_reloads, *registry_reload_failures, *registry_sensors;
    ir_metric_histogram_t *confirm_seconds;
} ir_ingest_meters_t;

/* Registers everything; before any thread starts. IR_ERR_MEMORY. */
ir_status_t ir_ingest_meters_open(ir_ingest_meters_t *meters, ir_error_t *error);
void ir_ingest_meters_close(ir_ingest_meters_t *meters);

/* Counts an answer. */
void ir_ingest_meters_answer(const ir_ingest_meters_t *meters, int code);

#endif
