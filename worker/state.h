/* The worker's state, shared by the files that make up the worker: worker.c (its life), intake.c
 * (batches and the broker's events) and health.c (what the endpoint shows). Loop thread only. */
#ifndef IR_WORKER_STATE_H
#define IR_WORKER_STATE_H

#include "broker/consumer.h"
#include "http/endpoint.h"
#include "common/reload.h"
#include "common/ring.h"
#include "worker/documents_stage.h"
#include "worker/meters.h"
#include "worker/options.h"
#include "worker/policy_watch.h"
#include "worker/republish.h"
#include "worker/stage.h"

struct event;
struct event_base;

/* Where the worker is in its life. */
typedef enum ir_worker_phase {
    IR_PHASE_STARTING, /* waits for the stores; nothing is consumed yet */
    IR_PHASE_RUNNING,
    IR_PHASE_STOPPING, /* takes no more; what is under way is finished */
    IR_PHASE_STOPPED   /* the loop is leaving */
} ir_worker_phase_t;

typedef struct ir_worker {
    const ir_worker_options_t *options;
    ir_analysis_t analysis;
    const ir_format_t *formats[IR_FORMATS_MAX];
    size_t n_formats;
    ir_meters_t meters;
    ir_registry_t *registry;
    ir_reload_t *reload;

    struct event_base *base;
    struct event *on_wake, *on_upkeep, *on_hup, *on_term, *on_int;
    int wake_fd;
    ir_endpoint_t *endpoint;
    ir_policy_watch_t *policies;
    ir_consumer_t *consumer;
    bool paused;

    ir_documents_stage_t *documents;
    ir_graph_t *graph;
    ir_republish_t *republish;
    ir_stage_t *stages[IR_STAGE_COUNT];

    ir_batch_t **batches; /* all there are */
    size_t n_batches;
    ir_batch_t **spare; /* stack of empty ones */
    size_t n_spare;
    ir_batch_t *open; /* the one that collects, or NULL */
    ir_ring_t *done;
    uint64_t next_sequence;

    ir_worker_phase_t phase;
    bool complete; /* was ready once: start-timeout has no more meaning */
    int64_t started_ns, stopping_ns;
    bool abandoned;
    char broker_fault[sizeof(((ir_error_t *)0)->text)];
    int64_t fault_logged_ns, unstamped_logged_ns;
    ir_status_t status;
    ir_error_t error;
} ir_worker_t;

/* Leaves the loop with a failure. */
void ir_worker_fail(ir_worker_t *worker, ir_status_t status, const char *text);

/* intake.c: makes the batches and the ring that brings them back. */
ir_status_t ir_intake_open(ir_worker_t *worker, ir_error_t *error);
void ir_intake_close(ir_worker_t *worker);

/* Begins to consume. */
ir_status_t ir_intake_start(ir_worker_t *worker, ir_error_t *error);

/* Acknowledges what came back from the last stage. */
void ir_intake_finish(ir_worker_t *worker);

/* Batches that are empty let go of an old registry. */
void ir_intake_follow_registry(ir_worker_t *worker);

/* Sends the collecting batch on when its time has come, and pauses or resumes the consumer. */
void ir_intake_dispatch(ir_worker_t *worker);

/* Batches in the stages, and messages that are not acknowledged yet. */
size_t ir_intake_batches(const ir_worker_t *worker);
uint64_t ir_intake_messages(const ir_worker_t *worker);

/* health.c: callbacks of the endpoint; `context` is the worker. */
bool ir_health_ready(void *context, ir_buffer_t *reasons);
void ir_health_refresh(void *context);

#endif
