#include "loadgen/measure/result.h"

#include <stdio.h>

void ir_quantiles_of(const ir_histogram_t *us, ir_quantiles_t *quantiles) {
    *quantiles = (ir_quantiles_t){
        .count = ir_histogram_count(us),
        .p50 = ir_latency_ms(us, 50),
        .p90 = ir_latency_ms(us, 90),
        .p99 = ir_latency_ms(us, 99),
        .p999 = ir_latency_ms(us, 99.9),
        .max = ir_latency_ms(us, 100),
    };
}

const char *ir_quantiles_text(const ir_quantiles_t *quantiles, double ms,
                              char text[static IR_MS_SIZE]) {
    if (quantiles->count > 0) {
        snprintf(text, IR_MS_SIZE, "%.1f", ms);
    } else {
        snprintf(text, IR_MS_SIZE, "–");
    }
    return text;
}

static void make_counts(ir_result_t *result, const ir_producer_counts_t *begin,
                        const ir_producer_counts_t *end) {
    result->messages_sent = end->messages_sent - begin->messages_sent;
    result->observations_sent = end->observations_sent - begin->observations_sent;
    result->messages_confirmed = end->messages_confirmed - begin->messages_confirmed;
    result->observations_confirmed = end->observations_confirmed - begin->observations_confirmed;
    result->messages_refused = end->messages_refused - begin->messages_refused;
    result->observations_unsent = end->observations_unsent - begin->observations_unsent;
    result->failures = end->failures - begin->failures;
}

void ir_result_make(ir_result_t *result, const ir_measurement_t *measurement,
                    const ir_trend_t *backlog, double asked, bool heard, double late_bound_ms) {
    *result = (ir_result_t){
        .asked = asked,
        .seconds = ir_measurement_seconds(measurement),
        .messages_back = measurement->end.back.complete - measurement->begin.back.complete,
        .observations_back =
            measurement->end.back.complete_records - measurement->begin.back.complete_records,
        .backlog_begin = ir_snapshot_backlog(&measurement->begin),
        .backlog_end = ir_snapshot_backlog(&measurement->end),
        .growth = ir_trend_slope(backlog),
        .heard = heard,
    };
    make_counts(result, &measurement->begin.sent, &measurement->end.sent);
    ir_quantiles_of(measurement->confirms.corrected, &result->confirms);
    ir_quantiles_of(measurement->back.corrected, &result->back);
    ir_quantiles_of(measurement->late, &result->late);
    result->valid = result->late.p99 <= late_bound_ms;
}

static double rate(const ir_result_t *result, uint64_t observations) {
    return result->seconds > 0 ? (double)observations / result->seconds : 0;
}

double ir_result_sent_rate(const ir_result_t *result) {
    return rate(result, result->observations_sent);
}

double ir_result_done_rate(const ir_result_t *result) {
    return rate(result, result->heard ? result->observations_back : result->observations_confirmed);
}

void ir_result_trial(const ir_result_t *result, ir_trial_t *trial) {
    const double due = (double)(result->observations_sent + result->observations_unsent);
    *trial = (ir_trial_t){
        .asked = result->asked,
        .sent_share = due > 0 ? (double)result->observations_sent / due : 1,
        .reached = ir_result_done_rate(result),
        .growth = result->growth,
        .p99_ms = result->heard ? result->back.p99 : result->confirms.p99,
        .valid = result->valid,
    };
}
