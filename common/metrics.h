/* Counters, gauges and histograms in Prometheus' text format 0.0.4. Recording is lock-free and
 * allowed in any thread. Register metrics before threads start, or in the only thread that
 * renders. */
#ifndef IR_COMMON_METRICS_H
#define IR_COMMON_METRICS_H

#include "common/buffer.h"

#include <stdatomic.h>
#include <stdint.h>

typedef struct ir_metrics ir_metrics_t;
typedef struct ir_metric ir_metric_t;

typedef enum ir_metric_kind { IR_METRIC_COUNTER, IR_METRIC_GAUGE } ir_metric_kind_t;

/* Always contains process_cpu_seconds_total, process_resident_memory_bytes,
 * process_peak_resident_memory_bytes (VmHWM), process_start_time_seconds, process_open_fds,
 * process_max_fds and ir_clock_seconds. Returns NULL when memory is exhausted. */
ir_metrics_t *ir_metrics_new(void);
void ir_metrics_free(ir_metrics_t *metrics);

/* Adds one series. `labels` is the text between the braces ("reason=\"unknown-mote\"") or NULL.
 * Series of the same name share one HELP and one TYPE line. Texts are copied. Returns NULL when
 * memory is exhausted. */
ir_metric_t *ir_metrics_add(ir_metrics_t *metrics, ir_metric_kind_t kind, const char *name,
                            const char *labels, const char *help);

/* A row of a table of series: where the struct of a program's metrics keeps the series, and the
 * arguments of ir_metrics_add. */
typedef struct ir_metric_row {
    size_t offset; /* offset of an ir_metric_t * */
    ir_metric_kind_t kind;
    const char *name, *labels, *help;
} ir_metric_row_t;

/* Adds the series of a table and keeps them in `target`. */
void ir_metrics_add_rows(ir_metrics_t *metrics, void *target, const ir_metric_row_t *rows,
                         size_t n_rows);

/* Gives the metric the single label `name`="`value`". With `value` NULL the metric is not shown.
 * Call in the thread that renders. */
void ir_metric_label(ir_metric_t *metric, const char *name, const char *value);

/* `metric` may be NULL in all of these: a write then does nothing, a read returns 0. */
void ir_metric_increase(ir_metric_t *metric, uint64_t by);
void ir_metric_set(ir_metric_t *metric, int64_t value);
int64_t ir_metric_value(const ir_metric_t *metric);

/* A Prometheus histogram of durations in seconds with fixed buckets from 1 ms to 60 s. */
typedef struct ir_metric_histogram ir_metric_histogram_t;
ir_metric_histogram_t *ir_metrics_add_histogram(ir_metrics_t *metrics, const char *name,
                                                const char *labels, const char *help);
void ir_metric_histogram_record(ir_metric_histogram_t *histogram, int64_t duration_ns);

/* Appends all metrics in the text format. Any thread. */
void ir_metrics_render(const ir_metrics_t *metrics, ir_buffer_t *out);

#endif
