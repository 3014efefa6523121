#include "worker/pipeline.h"

#include "common/clock.h"
#include "store/graph/graph.h"
#include "worker/documents_stage.h"
#include "worker/republish.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct ir_pipeline {
    ir_pipeline_options_t options;
    ir_documents_stage_t *documents;
    ir_graph_t *graph;
    ir_republish_t *republish;
    ir_stage_t *stages[IR_STAGE_COUNT];
    atomic_bool given_up;
    ir_batch_t **batches; /* all batches */
    size_t n_batches;
    ir_batch_t **spare; /* stack of the empty batches */
    size_t n_spare;
    ir_batch_t *open; /* the batch that collects messages, or NULL */
    ir_ring_t *done;
    uint64_t next_sequence;
};

/* ---- life ---- */

static ir_status_t open_batches(ir_pipeline_t *pipeline, ir_registry_t *registry,
                                ir_error_t *error) {
    pipeline->n_batches = pipeline->options.in_flight + 1;
    pipeline->batches = calloc(pipeline->n_batches, sizeof *pipeline->batches);
    pipeline->spare = calloc(pipeline->n_batches, sizeof *pipeline->spare);
    pipeline->done = ir_ring_new(pipeline->n_batches, false);
    bool good = pipeline->batches != NULL && pipeline->spare != NULL && pipeline->done != NULL;
    for (size_t i = 0; good && i < pipeline->n_batches; i++) {
        ir_batch_t *batch = ir_batch_new(registry);
        good = batch != NULL;
        if (good) {
            batch->sets_aside = pipeline->options.doubts != NULL;
            batch->given_up = &pipeline->given_up;
            pipeline->batches[i] = pipeline->spare[pipeline->n_spare++] = batch;
        }
    }
    return good ? IR_OK : ir_error_set(error, IR_ERR_MEMORY, "batches: out of memory");
}

/* Each pipeline has its own name for its N-Quads segments. */
static ir_status_t open_graph(ir_pipeline_t *pipeline, const ir_graph_options_t *main,
                              ir_error_t *error) {
    char writer[300];
    ir_graph_options_t options = *main;
    if (pipeline->options.doubts == NULL) {
        snprintf(writer, sizeof writer, "%s-aside", main->writer);
        options.writer = writer;
    }
    return ir_graph_open(&options, &pipeline->graph, error);
}

static ir_status_t open_clients(ir_pipeline_t *pipeline, ir_error_t *error) {
    const ir_pipeline_options_t *options = &pipeline->options;
    ir_graph_options_t graph;
    ir_broker_options_t broker;
    ir_worker_graph_options(options->worker, &graph);
    ir_worker_broker_options(options->worker, &broker);
    ir_status_t status =
        ir_documents_stage_open(options->worker, options->analysis, &pipeline->documents, error);
    if (status == IR_OK) {
        status = open_graph(pipeline, &graph, error);
    }
    if (status == IR_OK) {
        pipeline->republish = ir_republish_new(
            &broker, options->formats, options->n_formats, &graph.format,
            ir_documents_stage_keeps(pipeline->documents), options->denied, options->meters);
        if (pipeline->republish == NULL) {
            status = ir_error_set(error, IR_ERR_MEMORY, "republish: out of memory");
        }
    }
    return status;
}

ir_status_t ir_pipeline_open(const ir_pipeline_options_t *options, ir_registry_t *registry,
                             ir_pipeline_t **pipeline, ir_error_t *error) {
    ir_pipeline_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "batches: out of memory");
    }
    made->options = *options;
    ir_status_t status = open_batches(made, registry, error);
    if (status == IR_OK) {
        status = open_clients(made, error);
    }
    if (status != IR_OK) {
        ir_pipeline_close(made);
        return status;
    }
    *pipeline = made;
    return IR_OK;
}

void ir_pipeline_close(ir_pipeline_t *pipeline) {
    if (pipeline == NULL) {
        return;
    }
    ir_republish_free(pipeline->republish);
    ir_graph_close(pipeline->graph);
    ir_documents_stage_close(pipeline->documents);
    for (size_t i = 0; i < pipeline->n_batches && pipeline->batches != NULL; i++) {
        ir_batch_free(pipeline->batches[i]);
    }
    ir_ring_free(pipeline->done);
    free(pipeline->spare);
    free(pipeline->batches);
    free(pipeline);
}

/* ---- the stages ---- */

static ir_status_t graph_ready(void *context, ir_error_t *error) {
    return ir_graph_probe(context, error);
}

static ir_status_t graph_present(void *context, ir_error_t *error) {
    return ir_graph_present(context, error);
}

static ir_outcome_t graph_run(void *context, ir_batch_t *batch, ir_error_t *error) {
    return ir_graph_put(context, batch, error);
}

/* Only the main pipeline checks, while idle, whether the servers are available. */
static ir_status_t start_stage(ir_pipeline_t *pipeline, int number, const ir_stage_work_t *given,
                               ir_error_t *error) {
    const ir_pipeline_options_t *pipeline_options = &pipeline->options;
    const bool main = pipeline_options->doubts != NULL;
    ir_stage_work_t work = *given;
    if (!main) {
        work.ready = work.present = NULL;
    }
    const ir_stage_options_t options = {
        .backoff_first_ns = pipeline_options->worker->backoff_first_ns,
        .backoff_longest_ns = pipeline_options->worker->backoff_longest_ns,
        .capacity = pipeline->n_batches,
        .next = number + 1 < IR_STAGE_COUNT ? pipeline->stages[number + 1] : NULL,
        .done = pipeline->done,
        .wake_fd = pipeline_options->wake_fd,
        .doubts = pipeline_options->doubts,
        .retries = pipeline_options->meters->retries[number],
        .seconds = main ? pipeline_options->meters->stage_seconds[number] : NULL,
    };
    return ir_stage_start(&work, &options, &pipeline->stages[number], error);
}

ir_status_t ir_pipeline_start(ir_pipeline_t *pipeline, ir_error_t *error) {
    const bool main = pipeline->options.doubts != NULL;
    const ir_stage_work_t works[IR_STAGE_COUNT] = {
        {.name = main ? "documents" : "documents (set aside)",
         .ready = ir_documents_stage_ready,
         .run = ir_documents_stage_run,
         .idle = ir_documents_stage_idle,
         .present = ir_documents_stage_present,
         .context = pipeline->documents},
        {.name = main ? "graph" : "graph (set aside)",
         .ready = graph_ready,
         .run = graph_run,
         .present = graph_present,
         .context = pipeline->graph},
        {.name = main ? "republish" : "republish (set aside)",
         .run = ir_republish_run,
         .idle = ir_republish_idle,
         .context = pipeline->republish},
    };
    ir_status_t status = IR_OK;
    for (int i = IR_STAGE_COUNT - 1; i >= 0 && status == IR_OK; i--) {
        status = start_stage(pipeline, i, &works[i], error);
    }
    return status;
}

void ir_pipeline_abandon(ir_pipeline_t *pipeline) {
    atomic_store(&pipeline->given_up, true);
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        if (pipeline->stages[i] != NULL) {
            ir_stage_abandon(pipeline->stages[i]);
        }
    }
}

void ir_pipeline_join(ir_pipeline_t *pipeline) {
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        ir_stage_join(pipeline->stages[i]);
        pipeline->stages[i] = NULL;
    }
}

bool ir_pipeline_started(const ir_pipeline_t *pipeline) {
    for (int i = 0; i < IR_STAGE_COUNT; i++) {
        if (!ir_stage_started(pipeline->stages[i])) {
            return false;
        }
    }
    return true;
}

bool ir_pipeline_refused(const ir_pipeline_t *pipeline, ir_error_t *why) {
    bool refused = false;
    for (int i = 0; i < IR_STAGE_COUNT && !refused; i++) {
        refused = ir_stage_refused(pipeline->stages[i], why);
    }
    return refused;
}

ir_stage_t *ir_pipeline_stage(const ir_pipeline_t *pipeline, ir_worker_stage_t stage) {
    return pipeline->stages[stage];
}

/* ---- batches ---- */

ir_batch_t *ir_pipeline_collect(ir_pipeline_t *pipeline, ir_registry_t *registry) {
    if (pipeline->open == NULL && pipeline->n_spare > 0) {
        pipeline->open = pipeline->spare[--pipeline->n_spare];
        ir_batch_reset(pipeline->open, registry);
        pipeline->open->opened_ns = ir_clock_monotonic();
    }
    return pipeline->open;
}

bool ir_pipeline_full(const ir_pipeline_t *pipeline) {
    const ir_batch_t *batch = pipeline->open;
    const ir_worker_options_t *options = pipeline->options.worker;
    const size_t bytes = batch != NULL ? batch->body_bytes + batch->text_bytes : 0;
    return batch != NULL && (batch->n_observations >= (uint64_t)options->batch_observations ||
                             batch->n_messages >= (uint64_t)options->batch_observations ||
                             bytes >= (size_t)options->batch_bytes);
}

bool ir_pipeline_room(const ir_pipeline_t *pipeline) {
    return pipeline->open == NULL ? pipeline->n_spare > 0 : !ir_pipeline_full(pipeline);
}

void ir_pipeline_dispatch(ir_pipeline_t *pipeline) {
    ir_batch_t *batch = pipeline->open;
    ir_stage_t *first = pipeline->stages[IR_STAGE_DOCUMENTS];
    if (batch != NULL && batch->n_messages > 0 &&
        ir_pipeline_batches(pipeline) < pipeline->options.in_flight &&
        (ir_pipeline_full(pipeline) || ir_stage_idle(first))) {
        pipeline->open = NULL;
        batch->sequence = pipeline->next_sequence++;
        ir_stage_give(first, batch);
    }
}

ir_batch_t *ir_pipeline_done(ir_pipeline_t *pipeline) {
    return ir_ring_pop(pipeline->done);
}

/* Releases the old registry of an empty batch, which would otherwise keep it until the batch is
 * used again. */
static void let_go(ir_batch_t *batch, ir_registry_t *registry) {
    if (batch->registry != registry) {
        ir_batch_reset(batch, registry);
    }
}

void ir_pipeline_recycle(ir_pipeline_t *pipeline, ir_batch_t *batch, ir_registry_t *registry) {
    let_go(batch, registry);
    batch->oldest_ns = 0;
    pipeline->spare[pipeline->n_spare++] = batch;
}

size_t ir_pipeline_batches(const ir_pipeline_t *pipeline) {
    return pipeline->n_batches - pipeline->n_spare - (pipeline->open != NULL);
}

static int64_t earlier(int64_t a_ns, int64_t b_ns) {
    return a_ns == 0 || (b_ns != 0 && b_ns < a_ns) ? b_ns : a_ns;
}

void ir_pipeline_note_arrival(ir_pipeline_t *pipeline, int64_t arrival_ns) {
    pipeline->open->oldest_ns = earlier(pipeline->open->oldest_ns, arrival_ns);
}

int64_t ir_pipeline_oldest(const ir_pipeline_t *pipeline) {
    int64_t oldest_ns = 0;
    for (size_t i = 0; i < pipeline->n_batches; i++) {
        oldest_ns = earlier(oldest_ns, pipeline->batches[i]->oldest_ns);
    }
    return oldest_ns;
}

uint32_t ir_pipeline_collected(const ir_pipeline_t *pipeline) {
    return pipeline->open != NULL ? pipeline->open->n_messages : 0;
}

/* This may read batches that a stage owns, because their n_messages no longer changes. */
uint64_t ir_pipeline_messages(const ir_pipeline_t *pipeline) {
    uint64_t count = 0;
    for (size_t i = 0; i < pipeline->n_batches; i++) {
        count += pipeline->batches[i]->n_messages;
    }
    for (size_t i = 0; i < pipeline->n_spare; i++) {
        count -= pipeline->spare[i]->n_messages;
    }
    return count;
}

void ir_pipeline_follow_registry(ir_pipeline_t *pipeline, ir_registry_t *registry) {
    for (size_t i = 0; i < pipeline->n_spare; i++) {
        let_go(pipeline->spare[i], registry);
    }
    if (pipeline->open != NULL && pipeline->open->n_messages == 0) {
        let_go(pipeline->open, registry);
    }
    ir_documents_stage_outdate(pipeline->documents);
}
