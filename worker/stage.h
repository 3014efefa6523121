/* A stage of the pipeline: one thread that takes whole batches from a ring, does one blocking thing
 * with each until it is done, and hands it on. A server that is away is an ordinary event: the
 * batch is kept and tried again with back-off; nothing else passes meanwhile. */
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
    /* Whether the server is there: asked with back-off before the first batch; NULL: nothing to
     * ask. */
    ir_status_t (*ready)(void *context, ir_error_t *error);
    /* OK hands the batch on; RETRY backs off and calls again. Never REFUSED: refusals stand in the
     * batch. */
    ir_outcome_t (*run)(void *context, ir_batch_t *batch, ir_error_t *error);
    /* Called about every second when no batch comes; may be NULL. */
    void (*idle)(void *context);
    /* Asked at the same times, whether what was done is still where it was put; a failure is one as
     * of `run`. NULL: nothing to ask. */
    ir_status_t (*present)(void *context, ir_error_t *error);
    void *context; /* used by the stage's thread alone from start to join */
} ir_stage_work_t;

typedef struct ir_stage_options {
    int64_t backoff_first_ns, backoff_longest_ns;
    size_t capacity;     /* as many batches as there are */
    ir_stage_t *next;    /* who gets what is done; NULL: `done` gets it */
    ir_ring_t *done;     /* has room for every batch there is */
    int wake_fd;         /* an eventfd that is written whenever the stage's state changes */
    ir_doubts_t *doubts; /* what is in doubt is set aside; NULL: nothing is */
    ir_metric_t *retries;
    ir_metric_histogram_t *seconds;
} ir_stage_options_t;

ir_status_t ir_stage_start(const ir_stage_work_t *work, const ir_stage_options_t *options,
                           ir_stage_t **stage, ir_error_t *error);

/* Hands a batch over. One thread gives to one stage. */
void ir_stage_give(ir_stage_t *stage, ir_batch_t *batch);

/* The server was there at least once. Any thread. */
bool ir_stage_started(const ir_stage_t *stage);

/* Working, or waiting for work: not in back-off. When it is, appends "NAME: text\n". Any thread. */
bool ir_stage_ready(ir_stage_t *stage, ir_buffer_t *reasons);

/* No batch in hand and none waiting. Any thread; exact for the one that gives. */
bool ir_stage_idle(const ir_stage_t *stage);

/* Lets go of the batch in hand at the next failure and passes everything on undone. Any thread. */
void ir_stage_abandon(ir_stage_t *stage);

/* Lets it finish what it was given, waits for the thread, frees. Join the giver first. Takes NULL.
 * True when every batch was done, false when some were abandoned. */
bool ir_stage_join(ir_stage_t *stage);

#endif
