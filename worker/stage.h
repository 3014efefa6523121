/* A stage of the pipeline: one thread that takes whole batches from a ring, does one blocking task
 * with each until it is done, and passes it on. An unavailable server is a normal event: the stage
 * keeps the batch and retries with back-off, and no other batch passes meanwhile. */
#ifndef IR_WORKER_STAGE_H
#define IR_WORKER_STAGE_H

#include "common/buffer.h"
#include "common/metrics.h"
#include "common/ring.h"
#include "common/status.h"
#include "observation/batch.h"
#include "worker/doubts.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ir_stage ir_stage_t;

typedef struct ir_stage_work {
    const char *name; /* "documents" */
    /* Whether the server is available; called with back-off before the first batch, until it is or
     * refuses the credentials (IR_ERR_AUTH). NULL: nothing to check. */
    ir_status_t (*ready)(void *context, ir_error_t *error);
    /* OK passes the batch on; RETRY backs off and calls again. Never REFUSED: refusals are recorded
     * in the batch. */
    ir_outcome_t (*run)(void *context, ir_batch_t *batch, ir_error_t *error);
    /* Called about every second while no batch arrives. May be NULL. */
    void (*idle)(void *context);
    /* Called at the same times to check that stored data is still in place. A failure counts like a
     * failure of `run`. NULL: nothing to check. */
    ir_status_t (*present)(void *context, ir_error_t *error);
    void *context; /* used only by the stage's thread, from its start until it is joined */
} ir_stage_work_t;

typedef struct ir_stage_options {
    int64_t backoff_first_ns, backoff_longest_ns;
    size_t capacity;     /* the number of batches */
    ir_stage_t *next;    /* the stage that receives finished batches; NULL: they go to `done` */
    ir_ring_t *done;     /* must have room for every batch */
    int wake_fd;         /* an eventfd, written whenever the stage changes state */
    ir_doubts_t *doubts; /* the motes in doubt, whose messages are set aside; NULL: no message is
                          * set aside */
    ir_metric_t *retries;
    ir_metric_histogram_t *seconds;
} ir_stage_options_t;

ir_status_t ir_stage_start(const ir_stage_work_t *work, const ir_stage_options_t *options,
                           ir_stage_t **stage, ir_error_t *error);

/* Passes a batch to the stage, which owns it until it passes the batch on. Only one thread may pass
 * batches to a stage. */
void ir_stage_give(ir_stage_t *stage, ir_batch_t *batch);

/* Whether the server has been available at least once. Any thread. */
bool ir_stage_started(const ir_stage_t *stage);

/* Whether the server refused the credentials before it was ever available; `why` then says so. The
 * stage tries no more. Any thread. */
bool ir_stage_refused(ir_stage_t *stage, ir_error_t *why);

/* True when the stage works or waits for work. In back-off, appends "NAME: text\n" and returns
 * false. Any thread. */
bool ir_stage_ready(ir_stage_t *stage, ir_buffer_t *reasons);

/* Whether the stage has no batch, neither in progress nor waiting. Any thread; exact only for the
 * thread that passes batches to the stage. */
bool ir_stage_idle(const ir_stage_t *stage);

/* Gives up the current batch at its next failure, and passes all batches on undone. Any thread. */
void ir_stage_abandon(ir_stage_t *stage);

/* Lets the stage finish its batches, waits for the thread, and frees the stage. Join an earlier
 * stage before the next one. NULL is allowed. Returns true when every batch was done, false when
 * some were abandoned. */
bool ir_stage_join(ir_stage_t *stage);

#endif
