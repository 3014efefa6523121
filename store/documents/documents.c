#include "store/documents/documents.h"

#include "common/settings.h"
#include "store/documents/backend.h"

#include <stdlib.h>

#define MASKED_SIZE 256
#define ARRIVALS_MAX                                                                               \
    50000 /* messages in one query: their ids take much less than the size limit of                \
           * a query */

#define BACKEND(name) &ir_documents_##name,
#define SCHEME(name) &ir_documents_##name.scheme,

static const ir_documents_backend_t *const backends[] = {IR_DOCUMENTS_BACKENDS(BACKEND)};
static const ir_scheme_t *const schemes[] = {IR_DOCUMENTS_BACKENDS(SCHEME)};

#define N_BACKENDS (sizeof backends / sizeof backends[0])

struct ir_documents {
    const ir_documents_backend_t *backend;
    void *store;
};

ir_status_t ir_documents_open(const ir_documents_options_t *options, ir_documents_t **documents,
                              ir_error_t *error) {
    const char *uri = options->uri != NULL ? options->uri : "";
    const size_t found = ir_scheme_find(schemes, N_BACKENDS, uri);
    if (found == N_BACKENDS) {
        char masked[MASKED_SIZE];
        char forms[IR_SCHEME_FORMS_SIZE];
        return ir_error_set(
            error, IR_ERR_USAGE, "documents: '%s' is not a document store; write %s",
            ir_uri_masked(uri, masked, sizeof masked), ir_scheme_forms(schemes, N_BACKENDS, forms));
    }
    ir_documents_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory");
    }
    made->backend = backends[found];
    const ir_status_t status = made->backend->open(options, &made->store, error);
    if (status != IR_OK) {
        free(made);
        return status;
    }
    *documents = made;
    return IR_OK;
}

void ir_documents_close(ir_documents_t *documents) {
    if (documents == NULL) {
        return;
    }
    documents->backend->close(documents->store);
    free(documents);
}

ir_status_t ir_documents_initiate(ir_documents_t *documents, ir_error_t *error) {
    return documents->backend->initiate != NULL
               ? documents->backend->initiate(documents->store, error)
               : IR_OK;
}

ir_status_t ir_documents_grant(ir_documents_t *documents, const ir_documents_user_t *user,
                               ir_error_t *error) {
    return documents->backend->grant != NULL
               ? documents->backend->grant(documents->store, user, error)
               : ir_error_set(error, IR_ERR_USAGE, "new-user: this document store has no users");
}

ir_status_t ir_documents_init(ir_documents_t *documents, ir_error_t *error) {
    return documents->backend->init(documents->store, error);
}

ir_status_t ir_documents_ready(ir_documents_t *documents, ir_error_t *error) {
    return documents->backend->ready(documents->store, error);
}

ir_status_t ir_documents_present(ir_documents_t *documents, ir_error_t *error) {
    return documents->backend->present != NULL
               ? documents->backend->present(documents->store, error)
               : IR_OK;
}

void ir_documents_forget(ir_documents_t *documents) {
    if (documents->backend->forget != NULL) {
        documents->backend->forget(documents->store);
    }
}

ir_status_t ir_documents_probe(ir_documents_t *documents, ir_error_t *error) {
    const ir_status_t status = documents->backend->ready(documents->store, error);
    return status == IR_OK && documents->backend->probe != NULL
               ? documents->backend->probe(documents->store, error)
               : status;
}

ir_outcome_t ir_documents_put(ir_documents_t *documents, ir_batch_t *batch, ir_error_t *error) {
    const uint32_t n_before = batch->n_store_refusals;
    const ir_outcome_t outcome = documents->backend->put(documents->store, batch, error);
    if (outcome != IR_OUTCOME_OK) {
        ir_batch_undo_refusals(batch, n_before);
    }
    return outcome;
}

ir_outcome_t ir_documents_arrivals(ir_documents_t *documents, ir_raw_arrival_t *arrivals,
                                   size_t count, ir_error_t *error) {
    ir_outcome_t outcome = IR_OUTCOME_OK;
    for (size_t i = 0; i < count && outcome == IR_OUTCOME_OK; i += ARRIVALS_MAX) {
        const size_t rest = count - i;
        outcome = documents->backend->arrivals(documents->store, arrivals + i,
                                               rest < ARRIVALS_MAX ? rest : ARRIVALS_MAX, error);
    }
    return outcome;
}

ir_outcome_t ir_documents_recent(void *context, const ir_sensor_t *sensor, int64_t before_ns,
                                 size_t limit, ir_point_t *points, size_t *count,
                                 ir_error_t *error) {
    ir_documents_t *documents = context;
    return documents->backend->recent(documents->store, sensor, before_ns, limit, points, count,
                                      error);
}

ir_status_t ir_documents_count(ir_documents_t *documents, ir_documents_counts_t *counts,
                               ir_error_t *error) {
    return documents->backend->count(documents->store, counts, error);
}

ir_status_t ir_documents_purge(ir_documents_t *documents, ir_document_kind_t kind,
                               const ir_id_t *ids, size_t count, ir_error_t *error) {
    return count == 0 || documents->backend->purge == NULL
               ? IR_OK
               : documents->backend->purge(documents->store, kind, ids, count, error);
}

ir_status_t ir_documents_save(ir_documents_t *documents, const char *folder, ir_error_t *error) {
    return documents->backend->save != NULL
               ? documents->backend->save(documents->store, folder, error)
               : IR_OK;
}

ir_status_t ir_documents_load(ir_documents_t *documents, const char *folder, ir_error_t *error) {
    return documents->backend->load != NULL
               ? documents->backend->load(documents->store, folder, error)
               : IR_OK;
}

ir_status_t ir_documents_each(ir_documents_t *documents, ir_document_kind_t kind,
                              ir_each_document_fn each, void *context, ir_error_t *error) {
    return documents->backend->each(documents->store, kind, each, context, error);
}

/* ---- raw messages and their outcomes ---- */

typedef struct selecting {
    const char *reason;
    ir_each_raw_fn each;
    void *context;
} selecting_t;

static ir_status_t visit_with_reason(void *context, const ir_raw_document_t *raw) {
    const selecting_t *selecting = context;
    for (size_t i = 0; i < raw->n_refusals; i++) {
        if (ir_view_equal(raw->refusals[i].reason, ir_view_text(selecting->reason))) {
            return selecting->each(selecting->context, raw);
        }
    }
    return IR_OK;
}

ir_status_t ir_documents_each_raw(ir_documents_t *documents, const ir_raw_selection_t *selection,
                                  ir_each_raw_fn each, void *context, ir_error_t *error) {
    const ir_documents_backend_t *backend = documents->backend;
    if (selection == NULL || selection->reason == NULL) {
        return backend->each_raw(documents->store, selection, each, context, error);
    }
    selecting_t selecting = {selection->reason, each, context};
    return backend->each_raw(documents->store, selection, visit_with_reason, &selecting, error);
}

ir_status_t ir_documents_each_outcome(ir_documents_t *documents, const ir_id_t *raw_id,
                                      ir_each_outcome_fn each, void *context, ir_error_t *error) {
    return ir_documents_keeps(documents)
               ? documents->backend->each_outcome(documents->store, raw_id, each, context, error)
               : IR_OK;
}

ir_status_t ir_documents_drop(ir_documents_t *documents, const ir_raw_document_t *raw,
                              ir_error_t *error) {
    return ir_documents_keeps(documents) ? documents->backend->drop(documents->store, raw, error)
                                         : IR_OK;
}

/* ---- series ---- */

ir_status_t ir_documents_each_sensor(ir_documents_t *documents, ir_each_sensor_fn each,
                                     void *context, ir_error_t *error) {
    return ir_documents_keeps(documents)
               ? documents->backend->each_sensor(documents->store, each, context, error)
               : IR_OK;
}

ir_status_t ir_documents_each_observation(ir_documents_t *documents, const char *mote,
                                          const char *sensor, int64_t from_ns, int64_t to_ns,
                                          ir_each_observation_fn each, void *context,
                                          ir_error_t *error) {
    return ir_documents_keeps(documents)
               ? documents->backend->each_observation(documents->store, mote, sensor, from_ns,
                                                      to_ns, each, context, error)
               : IR_OK;
}

ir_status_t ir_documents_each_revision(ir_documents_t *documents, const char *sensor,
                                       int64_t from_ns, int64_t to_ns, ir_each_revision_fn each,
                                       void *context, ir_error_t *error) {
    return ir_documents_keeps(documents)
               ? documents->backend->each_revision(documents->store, sensor, from_ns, to_ns, each,
                                                   context, error)
               : IR_OK;
}

const ir_observation_selection_t ir_observations_all = {.from_ns = INT64_MIN, .to_ns = INT64_MAX};

ir_status_t ir_documents_each_selected(ir_documents_t *documents,
                                       const ir_observation_selection_t *selection,
                                       ir_each_observation_fn each, void *context,
                                       ir_error_t *error) {
    return ir_documents_keeps(documents) ? documents->backend->each_selected(
                                               documents->store, selection, each, context, error)
                                         : IR_OK;
}

ir_status_t ir_documents_last(ir_documents_t *documents, const char *mote, const char *sensor,
                              ir_each_observation_fn each, void *context, ir_error_t *error) {
    return ir_documents_keeps(documents)
               ? documents->backend->last(documents->store, mote, sensor, each, context, error)
               : IR_OK;
}

ir_status_t ir_documents_revisions_from(ir_documents_t *documents, const ir_id_t *least,
                                        size_t limit, ir_each_revision_fn each, void *context,
                                        ir_error_t *error) {
    return ir_documents_keeps(documents) ? documents->backend->revisions_from(
                                               documents->store, least, limit, each, context, error)
                                         : IR_OK;
}

bool ir_documents_keeps(const ir_documents_t *documents) {
    return documents->backend != &ir_documents_null;
}

/* ---- what the backends share ---- */

size_t ir_raw_refusals(const ir_batch_t *batch, uint32_t message, ir_each_refusal_fn each,
                       void *context) {
    const ir_message_t *m = &batch->messages[message];
    size_t count = m->n_refusals;
    for (uint32_t i = 0; each != NULL && i < m->n_refusals; i++) {
        each(context, &batch->refusals[m->first_refusal + i]);
    }
    for (uint32_t i = 0; i < batch->n_store_refusals; i++) {
        const ir_store_refusal_t *refusal = &batch->store_refusals[i];
        if (refusal->message == message && refusal->observation != UINT32_MAX) {
            count++;
            if (each != NULL) {
                each(context, &refusal->refusal);
            }
        }
    }
    return count;
}

const char *ir_raw_status(const ir_batch_t *batch, uint32_t message) {
    const ir_message_t *m = &batch->messages[message];
    if (m->refused) {
        return "rejected";
    }
    if (ir_raw_refusals(batch, message, NULL, NULL) == 0) {
        return "accepted";
    }
    for (uint32_t i = 0; i < m->n_observations; i++) {
        if (ir_observation_accepted(&batch->observations[m->first_observation + i])) {
            return "partly";
        }
    }
    return "rejected";
}

bool ir_document_refuse(ir_batch_t *batch, uint32_t message, uint32_t observation,
                        const char *detail) {
    return ir_batch_refuse(batch, message, observation, IR_REASON_DOCUMENT_REFUSED, detail);
}

bool ir_refusal_list_add(ir_refusal_list_t *list, ir_stored_refusal_t refusal) {
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity > 0 ? list->capacity * 2 : 64;
        ir_stored_refusal_t *grown = realloc(list->refusals, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        list->refusals = grown;
        list->capacity = capacity;
    }
    list->refusals[list->count++] = refusal;
    return true;
}
