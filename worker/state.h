/* The worker's state, shared by its files: worker.c (start, loop and end), intake.c (the
 * transport's events, and batches on their way in), finish.c (batches that come back) and health.c
 * (what the endpoint shows). Loop thread only. */
#ifndef IR_WORKER_STATE_H
#define IR_WORKER_STATE_H

#include "broker/transport.h"
#include "common/reload.h"
#include "http/endpoint.h"
#include "observation/analysis.h"
#include "worker/meters.h"
#include "worker/options.h"
#include "worker/pipeline.h"
#include "worker/policy_watch.h"

struct event;
struct event_base;

/* The phase of the worker. */
typedef enum ir_worker_phase {
    IR_PHASE_STARTING, /* waiting for the stores; not consuming yet */
    IR_PHASE_RUNNING,
    IR_PHASE_STOPPING, /* accepts no further messages and finishes those in progress */
    IR_PHASE_STOPPED   /* the loop is ending */
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
    const ir_transport_t *transport;
    const void *transport_options;
    void *stream; /* the transport's stream; NULL until the stores are ready */
    bool paused;

    ir_pipeline_t *main_pipeline, *aside_pipeline; /* pipeline.h */
    ir_denied_t *denied;
    ir_doubts_t *doubts;

    /* Batches of the main pipeline that are done except for messages that are set aside. These are
     * passed to the second pipeline when it has room: the oldest batch first, starting with message
     * `next_aside`. */
    ir_batch_t **parked;
    size_t n_parked;
    uint32_t next_aside;
    uint32_t held[IR_PARTITIONS_MAX]; /* number of set-aside messages per partition */
    int64_t told_ns; /* limit for log lines about motes in doubt: the current second, and the number
                      * of lines in it */
    unsigned told;

    ir_worker_phase_t phase;
    bool welcome;  /* the broker accepted the login once, so a later refusal may be temporary */
    bool complete; /* the worker was ready once, so start-timeout no longer applies */
    int64_t started_ns, stopping_ns;
    bool abandoned;
    char broker_fault[sizeof(((ir_error_t *)0)->text)];
    int64_t fault_logged_ns, unstamped_logged_ns;
    ir_status_t status;
    ir_error_t error;
} ir_worker_t;

/* Ends the loop with a failure. */
void ir_worker_fail(ir_worker_t *worker, ir_status_t status, const char *text);

/* intake.c: starts consuming. */
ir_status_t ir_intake_start(ir_worker_t *worker, ir_error_t *error);

/* Passes collecting batches on when they are due, and pauses or resumes the transport. */
void ir_intake_dispatch(ir_worker_t *worker);

/* finish.c: acknowledges batches that came back from the last stages, and passes on messages that
 * are set aside. */
ir_status_t ir_finish_open(ir_worker_t *worker, ir_error_t *error);
void ir_finish_close(ir_worker_t *worker);
void ir_finish_batches(ir_worker_t *worker);

/* The number of messages that are not acknowledged yet. */
uint64_t ir_finish_messages(const ir_worker_t *worker);

/* health.c: callbacks of the endpoint; `context` is the worker. */
bool ir_health_ready(void *context, ir_buffer_t *reasons);
void ir_health_refresh(void *context);

#endif
