#include "loadgen/measure/measurement.h"

#include "common/clock.h"

double ir_snapshot_due(const ir_snapshot_t *snapshot) {
    return (double)(snapshot->sent.observations_sent + snapshot->sent.observations_unsent) +
           snapshot->sent.observations_behind;
}

double ir_snapshot_backlog(const ir_snapshot_t *snapshot) {
    const ir_producer_counts_t *sent = &snapshot->sent;
    return sent->observations_behind +
           (double)(sent->observations_sent - sent->observations_confirmed -
                    sent->observations_refused - sent->observations_lost) +
           (double)snapshot->back.waiting_records;
}

bool ir_measurement_init(ir_measurement_t *measurement) {
    *measurement =
        (ir_measurement_t){.late = ir_histogram_new(IR_LATENCY_HIGHEST_US, IR_LATENCY_DIGITS)};
    if (measurement->late == NULL || !ir_latency_init(&measurement->confirms) ||
        !ir_latency_init(&measurement->back)) {
        ir_measurement_free(measurement);
        return false;
    }
    return true;
}

void ir_measurement_free(ir_measurement_t *measurement) {
    ir_histogram_free(measurement->late);
    measurement->late = NULL;
    ir_latency_free(&measurement->confirms);
    ir_latency_free(&measurement->back);
}

void ir_measurement_begin(ir_measurement_t *measurement, const ir_snapshot_t *now) {
    measurement->begin = measurement->end = *now;
    ir_latency_reset(&measurement->confirms);
    ir_latency_reset(&measurement->back);
    ir_histogram_reset(measurement->late);
}

void ir_measurement_add(ir_measurement_t *measurement, const ir_measurement_t *from) {
    ir_latency_add(&measurement->confirms, &from->confirms);
    ir_latency_add(&measurement->back, &from->back);
    ir_histogram_add(measurement->late, from->late);
}

double ir_measurement_seconds(const ir_measurement_t *measurement) {
    return (double)(measurement->end.at_ns - measurement->begin.at_ns) / (double)IR_SECOND_NS;
}

void ir_trend_add(ir_trend_t *trend, double x, double y) {
    trend->n += 1;
    trend->x += x;
    trend->y += y;
    trend->xx += x * x;
    trend->xy += x * y;
}

double ir_trend_slope(const ir_trend_t *trend) {
    const double spread = trend->n * trend->xx - trend->x * trend->x;
    return spread > 0 ? (trend->n * trend->xy - trend->x * trend->y) / spread : 0;
}
