/* A pipeline: the three stages, each with a thread and a client of its own, and the batches that
 * pass through them. The worker has two. What comes from the broker takes the main pipeline, where
 * nothing waits for a proof: a message in doubt is set aside (doubts.h). What is set aside takes
 * the other pipeline, where proofs take their time.
 *
 * Loop thread only. */
#ifndef IR_WORKER_PIPELINE_H
#define IR_WORKER_PIPELINE_H

#include "worker/denied.h"
#include "worker/doubts.h"
#include "worker/meters.h"
#include "worker/options.h"
#include "worker/stage.h"

typedef struct ir_pipeline ir_pipeline_t;

/* Everything outlives the pipeline. */
typedef struct ir_pipeline_options {
    const ir_worker_options_t *worker;
    const ir_analysis_t *analysis;
    const ir_format_t *const *formats;
    size_t n_formats;
    ir_denied_t *denied;
    ir_doubts_t *doubts; /* of the main pipeline; NULL: the other one */
    ir_meters_t *meters;
    size_t in_flight; /* batches in the stages; one more collects */
    int wake_fd; /* an eventfd that is written when a batch is done or a stage's state changes */
} ir_pipeline_options_t;

/* Makes clients and batches. `registry` is that of the batches for now. */
ir_status_t ir_pipeline_open(const ir_pipeline_options_t *options, ir_registry_t *registry,
                             ir_pipeline_t **pipeline, ir_error_t *error);

/* Starts the threads. */
ir_status_t ir_pipeline_start(ir_pipeline_t *pipeline, ir_error_t *error);

/* Stages let go of their batches at the next failure, proofs under way are given up. */
void ir_pipeline_abandon(ir_pipeline_t *pipeline);

/* Waits for the threads, which finish what they were given. */
void ir_pipeline_join(ir_pipeline_t *pipeline);

/* After join. Takes NULL. */
void ir_pipeline_close(ir_pipeline_t *pipeline);

/* The batch that collects, with this registry when it is new; NULL: all are under way. */
ir_batch_t *ir_pipeline_collect(ir_pipeline_t *pipeline, ir_registry_t *registry);

/* Whether the batch that collects has what a batch may have. */
bool ir_pipeline_full(const ir_pipeline_t *pipeline);

/* Whether something can be collected. */
bool ir_pipeline_room(const ir_pipeline_t *pipeline);

/* Group commit: sends the collecting batch on when the first stage has nothing to do, or when it is
 * full. */
void ir_pipeline_dispatch(ir_pipeline_t *pipeline);

/* The next batch that came back from the last stage, or NULL; and its return for the next use. */
ir_batch_t *ir_pipeline_done(ir_pipeline_t *pipeline);
void ir_pipeline_recycle(ir_pipeline_t *pipeline, ir_batch_t *batch, ir_registry_t *registry);

/* Batches that are not collecting, from dispatch to recycle, and the messages of all. */
size_t ir_pipeline_batches(const ir_pipeline_t *pipeline);
uint64_t ir_pipeline_messages(const ir_pipeline_t *pipeline);

/* Messages of the batch that collects. */
uint32_t ir_pipeline_collected(const ir_pipeline_t *pipeline);

/* There is another registry: what is empty lets go of the old one, and the stages when they are
 * idle. */
void ir_pipeline_follow_registry(ir_pipeline_t *pipeline, ir_registry_t *registry);

/* All stages' servers were there at least once. */
bool ir_pipeline_started(const ir_pipeline_t *pipeline);

ir_stage_t *ir_pipeline_stage(const ir_pipeline_t *pipeline, ir_worker_stage_t stage);

#endif
