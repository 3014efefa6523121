/* The results of one phase of load, as plain numbers. */
#ifndef IR_LOADGEN_MEASURE_RESULT_H
#define IR_LOADGEN_MEASURE_RESULT_H

#include "loadgen/measure/measurement.h"
#include "loadgen/measure/search.h"

#include <stdbool.h>
#include <stdint.h>

/* In ms. */
typedef struct ir_quantiles {
    uint64_t count; /* number of values; 0: nothing was measured, and the others are 0 */
    double p50, p90, p99, p999, max;
} ir_quantiles_t;

void ir_quantiles_of(const ir_histogram_t *us, ir_quantiles_t *quantiles);

#define IR_MS_SIZE 32

/* Formats one quantile for display: "12.3", or "–" when nothing was measured. Returns `text`. */
const char *ir_quantiles_text(const ir_quantiles_t *quantiles, double ms,
                              char text[static IR_MS_SIZE]);

typedef struct ir_result {
    double asked;   /* requested rate, observations/s; 0: as fast as possible */
    double seconds; /* length of the measurement */
    uint64_t messages_sent, observations_sent;
    uint64_t messages_confirmed, observations_confirmed;
    uint64_t messages_refused;
    uint64_t observations_unsent; /* due but not sent */
    uint64_t messages_back, observations_back;
    uint64_t failures;
    double backlog_begin, backlog_end, growth; /* observations; a second */
    ir_quantiles_t confirms, back;             /* latencies, counted from the intended time */
    ir_quantiles_t late;
    bool heard; /* the run subscribed */
    bool valid; /* the generator kept its own schedule */
    ir_verdict_t verdict;
} ir_result_t;

/* Summarizes a finished phase. `late_bound_ms` is the limit for the 99th percentile of the
 * generator's own lateness. */
void ir_result_make(ir_result_t *result, const ir_measurement_t *measurement,
                    const ir_trend_t *backlog, double asked, bool heard, double late_bound_ms);

double ir_result_sent_rate(const ir_result_t *result);
double
ir_result_done_rate(const ir_result_t *result); /* republished; confirmed without a subscription */

/* The same as input for the search. */
void ir_result_trial(const ir_result_t *result, ir_trial_t *trial);

#endif
