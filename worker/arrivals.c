#include "worker/arrivals.h"

#include "observation/reanalysis.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
    const ir_raw_arrival_t *first = a;
    const ir_raw_arrival_t *second = b;
    const int order = ir_id_compare(&first->raw_id, &second->raw_id);
    return order != 0 ? order
                      : (first->message > second->message) - (first->message < second->message);
}

static int compare_id(const void *id, const void *arrival) {
    return ir_id_compare(id, &((const ir_raw_arrival_t *)arrival)->raw_id);
}

static uint32_t count_asking(const ir_batch_t *batch) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        count += batch->messages[i].ask;
    }
    return count;
}

static ir_senml_clock_t clock_of(const ir_message_t *message) {
    return (ir_senml_clock_t){.arrival_ns = message->arrival_ns, .sent_ns = message->sent_ns};
}

/* Collects the messages whose arrival must be asked for, by id; of messages with the same id, only
 * the first. Returns their number. */
static size_t collect(const ir_batch_t *batch, ir_raw_arrival_t *arrivals) {
    size_t count = 0;
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        const ir_message_t *message = &batch->messages[i];
        if (message->ask) {
            arrivals[count++] = (ir_raw_arrival_t){
                .raw_id = message->raw_id, .clock = clock_of(message), .message = i};
        }
    }
    qsort(arrivals, count, sizeof *arrivals, compare);
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || ir_id_compare(&arrivals[i].raw_id, &arrivals[distinct - 1].raw_id) != 0) {
            arrivals[distinct++] = arrivals[i];
        }
    }
    return distinct;
}

static const ir_raw_arrival_t *find(const ir_raw_arrival_t *arrivals, size_t count,
                                    const ir_message_t *message) {
    return bsearch(&message->raw_id, arrivals, count, sizeof *arrivals, compare_id);
}

/* Whether the right times of any message differ from those in the batch. */
static bool differ(const ir_batch_t *batch, const ir_raw_arrival_t *arrivals, size_t count,
                   ir_senml_clock_t *clocks) {
    bool other = false;
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        const ir_message_t *message = &batch->messages[i];
        clocks[i] = message->ask ? find(arrivals, count, message)->clock : clock_of(message);
        other = other || clocks[i].arrival_ns != message->arrival_ns ||
                clocks[i].sent_ns != message->sent_ns;
    }
    return other;
}

static void note_known(ir_batch_t *batch, const ir_raw_arrival_t *arrivals, size_t count) {
    for (uint32_t i = 0; i < batch->n_messages; i++) {
        ir_message_t *message = &batch->messages[i];
        const ir_raw_arrival_t *arrival = message->ask ? find(arrivals, count, message) : NULL;
        message->known = arrival != NULL && (arrival->stored || arrival->message != i);
    }
}

ir_outcome_t ir_arrivals_settle(ir_documents_t *documents, const ir_analysis_t *analysis,
                                ir_batch_t *batch, ir_batch_t *scratch, ir_error_t *error) {
    const uint32_t n_asking = count_asking(batch);
    if (n_asking == 0) {
        return IR_OUTCOME_OK;
    }
    ir_raw_arrival_t *arrivals = malloc(n_asking * sizeof *arrivals);
    ir_senml_clock_t *clocks = malloc(batch->n_messages * sizeof *clocks);
    ir_status_t status = IR_ERR_MEMORY;
    if (arrivals != NULL && clocks != NULL) {
        const size_t count = collect(batch, arrivals);
        if (ir_documents_arrivals(documents, arrivals, count, error) != IR_OUTCOME_OK) {
            status = error->status;
        } else if (differ(batch, arrivals, count, clocks) || batch->contested) {
            status = ir_batch_rebuild(batch, scratch, analysis, clocks);
        } else {
            status = IR_OK;
        }
        if (status == IR_OK) {
            note_known(batch, arrivals, count);
        }
    }
    free(arrivals);
    free(clocks);
    if (status == IR_ERR_MEMORY) {
        ir_error_set(error, status, "documents: out of memory for the arrivals of a batch");
    }
    return status == IR_OK ? IR_OUTCOME_OK : IR_OUTCOME_RETRY;
}
