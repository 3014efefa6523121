/* A pipeline: three stages, each with its own thread and client, and the batches that pass through
 * them. The worker has two pipelines. Messages from the broker enter the main pipeline, where
 * nothing waits for a proof: a message in doubt is set aside (doubts.h). Messages that are set
 * aside enter the second pipeline, where proofs may take their time.
 *
 * Loop thread only. */
#ifndef IR_WORKER_PIPELINE_H
#define IR_WORKER_PIPELINE_H

#include "observation/analysis.h"
#include "worker/denied.h"
#include "worker/doubts.h"
#include "worker/meters.h"
#include "worker/options.h"
#include "worker/stage.h"

typedef struct ir_pipeline ir_pipeline_t;

/* Everything here must outlive the pipeline. */
typedef struct ir_pipeline_options {
    const ir_worker_options_t *worker;
    const ir_analysis_t *analysis;
    const ir_format_t *const *formats;
    size_t n_formats;
    ir_denied_t *denied;
    ir_doubts_t *doubts; /* given to the main pipeline; NULL for the second one */
    ir_meters_t *meters;
    size_t in_flight; /* number of batches in the stages; one more collects */
    int wake_fd;      /* an eventfd, written when a batch is done or a stage changes state */
} ir_pipeline_options_t;

/* Makes clients and batches. The batches use `registry` until a newer one arrives. */
ir_status_t ir_pipeline_open(const ir_pipeline_options_t *options, ir_registry_t *registry,
                             ir_pipeline_t **pipeline, ir_error_t *error);

/* Starts the threads. */
ir_status_t ir_pipeline_start(ir_pipeline_t *pipeline, ir_error_t *error);

/* Stages give up their batches at the next failure; running proofs are given up. */
void ir_pipeline_abandon(ir_pipeline_t *pipeline);

/* Waits for the threads, which first finish the batches they were given. */
void ir_pipeline_join(ir_pipeline_t *pipeline);

/* Call after ir_pipeline_join. NULL is allowed. */
void ir_pipeline_close(ir_pipeline_t *pipeline);

/* Returns the batch that collects messages; a new one gets this registry. NULL when all batches are
 * in progress. */
ir_batch_t *ir_pipeline_collect(ir_pipeline_t *pipeline, ir_registry_t *registry);

/* Whether the collecting batch has reached its maximum size. */
bool ir_pipeline_full(const ir_pipeline_t *pipeline);

/* Whether a message can be collected. */
bool ir_pipeline_room(const ir_pipeline_t *pipeline);

/* Group commit: passes the collecting batch on when the first stage is idle, or when the batch is
 * full. */
void ir_pipeline_dispatch(ir_pipeline_t *pipeline);

/* Returns the next batch that came back from the last stage, or NULL. Give it back with
 * ir_pipeline_recycle. */
ir_batch_t *ir_pipeline_done(ir_pipeline_t *pipeline);
void ir_pipeline_recycle(ir_pipeline_t *pipeline, ir_batch_t *batch, ir_registry_t *registry);

/* The number of batches between dispatch and recycle, and of messages in all batches. */
size_t ir_pipeline_batches(const ir_pipeline_t *pipeline);
uint64_t ir_pipeline_messages(const ir_pipeline_t *pipeline);

/* A message that arrived at this time was added to the collecting batch. */
void ir_pipeline_note_arrival(ir_pipeline_t *pipeline, int64_t arrival_ns);

/* The earliest arrival of all messages in batches that are not recycled; 0 when there are none. */
int64_t ir_pipeline_oldest(const ir_pipeline_t *pipeline);

/* The number of messages in the collecting batch. */
uint32_t ir_pipeline_collected(const ir_pipeline_t *pipeline);

/* There is a newer registry: empty batches release the old one now, the stages when they are
 * idle. */
void ir_pipeline_follow_registry(ir_pipeline_t *pipeline, ir_registry_t *registry);

/* Whether the servers of all stages have been available at least once. */
bool ir_pipeline_started(const ir_pipeline_t *pipeline);

/* Whether a store refused the credentials before it was ever available; `why` says which. */
bool ir_pipeline_refused(const ir_pipeline_t *pipeline, ir_error_t *why);

ir_stage_t *ir_pipeline_stage(const ir_pipeline_t *pipeline, ir_worker_stage_t stage);

#endif
