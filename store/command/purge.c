/* ir-store purge: removes the data that motes sent, or data older than a given time, from both
 * stores. It removes the graph's statements first, then revisions, observations, and last the raw
 * messages, which determine the rest. So the next purge completes an interrupted one. With
 * --what=graph, it removes only whole parts of the graph, by the time of their observations. */
#include "common/clock.h"
#include "observation/id_set.h"
#include "store/command/command.h"
#include "store/command/selection.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#define KINDS 3

typedef struct ir_purge {
    const ir_stores_t *stores;
    const char *motes; /* a pattern as a shell has it */
    ir_raw_selection_t selection;
    ir_id_set_t ids[KINDS]; /* by ir_document_kind_t */
    ir_error_t *error;
} ir_purge_t;

static ir_status_t keep(ir_purge_t *purge, ir_document_kind_t kind, const ir_id_t *id) {
    if (!ir_id_set_reserve(&purge->ids[kind], 1)) {
        return ir_error_set(
            purge->error, IR_ERR_MEMORY,
            "out of memory for the ids; purge less at a time with --since and --until");
    }
    ir_id_set_add(&purge->ids[kind], id);
    return IR_OK;
}

/* ---- what is removed ---- */

static ir_status_t see_raw(void *context, const ir_raw_document_t *raw) {
    ir_purge_t *purge = context;
    char mote[IR_NAME_SIZE_MAX + 1];
    if (raw->mote.size >= sizeof mote) {
        return IR_OK;
    }
    memcpy(mote, raw->mote.data, raw->mote.size);
    mote[raw->mote.size] = '\0';
    return purge->motes == NULL || fnmatch(purge->motes, mote, 0) == 0
               ? keep(purge, IR_DOCUMENT_RAW, &raw->id)
               : IR_OK;
}

typedef struct ir_purge_walk {
    ir_purge_t *purge;
    ir_document_kind_t kind;
} ir_purge_walk_t;

static ir_status_t see_of_raw(void *context, const ir_document_key_t *key) {
    const ir_purge_walk_t *walk = context;
    return ir_id_set_has(&walk->purge->ids[IR_DOCUMENT_RAW], &key->raw_id)
               ? keep(walk->purge, walk->kind, &key->id)
               : IR_OK;
}

/* A long run reports its progress on standard error. */
static void progress(const ir_purge_t *purge, const char *what, size_t count) {
    if (!purge->stores->options->json) {
        fprintf(stderr, "%s: %s %zu\n", ir_store_program.name, what, count);
    }
}

static ir_status_t collect(ir_purge_t *purge) {
    ir_documents_t *documents = purge->stores->documents;
    ir_status_t status =
        ir_documents_each_raw(documents, &purge->selection, see_raw, purge, purge->error);
    for (int kind = IR_DOCUMENT_RAW + 1; kind < KINDS && status == IR_OK; kind++) {
        ir_purge_walk_t walk = {purge, (ir_document_kind_t)kind};
        status = ir_documents_each(documents, walk.kind, see_of_raw, &walk, purge->error);
    }
    return status;
}

/* ---- removing ---- */

static ir_status_t remove_all(ir_purge_t *purge) {
    static const char *const names[KINDS] = {"raw messages", "observations", "revisions"};
    static const ir_document_kind_t order[KINDS] = {IR_DOCUMENT_REVISION, IR_DOCUMENT_OBSERVATION,
                                                    IR_DOCUMENT_RAW};
    const ir_stores_t *stores = purge->stores;
    for (int i = 0; i < KINDS; i++) {
        ir_id_set_sort(&purge->ids[i]);
    }
    ir_status_t status = IR_OK;
    for (int i = 0; i < KINDS - 1 && status == IR_OK; i++) {
        const ir_id_set_t *ids = &purge->ids[order[i]];
        progress(purge, i == 0 ? "from the graph: revisions" : "from the graph: observations",
                 ids->used);
        status = ir_graph_purge(stores->graph, ids->slots, ids->used, purge->error);
    }
    for (int i = 0; i < KINDS && status == IR_OK; i++) {
        const ir_id_set_t *ids = &purge->ids[order[i]];
        progress(purge, names[order[i]], ids->used);
        status =
            ir_documents_purge(stores->documents, order[i], ids->slots, ids->used, purge->error);
    }
    return status;
}

/* ---- the command ---- */

/* Converts --older-than to --until. */
static ir_status_t limit_age(const ir_store_options_t *options, ir_raw_selection_t *selection,
                             ir_error_t *error) {
    if (options->older_ns > 0 && selection->until_ns != 0) {
        return ir_error_set(error, IR_ERR_USAGE, "purge takes --older-than or --until, not both");
    }
    if (options->older_ns > 0) {
        selection->until_ns = ir_clock_now() - options->older_ns;
    }
    return IR_OK;
}

static ir_status_t prepare(ir_purge_t *purge) {
    const ir_store_options_t *options = purge->stores->options;
    ir_status_t status = ir_store_selection(options, &purge->selection, purge->error);
    if (status == IR_OK) {
        status = limit_age(options, &purge->selection, purge->error);
    }
    if (status == IR_OK && ((purge->selection.mote == NULL && purge->selection.until_ns == 0) ||
                            purge->selection.reason != NULL)) {
        return ir_error_set(purge->error, IR_ERR_USAGE,
                            "purge needs --mote (a name or a pattern like 'sim-*'), --older-than "
                            "or --until; it also accepts --since, but not --reason");
    }
    if (status == IR_OK && !ir_documents_keeps(purge->stores->documents)) {
        return ir_error_set(purge->error, IR_ERR_USAGE,
                            "with documents null: there is no record of what a mote sent");
    }
    purge->motes = purge->selection.mote;
    purge->selection.mote = NULL;
    if (status == IR_OK) {
        status = ir_documents_ready(purge->stores->documents, purge->error);
    }
    return status == IR_OK ? ir_graph_ready(purge->stores->graph, purge->error) : status;
}

static void tell(const ir_purge_t *purge, const size_t counts[KINDS]) {
    const bool done = purge->stores->options->yes;
    if (purge->stores->options->json) {
        fprintf(purge->stores->out,
                "{\"raw\":%zu,\"observations\":%zu,\"revisions\":%zu,\"dry_run\":%s}\n",
                counts[IR_DOCUMENT_RAW], counts[IR_DOCUMENT_OBSERVATION],
                counts[IR_DOCUMENT_REVISION], done ? "false" : "true");
        return;
    }
    fprintf(purge->stores->out,
            "%s %zu raw messages, %zu observations and %zu revisions of %s%s, from the documents "
            "and the graph%s\n",
            done ? "removed" : "would remove", counts[IR_DOCUMENT_RAW],
            counts[IR_DOCUMENT_OBSERVATION], counts[IR_DOCUMENT_REVISION],
            purge->motes != NULL ? "the motes " : "all motes",
            purge->motes != NULL ? purge->motes : "", done ? "" : "; --yes does it");
}

/* ---- the graph alone ---- */

static void tell_retired(const ir_stores_t *stores, const ir_graph_retirement_t *retired) {
    if (stores->options->json) {
        fprintf(stores->out,
                "{\"parts\":%" PRIu64 ",\"statements\":%" PRIu64 ",\"bytes\":%" PRIu64
                ",\"compressed\":%" PRIu64 ",\"dry_run\":%s}\n",
                retired->parts, retired->statements, retired->bytes, retired->compressed,
                retired->dry_run ? "true" : "false");
    } else if (retired->archive != NULL) {
        fprintf(stores->out, "%s %" PRIu64 " segments of %.1f MB%s",
                retired->dry_run ? "would archive" : "archived", retired->parts,
                (double)retired->bytes / 1e6, retired->dry_run ? "; --yes does it\n" : "");
        fprintf(stores->out, retired->dry_run ? "" : ", %.1f MB in the archive\n",
                (double)retired->compressed / 1e6);
    } else {
        fprintf(stores->out, "%s %" PRIu64 " graphs of days with %" PRIu64 " statements%s\n",
                retired->dry_run ? "would drop" : "dropped", retired->parts, retired->statements,
                retired->dry_run ? "; --yes does it" : "");
    }
}

static ir_status_t retire(const ir_stores_t *stores, ir_error_t *error) {
    const ir_store_options_t *options = stores->options;
    ir_raw_selection_t selection;
    ir_status_t status = ir_store_selection(options, &selection, error);
    if (status == IR_OK) {
        status = limit_age(options, &selection, error);
    }
    if (status == IR_OK && (selection.until_ns == 0 || selection.mote != NULL ||
                            selection.since_ns != 0 || selection.reason != NULL)) {
        return ir_error_set(
            error, IR_ERR_USAGE,
            "purge --what=graph needs --older-than or --until, and accepts no other selection");
    }
    ir_graph_retirement_t retirement = {.before_ns = selection.until_ns,
                                        .archive = ir_setting_text(options->archive),
                                        .dry_run = !options->yes};
    if (status == IR_OK) {
        status = ir_graph_ready(stores->graph, error);
    }
    if (status == IR_OK) {
        status = ir_graph_retire(stores->graph, &retirement, error);
    }
    if (status == IR_OK) {
        tell_retired(stores, &retirement);
    }
    return status;
}

/* ---- documents and graph ---- */

static ir_status_t purge_both(const ir_stores_t *stores, ir_error_t *error) {
    ir_purge_t purge = {.stores = stores, .error = error};
    ir_status_t status = prepare(&purge);
    if (status == IR_OK) {
        status = collect(&purge);
    }
    size_t counts[KINDS];
    for (int i = 0; i < KINDS; i++) {
        counts[i] = purge.ids[i].used;
    }
    if (status == IR_OK && stores->options->yes) {
        status = remove_all(&purge);
    }
    if (status == IR_OK) {
        tell(&purge, counts);
    }
    for (int i = 0; i < KINDS; i++) {
        ir_id_set_free(&purge.ids[i]);
    }
    return status;
}

ir_status_t ir_store_purge(const ir_stores_t *stores, ir_error_t *error) {
    return stores->options->what == IR_WHAT_GRAPH ? retire(stores, error)
                                                  : purge_both(stores, error);
}
