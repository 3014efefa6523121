#include "worker/documents_stage.h"

#include "annotation/quality/quality.h"
#include "observation/analysis.h"
#include "store/documents/documents.h"
#include "worker/arrivals.h"

#include <stdatomic.h>
#include <stdlib.h>

struct ir_documents_stage {
    ir_documents_t *documents;
    ir_quality_t *quality;
    ir_registry_t *registry; /* a reference to the registry from which the quality states were
                              * made */
    const ir_analysis_t *analysis;
    ir_batch_t *scratch;       /* a batch for analysing another one again */
    const ir_batch_t *checked; /* passed quality control, not stored yet */
    atomic_bool outdated;      /* there is a newer registry: release this one when the stage is
                                * idle */
};

ir_status_t ir_documents_stage_open(const ir_worker_options_t *options,
                                    const ir_analysis_t *analysis, ir_documents_stage_t **stage,
                                    ir_error_t *error) {
    ir_documents_stage_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ir_error_set(error, IR_ERR_MEMORY, "documents: out of memory");
    }
    made->analysis = analysis;
    ir_documents_options_t documents;
    ir_worker_documents_options(options, &documents);
    ir_status_t status = ir_documents_open(&documents, &made->documents, error);
    if (status == IR_OK) {
        made->quality =
            ir_quality_new((size_t)options->series, ir_documents_recent, made->documents, false);
        made->scratch = ir_batch_new(NULL);
        if (made->quality == NULL || made->scratch == NULL) {
            status = ir_error_set(error, IR_ERR_MEMORY, "quality control: out of memory");
        }
    }
    if (status != IR_OK) {
        ir_documents_stage_close(made);
        return status;
    }
    *stage = made;
    return IR_OK;
}

void ir_documents_stage_close(ir_documents_stage_t *stage) {
    if (stage == NULL) {
        return;
    }
    ir_quality_free(stage->quality);
    ir_batch_free(stage->scratch);
    ir_documents_close(stage->documents);
    ir_registry_unref(stage->registry);
    free(stage);
}

bool ir_documents_stage_keeps(const ir_documents_stage_t *stage) {
    return ir_documents_keeps(stage->documents);
}

ir_status_t ir_documents_stage_ready(void *context, ir_error_t *error) {
    const ir_documents_stage_t *stage = context;
    return ir_documents_probe(stage->documents, error);
}

ir_status_t ir_documents_stage_present(void *context, ir_error_t *error) {
    const ir_documents_stage_t *stage = context;
    return ir_documents_present(stage->documents, error);
}

/* `registry` NULL: none until the next batch brings one. */
static void set_registry(ir_documents_stage_t *stage, ir_registry_t *registry) {
    if (stage->registry != registry) {
        atomic_store(&stage->outdated, false);
        ir_quality_reset(stage->quality);
        ir_documents_forget(stage->documents);
        ir_batch_reset(stage->scratch, NULL);
        ir_registry_unref(stage->registry);
        stage->registry = ir_registry_ref(registry);
    }
}

void ir_documents_stage_outdate(ir_documents_stage_t *stage) {
    atomic_store(&stage->outdated, true);
}

void ir_documents_stage_idle(void *context) {
    ir_documents_stage_t *stage = context;
    if (atomic_load(&stage->outdated)) {
        set_registry(stage, NULL);
    }
}

static ir_outcome_t check(ir_documents_stage_t *stage, ir_batch_t *batch, ir_error_t *error) {
    /* The batch comes again after a failure. Quality control has already added its points to the
     * series. */
    if (stage->checked == batch) {
        return IR_OUTCOME_OK;
    }
    /* Only for the second pipeline: between its batches, the main pipeline has added points to the
     * same series. */
    if (!batch->sets_aside) {
        ir_quality_reset(stage->quality);
    }
    if (ir_arrivals_settle(stage->documents, stage->analysis, batch, stage->scratch, error) !=
            IR_OUTCOME_OK ||
        ir_quality_check(stage->quality, batch, error) != IR_OUTCOME_OK) {
        return IR_OUTCOME_RETRY;
    }
    stage->checked = batch;
    return IR_OUTCOME_OK;
}

ir_outcome_t ir_documents_stage_run(void *context, ir_batch_t *batch, ir_error_t *error) {
    ir_documents_stage_t *stage = context;
    set_registry(stage, batch->registry);
    if (check(stage, batch, error) != IR_OUTCOME_OK) {
        return IR_OUTCOME_RETRY;
    }
    if (ir_documents_put(stage->documents, batch, error) != IR_OUTCOME_OK) {
        if (batch->contested) {
            ir_quality_reset(stage->quality);
            stage->checked = NULL;
        }
        return IR_OUTCOME_RETRY;
    }
    stage->checked = NULL;
    return IR_OUTCOME_OK;
}
