#include "common/clock.h"
#include "common/legible.h"
#include "common/program.h"
#include "observation/analysis.h"
#include "store/command/compare.h"
#include "store/command/missing.h"
#include "store/command/put.h"
#include "store/command/selection.h"
#include "store/command/tally.h"
#include "store/command/touched.h"
#include "store/command/verdicts.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES (4 * 1024 * 1024)

static volatile sig_atomic_t interrupted;

/* One call of the command. */
typedef struct ir_reprocess {
    const ir_stores_t *stores;
    ir_documents_t *source; /* the store from which raw messages are read: this one, or an earlier
                             * one */
    bool earlier;
    ir_raw_selection_t selection;
    ir_missing_t missing; /* with the option --missing: the messages to process */
    ir_analysis_t analysis;
    ir_registry_t *registry;
    ir_quality_t *quality;
    ir_batch_t *batch;
    ir_tally_t *tally;
    ir_touched_t touched;
    uint64_t foreign; /* raw messages whose id does not follow from what is stored about them */
    int64_t seen;
    ir_error_t *error;
} ir_reprocess_t;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

/* At the first signal the run ends cleanly; at the second one the program ends at once. */
static void catch_signals(void) {
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static ir_status_t no_memory(ir_error_t *error) {
    return ir_error_set(error, IR_ERR_MEMORY, "reprocess: out of memory");
}

/* ---- a batch of raw messages ---- */

static bool count_message(ir_reprocess_t *reprocess, const ir_message_t *message) {
    const ir_batch_t *batch = reprocess->batch;
    uint64_t accepted = 0;
    uint64_t new = 0;
    for (uint32_t i = 0; i < message->n_observations; i++) {
        const ir_observation_t *o = &batch->observations[message->first_observation + i];
        accepted += ir_observation_accepted(o);
        new += o->state == IR_OBSERVATION_NEW;
    }
    const bool refused = message->n_refusals > 0 || accepted < message->n_observations;
    return ir_tally_add(reprocess->tally, message->mote, IR_TALLY_MESSAGES, 1) &&
           ir_tally_add(reprocess->tally, message->mote, IR_TALLY_REFUSED, refused) &&
           ir_tally_add(reprocess->tally, message->mote, IR_TALLY_OBSERVATIONS, accepted) &&
           ir_tally_add(reprocess->tally, message->mote, IR_TALLY_NEW, new);
}

static ir_status_t count_batch(ir_reprocess_t *reprocess) {
    const ir_batch_t *batch = reprocess->batch;
    bool good = true;
    for (uint32_t i = 0; i < batch->n_messages && good; i++) {
        good = count_message(reprocess, &batch->messages[i]);
    }
    for (uint32_t i = 0; i < batch->n_observations && good && !reprocess->earlier; i++) {
        good = !ir_observation_accepted(&batch->observations[i]) ||
               ir_touched_add(&reprocess->touched, &batch->observations[i]);
    }
    return good ? IR_OK : no_memory(reprocess->error);
}

/* The verdicts on this store's own messages are checked afterwards, with all stored
 * observations. */
static ir_status_t put_batch(ir_reprocess_t *reprocess) {
    ir_batch_t *batch = reprocess->batch;
    if (batch->n_messages == 0) {
        return IR_OK;
    }
    ir_status_t status =
        ir_quality_check(reprocess->quality, batch, reprocess->error) == IR_OUTCOME_OK
            ? IR_OK
            : reprocess->error->status;
    if (status == IR_OK && !reprocess->earlier) {
        batch->n_revisions = 0;
    }
    if (status == IR_OK) {
        status = ir_put_documents(reprocess->stores->documents, batch, reprocess->error);
    }
    if (status == IR_OK) {
        status = ir_put_graph(reprocess->stores->graph, batch, reprocess->error);
    }
    if (status == IR_OK) {
        status = count_batch(reprocess);
    }
    ir_batch_reset(batch, reprocess->registry);
    return status;
}

static bool is_full(const ir_reprocess_t *reprocess) {
    const ir_batch_t *batch = reprocess->batch;
    const uint64_t most = (uint64_t)reprocess->stores->options->batch_observations;
    return batch->n_observations >= most || batch->n_messages >= most ||
           batch->body_bytes >= BATCH_BYTES;
}

/* An id without a time belongs to a message whose arrival was never stamped, or whose id does not
 * depend on it. */
static bool has_stamp(const ir_id_t *id) {
    static const uint8_t none[6] = {0};
    return memcmp(id->bytes, none, sizeof none) != 0;
}

/* The stored message has its arrival, so this is not queried again. If its id does not follow from
 * what is stored about it, no worker of this project stored it. */
static void keep_known(ir_reprocess_t *reprocess, const ir_raw_document_t *raw) {
    ir_batch_t *batch = reprocess->batch;
    ir_message_t *message = &batch->messages[batch->n_messages - 1];
    message->known = true;
    if (reprocess->earlier || ir_id_compare(&message->raw_id, &raw->id) == 0) {
        return;
    }
    reprocess->foreign++;
    batch->n_observations = message->first_observation;
    batch->n_refusals = message->first_refusal;
    batch->body_bytes -= message->body.size;
    batch->n_messages--;
}

static bool is_wanted(const ir_reprocess_t *reprocess, const ir_id_t *raw_id) {
    return !reprocess->stores->options->missing ||
           ir_id_set_has(&reprocess->missing.messages, raw_id);
}

static ir_status_t visit_raw(void *context, const ir_raw_document_t *raw) {
    ir_reprocess_t *reprocess = context;
    const int64_t limit = reprocess->stores->options->limit;
    if (interrupted || (limit > 0 && reprocess->seen >= limit)) {
        return IR_ERR_STATE; /* interrupted or limit reached: stop */
    }
    if (ir_view_equal(raw->status, ir_view_text("dropped")) || !is_wanted(reprocess, &raw->id)) {
        return IR_OK;
    }
    reprocess->seen++;
    const bool stamped = reprocess->earlier || has_stamp(&raw->id);
    ir_batch_input_t input = {.body = raw->body,
                              .name = raw->name,
                              .arrival_ns = stamped ? raw->clock.arrival_ns : 0,
                              .sent_ns = raw->clock.sent_ns,
                              .now_ns = raw->clock.arrival_ns};
    ir_arena_t *arena = reprocess->batch->arena;
    if (!ir_legible_bytes(arena, raw->key_text, &input.routing_key) ||
        !ir_legible_bytes(arena, raw->type_text, &input.content_type) ||
        ir_batch_add(reprocess->batch, &reprocess->analysis, &input) != IR_OK) {
        return no_memory(reprocess->error);
    }
    keep_known(reprocess, raw);
    return is_full(reprocess) ? put_batch(reprocess) : IR_OK;
}

static ir_status_t walk_raw(ir_reprocess_t *reprocess) {
    ir_status_t status = ir_documents_each_raw(reprocess->source, &reprocess->selection, visit_raw,
                                               reprocess, reprocess->error);
    if (status == IR_OK || status == IR_ERR_STATE) {
        status = put_batch(reprocess);
    }
    return status;
}

/* ---- verdicts ---- */

static ir_status_t revise_all(ir_reprocess_t *reprocess) {
    const ir_stores_t *stores = reprocess->stores;
    ir_verdicts_t *verdicts =
        ir_verdicts_new(reprocess->source, stores->documents, stores->graph, reprocess->registry);
    ir_status_t status = verdicts != NULL ? IR_OK : no_memory(reprocess->error);
    ir_touched_sort(&reprocess->touched);
    for (size_t i = 0; i < reprocess->touched.count && status == IR_OK && !interrupted; i++) {
        const ir_touched_series_t *series = &reprocess->touched.series[i];
        uint64_t written = 0;
        status = ir_verdicts_revise(verdicts, series->sensor, series->from_ns, series->to_ns,
                                    &written, reprocess->error);
        if (!ir_tally_add(reprocess->tally, ir_view_text(series->sensor->mote->id),
                          IR_TALLY_REVISIONS, written)) {
            status = no_memory(reprocess->error);
        }
    }
    ir_verdicts_free(verdicts);
    return status;
}

/* ---- start and end ---- */

/* Opens the second client of the store, or the earlier store. */
static ir_status_t open_source(ir_reprocess_t *reprocess) {
    const ir_store_options_t *options = reprocess->stores->options;
    ir_documents_options_t documents;
    ir_store_settings_documents(&options->stores, options->timeout_ns, &documents);
    documents.earlier = reprocess->earlier;
    if (reprocess->earlier) {
        documents.uri = options->from;
        documents.password = strchr(options->from, '@') != NULL ? documents.password : NULL;
    }
    const ir_status_t status = ir_documents_open(&documents, &reprocess->source, reprocess->error);
    return status == IR_OK ? ir_documents_ready(reprocess->source, reprocess->error) : status;
}

static ir_status_t open_all(ir_reprocess_t *reprocess) {
    const ir_stores_t *stores = reprocess->stores;
    const ir_store_options_t *options = stores->options;
    ir_analysis_settings_analysis(&options->analysis, options->format.base_iri,
                                  &reprocess->analysis);
    if (!ir_documents_keeps(stores->documents)) {
        return ir_error_set(reprocess->error, IR_ERR_USAGE, "documents null: keep no raw messages");
    }
    ir_status_t status = ir_store_selection(options, &reprocess->selection, reprocess->error);
    if (status == IR_OK) {
        status = ir_registry_load(options->registry, &reprocess->registry, &ir_program_teller,
                                  reprocess->error);
    }
    if (status == IR_OK) {
        status = ir_documents_ready(stores->documents, reprocess->error);
    }
    if (status == IR_OK) {
        status = ir_graph_ready(stores->graph, reprocess->error);
    }
    if (status == IR_OK) {
        status = open_source(reprocess);
    }
    if (status != IR_OK) {
        return status;
    }
    reprocess->quality =
        ir_quality_new((size_t)options->series, ir_documents_recent, stores->documents, false);
    reprocess->batch = ir_batch_new(reprocess->registry);
    reprocess->tally = ir_tally_new();
    return reprocess->quality != NULL && reprocess->batch != NULL && reprocess->tally != NULL
               ? IR_OK
               : no_memory(reprocess->error);
}

static void close_all(ir_reprocess_t *reprocess) {
    ir_quality_free(reprocess->quality);
    ir_batch_free(reprocess->batch);
    ir_tally_free(reprocess->tally);
    ir_touched_free(&reprocess->touched);
    ir_documents_close(reprocess->source);
    ir_id_set_free(&reprocess->missing.messages);
    ir_registry_unref(reprocess->registry);
}

static void show(const ir_reprocess_t *reprocess) {
    FILE *out = reprocess->stores->out;
    if (reprocess->foreign > 0) {
        fprintf(stderr,
                "%llu raw messages were skipped: their ids do not match their stored content\n",
                (unsigned long long)reprocess->foreign);
    }
    if (reprocess->stores->options->json) {
        ir_tally_show_json(reprocess->tally, reprocess->earlier, out);
    } else {
        ir_tally_show(reprocess->tally, reprocess->earlier, out);
    }
}

static ir_status_t find_missing(ir_reprocess_t *reprocess) {
    const ir_stores_t *stores = reprocess->stores;
    return stores->options->missing ? ir_missing_find(stores->documents, stores->graph,
                                                      &reprocess->missing, reprocess->error)
                                    : IR_OK;
}

static ir_status_t run(ir_reprocess_t *reprocess) {
    ir_status_t status = find_missing(reprocess);
    if (status == IR_OK) {
        status = walk_raw(reprocess);
    }
    if (status == IR_OK && !interrupted && !reprocess->earlier) {
        status = revise_all(reprocess);
    }
    if (status == IR_OK && !interrupted && reprocess->earlier) {
        status = ir_compare_earlier(reprocess->source, reprocess->stores, reprocess->selection.mote,
                                    reprocess->tally, reprocess->error);
    }
    return status;
}

ir_status_t ir_store_reprocess(const ir_stores_t *stores, ir_error_t *error) {
    ir_reprocess_t reprocess = {.stores = stores,
                                .earlier = ir_setting_text(stores->options->from) != NULL,
                                .error = error};
    catch_signals();
    ir_status_t status = open_all(&reprocess);
    if (status == IR_OK) {
        status = run(&reprocess);
    }
    if (status == IR_OK) {
        show(&reprocess);
    }
    if (status == IR_OK && interrupted) {
        status = ir_error_set(
            error, IR_ERR_STATE,
            "interrupted: the completed part is consistent; run it again for the rest");
    }
    close_all(&reprocess);
    return status;
}
