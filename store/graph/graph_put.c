#include "store/graph/graph_state.h"

#include "common/rendezvous.h"

#include <stdlib.h>

static size_t place(const ir_graph_t *graph, const char *mote) {
    size_t best = 0;
    uint64_t best_weight = 0;
    const ir_view_t key = ir_view_text(mote);
    for (size_t i = 0; graph->n_servers > 1 && i < graph->n_servers; i++) {
        const uint64_t weight = ir_rendezvous_weight(graph->servers[i].node, key);
        if (i == 0 || weight > best_weight) {
            best = i;
            best_weight = weight;
        }
    }
    return best;
}

static ir_graph_pick_t pick_observation(const ir_batch_t *batch, uint32_t index) {
    const ir_observation_t *observation = &batch->observations[index];
    const ir_message_t *message = &batch->messages[observation->message];
    return (ir_graph_pick_t){.observation = observation,
                             .raw_id = &message->raw_id,
                             .known = observation->state == IR_OBSERVATION_DUPLICATE ||
                                      observation->stored || message->duplicate};
}

/* A revision is as old as the message that decided it: it counts as known if that message was
 * known. A revision found by reprocessing may have been found before. One without a message was
 * read from the documents. */
static ir_graph_pick_t pick_revision(const ir_batch_t *batch, uint32_t index) {
    const ir_revision_t *revision = &batch->revisions[index];
    const ir_message_t *message = revision->supersedes || batch->n_messages == 0
                                      ? NULL
                                      : &batch->messages[revision->observation.message];
    return (ir_graph_pick_t){.observation = &revision->observation,
                             .raw_id = &revision->raw_id,
                             .revision = revision,
                             .known =
                                 message == NULL || message->duplicate || message->redelivered};
}

typedef void (*each_pick_fn)(ir_graph_t *graph, ir_graph_pick_t pick);

static void each_pick(ir_graph_t *graph, const ir_batch_t *batch, each_pick_fn each) {
    for (uint32_t i = 0; i < batch->n_observations; i++) {
        const ir_observation_t *observation = &batch->observations[i];
        if (ir_observation_accepted(observation) &&
            !ir_batch_is_aside(batch, observation->message)) {
            each(graph, pick_observation(batch, i));
        }
    }
    for (uint32_t i = 0; i < batch->n_revisions; i++) {
        if (!ir_batch_is_aside(batch, batch->revisions[i].observation.message)) {
            each(graph, pick_revision(batch, i));
        }
    }
}

static void count_pick(ir_graph_t *graph, ir_graph_pick_t pick) {
    graph->servers[place(graph, pick.observation->sensor->mote->id)].count++;
}

static void take_pick(ir_graph_t *graph, ir_graph_pick_t pick) {
    ir_graph_server_t *server = &graph->servers[place(graph, pick.observation->sensor->mote->id)];
    graph->picks[server->begin + server->count++] = pick;
}

/* Sorts the picks by server, keeping their order. */
static bool distribute(ir_graph_t *graph, const ir_batch_t *batch) {
    const size_t most = (size_t)batch->n_observations + batch->n_revisions;
    if (most > graph->picks_capacity) {
        ir_graph_pick_t *grown = realloc(graph->picks, most * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        graph->picks = grown;
        graph->picks_capacity = most;
    }
    for (size_t i = 0; i < graph->n_servers; i++) {
        graph->servers[i].begin = graph->servers[i].count = 0;
    }
    if (graph->n_servers > 1) {
        each_pick(graph, batch, count_pick);
    }
    size_t begin = 0;
    for (size_t i = 0; i < graph->n_servers; i++) {
        graph->servers[i].begin = begin;
        begin += graph->servers[i].count;
        graph->servers[i].count = 0;
    }
    each_pick(graph, batch, take_pick);
    return true;
}

/* The part of a batch that goes to one server. */
typedef struct putting {
    ir_graph_t *graph;
    const ir_graph_server_t *server;
    ir_batch_t *batch;
} putting_t;

static const ir_graph_pick_t *pick_of(const putting_t *putting, uint32_t item) {
    return &putting->graph->picks[putting->server->begin + item];
}

/* Makes the picks adjacent. */
static const ir_graph_pick_t *gather(const putting_t *putting, const uint32_t *items,
                                     size_t count) {
    ir_graph_t *graph = putting->graph;
    if (items[count - 1] - items[0] == count - 1) {
        return pick_of(putting, items[0]);
    }
    ir_graph_pick_t *grown = realloc(graph->gathered, count * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    graph->gathered = grown;
    for (size_t i = 0; i < count; i++) {
        grown[i] = *pick_of(putting, items[i]);
    }
    return grown;
}

static ir_outcome_t put_items(void *context, const uint32_t *items, size_t count,
                              ir_suspects_t *suspects, ir_answer_t *answer) {
    (void)suspects; /* a triplestore accepts either all of a request or nothing */
    const putting_t *putting = context;
    const ir_graph_pick_t *picks = gather(putting, items, count);
    if (picks == NULL) {
        ir_error_set(&answer->why, IR_ERR_MEMORY, "graph: out of memory");
        return IR_OUTCOME_RETRY;
    }
    return putting->server->backend->put(putting->server->store, picks, count, answer);
}

static ir_outcome_t put_control(void *context, ir_error_t *error) {
    const putting_t *putting = context;
    return putting->server->backend->control(putting->server->store, error) == IR_OK
               ? IR_OUTCOME_OK
               : IR_OUTCOME_RETRY;
}

/* The refused item is a revision. It is only recorded, because the observation that it revises is
 * not in this batch. */
static bool refuse_item(void *context, uint32_t item, const ir_answer_t *answer) {
    const putting_t *putting = context;
    const ir_graph_pick_t *pick = pick_of(putting, item);
    const uint32_t observation = pick->revision != NULL
                                     ? UINT32_MAX
                                     : (uint32_t)(pick->observation - putting->batch->observations);
    return ir_batch_refuse(putting->batch, pick->observation->message, observation,
                           IR_REASON_GRAPH_REFUSED, answer->why.text);
}

static bool set_item_aside(void *context, uint32_t item, const ir_answer_t *answer) {
    const putting_t *putting = context;
    return ir_batch_set_aside(putting->batch, pick_of(putting, item)->observation->message,
                              UINT32_MAX, answer->why.text);
}

ir_outcome_t ir_graph_put(ir_graph_t *graph, ir_batch_t *batch, ir_error_t *error) {
    const uint32_t n_before = batch->n_store_refusals;
    if (!distribute(graph, batch)) {
        ir_error_set(error, IR_ERR_MEMORY, "graph: out of memory");
        return IR_OUTCOME_RETRY;
    }
    ir_outcome_t outcome = IR_OUTCOME_OK;
    for (size_t i = 0; i < graph->n_servers && outcome == IR_OUTCOME_OK; i++) {
        putting_t putting = {graph, &graph->servers[i], batch};
        const ir_proof_work_t work = {.put = put_items,
                                      .control = put_control,
                                      .refuse = refuse_item,
                                      .set_aside = batch->sets_aside ? set_item_aside : NULL,
                                      .context = &putting,
                                      .given_up = batch->given_up};
        outcome = ir_proof_run(&work, (uint32_t)graph->servers[i].count, error);
    }
    if (outcome != IR_OUTCOME_OK) {
        ir_batch_undo_refusals(batch, n_before);
    }
    return outcome;
}
