/* The metrics of ir-worker, under the names that /metrics shows. */
#ifndef IR_WORKER_METERS_H
#define IR_WORKER_METERS_H

#include "annotation/formats/format.h"
#include "common/culprits.h"
#include "common/metrics.h"
#include "observation/batch.h"
#include "observation/reason.h"
#include "worker/heard.h"
#include "worker/options.h"

#include <stddef.h>

typedef enum ir_worker_stage {
    IR_STAGE_DOCUMENTS,
    IR_STAGE_GRAPH,
    IR_STAGE_REPUBLISH,
    IR_STAGE_COUNT
} ir_worker_stage_t;

/* "documents", "graph", "republish". */
const char *ir_worker_stage_text(ir_worker_stage_t stage);

/* Any field may be NULL (common/metrics.h). */
typedef struct ir_meters {
    ir_metrics_t *metrics;
    ir_metric_t *messages_received, *messages_redelivered, *messages_acknowledged;
    ir_metric_t *messages_oversize, *messages_unstamped;
    ir_metric_t *observations_stored, *observations_duplicate;
    ir_metric_t *rejected[IR_REASON_COUNT];
    ir_culprits_t culprits;      /* motes with the most refusals … */
    ir_culprits_t heaviest;      /* … and with the most bytes sent */
    ir_metric_t *aggregates[10]; /* by flag */
    ir_metric_t *revisions;
    ir_metric_t *republished[IR_FORMATS_MAX];
    ir_metric_t *dead_letters, *dead_letters_left_out;
    ir_metric_t *motes_in_doubt, *messages_in_doubt;
    ir_metric_t *batches, *batches_in_flight, *messages_in_flight, *oldest_age;
    ir_metric_t *partitions, *partition_share, *partitions_unserved, *partition_losses, *set_aside;
    ir_metric_t *objects_missing;
    ir_metric_t *workers, *reconnects, *connected;
    ir_metric_t *registry_sensors, *registry_reloads, *registry_reload_failures;
    ir_metric_t *retries[IR_STAGE_COUNT];
    ir_metric_t *stage_ready[IR_STAGE_COUNT];
    ir_metric_histogram_t *stage_seconds[IR_STAGE_COUNT];
    ir_metric_histogram_t *message_seconds, *arrival_seconds;
    ir_heard_t *heard;
} ir_meters_t;

/* Registers all metrics. Call before any thread starts. IR_ERR_MEMORY. */
ir_status_t ir_meters_open(ir_meters_t *meters, const ir_format_t *const *formats, size_t n_formats,
                           ir_error_t *error);
void ir_meters_close(ir_meters_t *meters);

/* Counts an acknowledged batch, without the messages that are set aside. Loop thread. */
void ir_meters_count(ir_meters_t *meters, const ir_batch_t *batch);

#endif
