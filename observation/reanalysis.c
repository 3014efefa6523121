#include "observation/reanalysis.h"

static ir_status_t add_again(ir_batch_t *batch, const ir_analysis_t *analysis,
                             const ir_message_t *message, ir_senml_clock_t clock,
                             bool redelivered) {
    const ir_batch_input_t input = {
        .routing_key = message->routing_key,
        .content_type = message->content_type,
        .body = message->body,
        .name = message->name,
        .arrival_ns = message->stamped ? clock.arrival_ns : 0,
        .sent_ns = clock.sent_ns,
        .now_ns = clock.arrival_ns,
        .redelivered = redelivered,
        .partition = message->partition,
        .session = message->session,
        .delivery_tag = message->delivery_tag,
    };
    return ir_batch_add(batch, analysis, &input);
}

/* Observations that were refused or are in doubt are not stored. */
static void keep_states(const ir_batch_t *from, const ir_message_t *before, ir_batch_t *batch) {
    const ir_message_t *message = &batch->messages[batch->n_messages - 1];
    for (uint32_t i = 0; i < message->n_observations && i < before->n_observations; i++) {
        const ir_observation_t *known = &from->observations[before->first_observation + i];
        ir_observation_t *observation = &batch->observations[message->first_observation + i];
        if (ir_observation_accepted(known) && ir_id_equal(&known->id, &observation->id)) {
            observation->state = known->state;
            observation->stored = true;
        }
    }
}

ir_status_t ir_batch_add_again(ir_batch_t *batch, const ir_analysis_t *analysis,
                               const ir_batch_t *from, uint32_t message) {
    const ir_message_t *before = &from->messages[message];
    const ir_senml_clock_t clock = {.arrival_ns = before->arrival_ns, .sent_ns = before->sent_ns};
    const ir_status_t status = add_again(batch, analysis, before, clock, true);
    if (status == IR_OK && !before->left_out) {
        keep_states(from, before, batch);
    }
    return status;
}

ir_status_t ir_batch_rebuild(ir_batch_t *batch, ir_batch_t *scratch, const ir_analysis_t *analysis,
                             const ir_senml_clock_t *clocks) {
    ir_batch_reset(scratch, batch->registry);
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        const ir_message_t *message = &batch->messages[i];
        const ir_status_t status =
            add_again(scratch, analysis, message, clocks[i], message->redelivered);
        if (status != IR_OK) {
            return status;
        }
        scratch->messages[i].aside = message->aside;
    }
    /* The number of messages must not change, because the worker's loop counts the messages of
     * batches that a stage has. */
    const ir_batch_t before = *batch;
    batch->arena = scratch->arena;
    batch->messages = scratch->messages;
    batch->messages_capacity = scratch->messages_capacity;
    batch->observations = scratch->observations;
    batch->n_observations = scratch->n_observations;
    batch->observations_capacity = scratch->observations_capacity;
    batch->refusals = scratch->refusals;
    batch->n_refusals = scratch->n_refusals;
    batch->refusals_capacity = scratch->refusals_capacity;
    batch->n_revisions = batch->n_store_refusals = 0;
    batch->contested = false;
    scratch->arena = before.arena;
    scratch->messages = before.messages;
    scratch->messages_capacity = before.messages_capacity;
    scratch->observations = before.observations;
    scratch->observations_capacity = before.observations_capacity;
    scratch->refusals = before.refusals;
    scratch->refusals_capacity = before.refusals_capacity;
    ir_batch_reset(scratch, batch->registry);
    return IR_OK;
}
